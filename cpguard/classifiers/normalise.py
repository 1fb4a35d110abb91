"""Undo the cheap disguises of letters before scoring, and remember where each letter came from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_CYRILLIC_GREEK = "аеорсухіјѕԁһӏкмтвнАЕОРСУХІЈЅКМТВНоνυιαεκρτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
_LATIN = "aeopcyxijsdhlkmtbhAEOPCYXIJSKMTBHovuiaekptABEZHIKMNOPTYX"
_LOOK_ALIKE = dict(zip(_CYRILLIC_GREEK, _LATIN, strict=True))
_MIXED_WORD = re.compile(r"\w+")
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)


@dataclass(frozen=True)
class Normalised:
    """A text as scored, and the way back.

    Attributes:
        text: Without invisible characters, lone surrogates and compatibility forms; words that mix
            Latin letters with look-alikes of other scripts are all Latin.
        origin: For each character of `text` its index in the original; None if nothing moved.
    """

    text: str
    origin: tuple[int, ...] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return where characters start to end (exclusive, at least one) lie in the original text."""
        if self.origin is None:
            return start, end
        return self.origin[start], self.origin[end - 1] + 1


def normalise(text: str) -> Normalised:
    """Return the text as scored. ASCII text is returned as it is."""
    if text.isascii():
        return Normalised(text)
    characters: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        for part in _folded(character):
            characters.append(part)
            origin.append(index)
    return Normalised(_MIXED_WORD.sub(_latin, "".join(characters)), tuple(origin))


def _folded(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category == "Cf" or ord(character) in _VARIATION_SELECTORS:
        return ""
    return unicodedata.normalize("NFKC", character)


def _latin(match: re.Match[str]) -> str:
    """Return a word in Latin letters if it has one already; the length never changes."""
    word = match.group()
    if word.isascii() or not any(letter.isascii() and letter.isalpha() for letter in word):
        return word
    return "".join(_LOOK_ALIKE.get(letter, letter) for letter in word)
