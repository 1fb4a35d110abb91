"""Negatives made from a source and its rewrites, one way of going wrong a function.

Each function returns None where it does not apply, so that a caller can try the next.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from random import Random

_WORD = re.compile(r"\S+")
_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+\b")
_NEGATIONS = (
    (re.compile(r"\b(is|are|was|were|do|does|did|should|could|would|has|have)n['’]t\b", re.I), r"\1"),
    (re.compile(r"\b(is|are|was|were|will|should|could|would|must|can) not\b", re.I), r"\1"),
    (re.compile(r"\bcan(?:no|['’])t\b", re.I), "can"),
    (re.compile(r"\bwon['’]t\b", re.I), "will"),
    (re.compile(r"\bnever\b", re.I), "always"),
    (re.compile(r"\balways\b", re.I), "never"),
    (re.compile(r"\bno one\b|\bnobody\b", re.I), "everyone"),
    (re.compile(r"\b(is|are|was|were|should|could|would|must|can|will)\b(?! not\b|n['’]t)", re.I), r"\1 not"),
)
_MIN_WORDS_TO_CUT = 5


def removed_words(source: str, rewrite: str) -> list[str]:
    """Return the words of the source that the rewrite no longer has, in order."""
    kept = Counter(_keys(rewrite))
    gone = []
    for word in _WORD.findall(source):
        key = _key(word)
        if kept[key]:
            kept[key] -= 1
        elif key:
            gone.append(word)
    return gone


def learn_toxic_words(pairs: Iterable[tuple[str, Sequence[str]]], *, minimum: int = 8) -> frozenset[str]:
    """Return the words that people take out: seen often in sources, and gone from four in five rewrites.

    Args:
        pairs: Sources with their rewrites.
        minimum: How often a word must have been met.
    """
    seen: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    for source, rewrites in pairs:
        for rewrite in rewrites:
            seen.update(set(_keys(source)))
            gone.update({_key(word) for word in removed_words(source, rewrite)})
    return frozenset(w for w, count in seen.items() if w and count >= minimum and gone[w] >= 0.8 * count)


def put_back(source: str, rewrite: str, toxic: frozenset[str], rng: Random) -> str | None:
    """Return the rewrite with one stretch of the source put back that has a toxic word in it.

    If that gives the source again, a different toxic word stands in for it: a half-done rewrite.
    """
    old, new = _WORD.findall(source), _WORD.findall(rewrite)
    matcher = SequenceMatcher(None, [_key(w) for w in old], [_key(w) for w in new], autojunk=False)
    stretches = [
        (old[i1:i2], j1, j2)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag in {"delete", "replace"} and any(_key(w) in toxic for w in old[i1:i2])
    ]
    if not stretches:
        return None
    words, start, end = rng.choice(stretches)
    candidate = " ".join([*new[:start], *words, *new[end:]])
    if _keys(candidate) != _keys(source):
        return candidate
    other = sorted(toxic - set(_keys(source)))
    if not other:
        return None
    swapped = [rng.choice(other) if _key(w) in toxic else w for w in words]
    return " ".join([*new[:start], *swapped, *new[end:]])


def cut_stretch(text: str, rng: Random) -> str | None:
    """Return the text without a stretch of a fifth to a half of its words."""
    words = _WORD.findall(text)
    if len(words) < _MIN_WORDS_TO_CUT:
        return None
    length = rng.randint(max(2, len(words) // 5), len(words) // 2)
    start = rng.randint(0, len(words) - length)
    return " ".join(words[:start] + words[start + length :])


def truncate(text: str, rng: Random) -> str | None:
    """Return the first third to four fifths of the text."""
    words = _WORD.findall(text)
    if len(words) < _MIN_WORDS_TO_CUT:
        return None
    keep = rng.randint(max(2, len(words) // 3), max(2, len(words) * 4 // 5))
    return " ".join(words[:keep])


def flip_negation(text: str, rng: Random) -> str | None:
    """Return the text with one negation taken out, or put in where there is none."""
    del rng  # the same signature as its sisters; there is nothing to draw
    for pattern, replacement in _NEGATIONS:
        flipped, count = pattern.subn(replacement, text, count=1)
        if count:
            return flipped
    return None


def swap_entity(text: str, rng: Random) -> str | None:
    """Return the text with a number changed, or a name in it replaced by another common one."""
    numbers = list(_NUMBER.finditer(text))
    if numbers:
        found = rng.choice(numbers)
        value = int(found.group()[:9])
        return text[: found.start()] + str(value + rng.randint(1, 9)) + text[found.end() :]
    names = list(_NAME.finditer(text))
    if not names:
        return None
    found = rng.choice(names)
    others = [name for name in ("Maria", "Boston", "Google", "Peter", "Spain") if name != found.group()]
    return text[: found.start()] + rng.choice(others) + text[found.end() :]


def lose_meaning(text: str, rng: Random) -> str | None:
    """Return the text damaged in one way, drawn at random among those that apply."""
    ways = [cut_stretch, cut_stretch, truncate, flip_negation, swap_entity]
    rng.shuffle(ways)
    return next((damaged for way in ways if (damaged := way(text, rng)) and damaged != text), None)


def _key(word: str) -> str:
    return re.sub(r"[^\w']+", "", word).strip("'").lower()


def _keys(text: str) -> list[str]:
    return [key for word in _WORD.findall(text) if (key := _key(word))]
