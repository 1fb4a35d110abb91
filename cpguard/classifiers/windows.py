"""Cut long texts into overlapping windows, batch windows of similar length, and find whole words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

BATCH_TOKENS = 512
"""Padded tokens in one pass: bounds memory, and keeps the states in the processor's cache."""
_INSIDE_A_WORD = frozenset("'’*@$_-!1|")


@dataclass(frozen=True)
class Window:
    """A stretch of one text's tokens.

    Attributes:
        text: Number of the text.
        ids: Token ids without special tokens.
        offsets: Characters (start, end) of each token in the text.
    """

    text: int
    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]

    @classmethod
    def cut(
        cls, text: int, ids: Sequence[int], offsets: Sequence[tuple[int, int]], size: int, overlap: int
    ) -> Iterator[Window]:
        """Yield windows of at most `size` tokens that cover all tokens; one, empty, if there are none.

        Args:
            text: Number of the text.
            ids: Its token ids.
            offsets: Characters of each token.
            size: Most tokens in a window.
            overlap: Tokens that a window shares with the one before; less than `size`.
        """
        start = 0
        while True:
            yield cls(text, ids[start : start + size], offsets[start : start + size])
            if start + size >= len(ids):
                return
            start += size - overlap


def batches(windows: Sequence[Window], budget: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Yield window numbers, short ones first, with at most `budget` padded tokens a batch."""
    batch: list[int] = []
    for number in sorted(range(len(windows)), key=lambda i: len(windows[i].ids)):
        # sorted: the window at hand is the longest so far; 2 for the special tokens
        if batch and (len(batch) + 1) * (len(windows[number].ids) + 2) > budget:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def words_around(text: str, pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the whole words that the pieces touch, in order, merged where they overlap.

    Args:
        text: The text.
        pieces: Characters (start, end) of parts of words; empty ones are ignored.
    """
    words: list[tuple[int, int]] = []
    for start, end in sorted(set(pieces)):
        if start >= end or not any(_in_word(character) for character in text[start:end]):
            continue
        while start > 0 and _in_word(text[start - 1]):
            start -= 1
        while end < len(text) and _in_word(text[end]):
            end += 1
        if words and start < words[-1][1]:
            words[-1] = (words[-1][0], max(end, words[-1][1]))
        else:
            words.append((start, end))
    return [_stripped(text, start, end) for start, end in words]


def _in_word(character: str) -> bool:
    return character.isalnum() or character in _INSIDE_A_WORD


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the word without the quotes, dashes and exclamation marks around it."""
    while end - start > 1 and text[end - 1] in "'’!-_|":
        end -= 1
    while end - start > 1 and text[start] in "'’!-_|":
        start += 1
    return start, end
