"""Turn a text into the token ids of the rewriting prompt, without giving the text any power over it."""

from __future__ import annotations

import re
from pathlib import Path

from cpguard.errors import ConfigError


class PromptEncoder:
    """Encodes prompts so that `<|im_end|>` in a text is six ordinary tokens, not the end of the turn.

    The template is cut at its own special tokens; what lies between, the text included, is encoded with
    special tokens switched off. For a text without such a literal the ids equal those of the whole string.
    """

    def __init__(self, tokenizer: Path, template: str) -> None:
        """Read the tokenizer and cut the template.

        Args:
            tokenizer: A tokenizer.json.
            template: One literal string with one {source}.

        Raises:
            ConfigError: If the file is no tokenizer or the template has not exactly one {source}.
        """
        from tokenizers import Tokenizer

        if template.count("{source}") != 1:
            raise ConfigError("the prompt of guard.json must have exactly one {source}")
        if not tokenizer.is_file():
            raise ConfigError(f"there is no {tokenizer}; train the guard again or restore the file")
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as exc:  # tokenizers raises nothing narrower
            raise ConfigError(f"{tokenizer} is not a tokenizer.json; restore the file") from exc
        added = self._tokenizer.get_added_tokens_decoder()
        self._ids = {token.content: token_id for token_id, token in added.items() if token.special}
        self._tokenizer.encode_special_tokens = True
        cuts = f"({'|'.join(map(re.escape, self._ids)) or '(?!)'})"
        self._pieces = [piece for piece in re.split(cuts, template) if piece]

    def encode(self, source: str) -> list[int]:
        """Return the token ids of the prompt for a source text."""
        ids: list[int] = []
        for piece in self._pieces:
            if piece in self._ids:
                ids.append(self._ids[piece])
            else:
                ids += self._plain(piece.replace("{source}", source))
        return ids

    def length(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len(self._plain(text))

    def _plain(self, text: str) -> list[int]:
        whole = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate has no tokens
        ids: list[int] = self._tokenizer.encode(whole, add_special_tokens=False).ids
        return ids
