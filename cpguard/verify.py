"""Check that a candidate says what its source says: rules that need no model.

`broken_rule` names the first rule that a candidate breaks. The pipeline adds the two checks that
need a model: the candidate scores clean, and its embedding is near the source's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s<>\"')\]]+|www\.[^\s<>\"')\]]+", re.I)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
MENTION = re.compile(r"(?<![\w@.])[@#]\w+")
CODE = re.compile(r"`[^`\n]+`")
NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:[.,:/]\d+)*%?")
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|hardly|barely)\b"
    r"|n ?['’]t\b|\b(?:dont|doesnt|didnt|isnt|arent|wasnt|werent|wont|wouldnt|cant|couldnt|shouldnt|aint)\b",
    re.I,
)
SOFTENED = re.compile(
    r"(?:\bnot|n ?['’]t)\s+(?:be |a |an |the )?(?:so |that |too |all that |very |really |particularly )?"
    r"(?:good|great|smart|wise|nice|kind|bright|clever|sensible|intelligent|helpful|useful|competent|pleasant"
    r"|reasonable|right|okay|ok|fair|appropriate|best|well|worth|important|like|care|true|acceptable"
    r"|understand|understanding|make sense|making sense|thinking|listening|paying attention)\b",
    re.I,
)
META = re.compile(
    r"\s*(?:i['’]?m sorry|i am sorry|sorry,|as an ai|i can(?:no|['’])t (?:help|assist|do|fulfil|comply)"
    r"|i am unable|i['’]m unable|here(?:['’]s| is| are) (?:a|the|your|some)\b[^.]*:|sure[,!:.]"
    r"|certainly[,!:.]|of course[,!:]|rewritten\b|detoxif|rephrased|non-toxic"
    r"|the (?:rewritten|detoxified|original) |note:)",
    re.I,
)
MARKUP = re.compile(r"<\|[^|>]*\|>|\b(?:user|assistant|system)\n", re.I)
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z][a-z]+(?:-[A-Z][a-z]+)*(?![\w'’]*[A-Z])\b")
_WORD = re.compile(r"\w+")


def normalised(text: str) -> str:
    """Return the words of a text, case-folded: two texts that differ in nothing else are copies."""
    return " ".join(_WORD.findall(text.casefold()))


def is_copy(source: str, candidate: str) -> bool:
    """Return whether a candidate has the same words as its source."""
    return normalised(source) == normalised(candidate)


def names(text: str) -> Counter[str]:
    """Return capitalised words that do not start a sentence; nothing if the text is Title Case or CAPS."""
    words = _WORD.findall(text)
    capitalised = sum(word[:1].isupper() for word in words)
    if len(words) > 3 and capitalised > len(words) / 2:
        return Counter()
    return Counter(name.casefold() for name in _NAME.findall(text))


def _found(pattern: re.Pattern[str]) -> Callable[[str], Counter[str]]:
    return lambda text: Counter(match.rstrip(".,;:!?") for match in pattern.findall(text))


_KEPT: tuple[tuple[str, Callable[[str], Counter[str]]], ...] = (
    ("url", _found(URL)),
    ("email", _found(EMAIL)),
    ("mention", _found(MENTION)),
    ("code", _found(CODE)),
    ("number", _found(NUMBER)),
    ("name", names),
)


def _negation_changed(source: str, candidate: str) -> bool:
    """Return whether negation was lost, or came in otherwise than by softening ("not very good")."""
    before = len(NEGATION.findall(source))
    after = len(NEGATION.findall(candidate))
    return after == 0 if before else after > len(SOFTENED.findall(candidate))


def broken_rule(
    source: str, candidate: str, *, length_ratio: tuple[float, float], toxic_words: Iterable[str] = ()
) -> str | None:
    """Return the name of the first rule that a candidate breaks, or None.

    Args:
        source: The flagged segment, without surrounding white space.
        candidate: The proposed rewrite of it.
        length_ratio: Least and greatest length of the candidate relative to the source, in characters;
            one short sentence is always allowed to shrink or grow by 40 characters.
        toxic_words: Words of the source that need not be kept though they look like names.

    Returns:
        empty, copy, markup, meta, length, url, email, mention, code, number, name or negation.
    """
    if not candidate.strip():
        return "empty"
    if is_copy(source, candidate):
        return "copy"
    if MARKUP.search(candidate) and not MARKUP.search(source):
        return "markup"
    if META.match(candidate) and not META.match(source):
        return "meta"
    least, greatest = length_ratio
    if not least * len(source) <= len(candidate) <= max(greatest * len(source), len(source) + 40):
        return "length"
    expendable = {word.casefold() for word in toxic_words}
    for rule, found in _KEPT:
        lost = found(source) - found(candidate)
        added = found(candidate) - found(source) if rule in ("url", "email", "number") else Counter()
        if added or any(item.casefold() not in expendable for item in lost):
            if rule == "name" and all(name in normalised(candidate).split() for name in lost):
                continue  # still there, now at the start of a sentence or in lower case
            return rule
    return "negation" if _negation_changed(source, candidate) else None
