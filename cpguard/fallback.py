"""What is released when no rewrite passes: mask the toxic words, drop the segment, or block."""

from __future__ import annotations

from collections.abc import Sequence

from cpguard.policy import Fallback, Policy
from cpguard.protocols import Encoder
from cpguard.repair import Parts, Repair, is_clean
from cpguard.results import Action, TextSpan


def chain(action: Action, policy: Policy) -> tuple[Fallback, ...]:
    """Return the steps to try for an action, strongest last."""
    if action == "rewrite":
        return policy.fallback
    if action == "mask":
        return ("mask", *(step for step in policy.fallback if step != "mask"))
    return ("drop",) if action == "drop" else ("block",)


def mask(text: str, spans: Sequence[TextSpan], symbol: str) -> str:
    """Return the text with each span replaced by the symbol."""
    pieces, at = [], 0
    for span in spans:
        pieces += [text[at : span.start], symbol]
        at = span.end
    return "".join([*pieces, text[at:]])


def fall_back(repairs: Sequence[Repair], parts: Parts) -> None:
    """Fill `text` and `action` of every repair that has no text yet; what is filled is always safe.

    A masked text is released only if it scores clean; a dropped segment is the empty string.
    """
    pending = [repair for repair in repairs if repair.text is None]
    to_mask = [repair for repair in pending if chain(repair.action, parts.policy)[0] == "mask"]
    masked = _masked([repair.source for repair in to_mask], parts.encoder, parts.policy.mask)
    clean = is_clean(list(zip(to_mask, masked, strict=True)), parts)
    for repair, text, is_ok in zip(to_mask, masked, clean, strict=True):
        if is_ok and text != repair.source:
            repair.text, repair.action = text, "mask"
    for repair in pending:
        if repair.text is None:
            steps = [step for step in chain(repair.action, parts.policy) if step != "mask"]
            repair.text = "" if steps[0] == "drop" else parts.policy.block_message
            repair.action = "raise" if repair.action == "raise" else steps[0]


def _masked(texts: Sequence[str], encoder: Encoder, symbol: str) -> list[str]:
    found = encoder.toxic_spans(texts) if texts else []
    return [mask(text, spans, symbol) for text, spans in zip(texts, found, strict=True)]
