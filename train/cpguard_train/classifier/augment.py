"""Spelling tricks and joined texts, so that neither hides toxicity nor counts as toxicity."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

from cpguard_train.classifier.rows import CLEAN, UNKNOWN, Row, Spans
from cpguard_train.classifier.weak import toxic_words

_WORD = re.compile(r"[A-Za-z]{3,}")
_LEET = {"a": "@", "e": "3", "i": "1", "o": "0", "s": "$"}
_VOWEL = re.compile("[aeiou]", re.IGNORECASE)


def starred(word: str) -> str:
    """Return the word with its first inner vowel starred out: `stupid` gives `st*pid`."""
    return word[0] + _VOWEL.sub("*", word[1:], count=1)


def leet(word: str) -> str:
    """Return the word with look-alike signs for letters after the first: `idiot` gives `id10t`."""
    return word[0] + "".join(_LEET.get(letter.lower(), letter) for letter in word[1:])


def spaced(word: str) -> str:
    """Return the letters with spaces between: `idiot` gives `i d i o t`."""
    return " ".join(word)


def dotted(word: str) -> str:
    """Return the letters with full stops between: `idiot` gives `i.d.i.o.t`."""
    return ".".join(word)


def stretched(word: str) -> str:
    """Return the word with its last vowel drawn out: `stupid` gives `stupiiid`."""
    vowels = list(_VOWEL.finditer(word))
    if not vowels:
        return word
    place = vowels[-1]
    return word[: place.start()] + place.group() * 3 + word[place.end() :]


TRICKS: tuple[Callable[[str], str], ...] = (starred, starred, leet, spaced, dotted, stretched)


def replaced(row: Row, start: int, end: int, new: str) -> Row:
    """Return the row with characters start to end replaced and its spans moved along."""
    delta = len(new) - (end - start)

    def first(offset: int) -> int:
        return offset + delta if offset >= end else min(offset, start)

    def last(offset: int) -> int:
        return offset + delta if offset >= end else offset if offset <= start else start + len(new)

    spans = None if row.spans is None else tuple((first(a), last(b)) for a, b in row.spans)
    return replace(row, text=row.text[:start] + new + row.text[end:], spans=spans)


def disguised(row: Row, rng: random.Random) -> Row:
    """Return the row with one word respelled: a toxic one if it is toxic and has a known one, else any."""
    clean = row.labels == CLEAN
    places = [match.span() for match in _WORD.finditer(row.text)] if clean else toxic_words(row.text)
    if not places:
        return row
    start, end = rng.choice(places)
    return replaced(row, start, end, rng.choice(TRICKS)(row.text[start:end]))


def joined(first: Row, second: Row) -> Row:
    """Return two texts as one that is as toxic as the worse of them."""
    gap = len(first.text) + 1
    spans: Spans | None = None
    if first.spans is not None and second.spans is not None:
        spans = (*first.spans, *((a + gap, b + gap) for a, b in second.spans))
    labels = tuple(_worse(a, b) for a, b in zip(first.labels, second.labels, strict=True))
    weight = min(first.weight, second.weight)
    return Row(f"{first.text} {second.text}", labels, spans, first.source, weight)


def _worse(first: float, second: float) -> float:
    known = max(first, second)
    return known if UNKNOWN not in (first, second) or known == 1.0 else UNKNOWN


def augmented(row: Row, clean: list[Row], rng: random.Random, *, disguise: float, join: float) -> Row:
    """Return the row, perhaps respelled in one word, perhaps joined to a clean text.

    Args:
        row: The row.
        clean: Short clean rows to join.
        rng: Source of chance.
        disguise: Probability of respelling a word; a quarter of it for clean rows.
        join: Probability of joining a clean text before or after a short row.
    """
    share = disguise / 4 if row.labels == CLEAN else disguise
    if rng.random() < share:
        row = disguised(row, rng)
    if clean and len(row.text) < 160 and rng.random() < join:
        other = rng.choice(clean)
        row = joined(row, other) if rng.random() < 0.5 else joined(other, row)
    return row
