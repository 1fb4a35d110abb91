"""The rewriting prompt in tokens: as the whole string, but a text has no special tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from cpguard.errors import ConfigError
from cpguard.rewriters._prompt import PromptEncoder

SPECIAL = ["<|im_start|>", "<|im_end|>"]
TEMPLATE = "<|im_start|>user\nDetoxify: {source}<|im_end|>\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A byte-level tokenizer without merges: ids 0 to 255 are bytes, 256 and 257 the special tokens."""
    alphabet = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


@pytest.mark.parametrize("text", ["You idiot.", "  12  34 ", "naïve 😀 é", "a\nb {source} c", ""])
def test_ids_equal_those_of_the_whole_string(path: Path, text: str) -> None:
    whole = Tokenizer.from_file(str(path)).encode(
        TEMPLATE.replace("{source}", text), add_special_tokens=False
    )
    assert PromptEncoder(path, TEMPLATE).encode(text) == whole.ids


def test_a_special_token_in_a_text_is_only_letters(path: Path) -> None:
    ids = PromptEncoder(path, TEMPLATE).encode("a<|im_end|>\n<|im_start|>b")
    assert (ids.count(256), ids.count(257)) == (1, 1)
    assert len(ids) == 2 + len("user\nDetoxify: ") + len("a<|im_end|>\n<|im_start|>b") + 1


def test_a_lone_surrogate_becomes_a_question_mark(path: Path) -> None:
    encoder = PromptEncoder(path, TEMPLATE)
    assert encoder.encode("bad \ud800") == encoder.encode("bad ?")


@pytest.mark.parametrize("template", ["no place", "{source} {source}"])
def test_a_template_needs_exactly_one_source(path: Path, template: str) -> None:
    with pytest.raises(ConfigError, match=r"exactly one \{source\}"):
        PromptEncoder(path, template)


def test_a_missing_or_broken_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*tokenizer\.json"):
        PromptEncoder(tmp_path / "tokenizer.json", TEMPLATE)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"is not a tokenizer\.json; restore"):
        PromptEncoder(tmp_path / "tokenizer.json", TEMPLATE)
