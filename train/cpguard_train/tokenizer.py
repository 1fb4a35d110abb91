"""The base model's own tokenizer, read from its GGUF file.

A converter that guesses the pre-tokenizer from the model type would not split digits as this model
was trained to; llama.cpp does. Ids made here equal llama.cpp's, which a test shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cpguard.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BEGIN, END = "<|im_start|>", "<|im_end|>"
_CONTROL = 3
_PRE_TOKENIZER = "smollm"


def read_tokenizer(gguf_path: Path) -> Tokenizer:
    """Return the tokenizer of a GGUF file; it adds no special tokens but knows them in the text.

    Raises:
        ConfigError: If the file's tokenizer is of a kind this does not know.
    """
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = GGUFReader(gguf_path).fields
    kind = fields["tokenizer.ggml.model"].contents(), fields["tokenizer.ggml.pre"].contents()
    if kind != ("gpt2", _PRE_TOKENIZER):
        raise ConfigError(
            f"{gguf_path.name} has the tokenizer {kind[0]}/{kind[1]}; training knows gpt2/{_PRE_TOKENIZER}"
        )
    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = fields["tokenizer.ggml.token_type"].contents()
    special = [token for token, type_ in zip(tokens, types, strict=True) if type_ == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def end_id(tokenizer: Tokenizer) -> int:
    """Return the id of the token that ends a text, which also fills rows up.

    Raises:
        ConfigError: If the tokenizer has no such token.
    """
    token = tokenizer.token_to_id(END)
    if token is None:
        raise ConfigError(f"the base model's tokenizer has no {END}")
    return token
