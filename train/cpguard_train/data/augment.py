"""Make training pairs look like what a guard meets: cased, normally spaced, with emoji, URLs, numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random

from cpguard_train.data.sources import detokenise

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_START = re.compile(r"(^\W*|[.!?]\s+[\"'(]*)([a-z])")
_PRONOUN = re.compile(r"\bi(?=$|[\s,.;:!?]|['’](?:m|ve|ll|d)\b)")
_KEEPERS = (
    "😡", "🙄", "😂", "👍", "🤔",
    "https://example.com/help", "https://example.org/a/{n}", "@sam_{n}", "#{n}",
    "(see section {n})", "`build-{n}`", "support{n}@example.com", "v{n}.{m}.0",
)  # fmt: skip


def learn_case(texts: Iterable[str], *, minimum: int = 3) -> dict[str, str]:
    """Return words that people mostly write with capitals inside a sentence, lower-cased form to form.

    Args:
        texts: Text with the case people gave it.
        minimum: How often the capital form must occur.
    """
    forms: dict[str, Counter[str]] = {}
    for text in texts:
        for found in list(_WORD.finditer(text))[1:]:
            if text[: found.start()].rstrip()[-1:] not in set(".!?\"'("):
                forms.setdefault(found.group().lower(), Counter())[found.group()] += 1
    best = {word: counts.most_common(1)[0] for word, counts in forms.items()}
    return {
        word: form
        for word, (form, count) in best.items()
        if form != word and count >= minimum and count > sum(forms[word].values()) / 2
    }


def natural(text: str, case: Mapping[str, str]) -> str:
    """Return a lower-cased, space-tokenised text as people write it: spacing, sentence and name capitals.

    Text that already has capitals keeps its own.
    """
    text = detokenise(text)
    if text == text.lower():
        text = _WORD.sub(lambda found: case.get(found.group(), found.group()), text)
        text = _PRONOUN.sub("I", text)
    return _SENTENCE_START.sub(lambda found: found.group(1) + found.group(2).upper(), text)


def plain(text: str) -> str:
    """Return the text as people type in a hurry: lower-cased, normal spacing."""
    return detokenise(text).lower()


def keeper(rng: Random) -> str:
    """Return something a rewrite must keep as it is: an emoji, URL, mention, number, address or code."""
    return rng.choice(_KEEPERS).format(n=rng.randint(2, 999), m=rng.randint(0, 20))


def attach(text: str, kept: str, *, at_end: bool) -> str:
    """Return the text with the kept piece after it, or before it."""
    return f"{text} {kept}" if at_end else f"{kept} {text}"
