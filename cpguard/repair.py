"""Rewrite flagged segments and verify the candidates; what fails is left to the fallback chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cpguard import judge
from cpguard._callables import call
from cpguard.errors import RewriterError
from cpguard.policy import Policy, flagged_categories
from cpguard.protocols import Classifier, Encoder, Rewriter, RewriteRequest
from cpguard.results import Action, SegmentKind
from cpguard.verify import broken_rule

SAMPLING_TEMPERATURE = 0.8


@dataclass(frozen=True)
class Parts:
    """The models a guard works with, and the policy they serve."""

    classifier: Classifier
    rewriter: Rewriter
    encoder: Encoder
    policy: Policy


@dataclass
class Repair:
    """One segment on its way from flagged to released.

    Attributes:
        source: The segment, without surrounding white space.
        context: The clean text before it.
        kind: What the source is; only prose is offered to the rewriter.
        flagged: Whether the source is flagged; a clean source may be released as it is.
        rewritable: Whether it is offered to the rewriter; otherwise the fallback chain decides.
        text: What may be released in its place; None until something passed.
        action: What produced `text`.
        attempts: Candidates verified.
        similarity: Cosine of the released rewrite with the source.
        rejected: Why candidates failed, one reason each.
    """

    source: str = field(repr=False)
    context: str = field(default="", repr=False)
    kind: SegmentKind = "prose"
    flagged: bool = True
    rewritable: bool = True
    text: str | None = field(default=None, repr=False)
    action: Action = "rewrite"
    attempts: int = 0
    similarity: float | None = None
    rejected: list[str] = field(default_factory=list)


def rewrite(repairs: Sequence[Repair], parts: Parts) -> None:
    """Fill `text` of each repair for which a candidate passes verification.

    The most likely rewrite of every segment is tried first, in one rewriter call; segments whose
    candidate fails get `policy.candidates` samples, and the passing one nearest in meaning is taken.

    Raises:
        RewriterError: If the rewriter fails; repairs already filled stay filled.
        ClassifierError: If the classifier fails while verifying.
    """
    for n, temperature in ((1, 0.0), (parts.policy.candidates, SAMPLING_TEMPERATURE)):
        pending = [repair for repair in repairs if repair.text is None and repair.rewritable]
        if not pending or n == 0:
            return
        requests = [
            RewriteRequest(text=r.source, context=r.context, n=n, temperature=temperature) for r in pending
        ]
        _verify(pending, propose(parts.rewriter, requests), parts)


def propose(rewriter: Rewriter, requests: Sequence[RewriteRequest]) -> list[list[str]]:
    """Return the rewriter's candidates, checked for shape.

    Raises:
        RewriterError: If the rewriter fails or returns another shape.
    """
    proposed = call(rewriter.rewrite, requests, role="rewriter", error=RewriterError)
    if len(proposed) != len(requests) or not all(isinstance(c, str) for found in proposed for c in found):
        raise RewriterError(
            f"{type(rewriter).__name__} must return a list of strings for each of {len(requests)} requests"
        )
    return proposed


def _verify(repairs: Sequence[Repair], proposed: Sequence[Sequence[str]], parts: Parts) -> None:
    """Verify candidates of all repairs in one classifier and one encoder call; keep the best of each."""
    policy = parts.policy
    toxic = parts.encoder.toxic_spans([repair.source for repair in repairs])
    kept: list[tuple[Repair, str]] = []
    for repair, candidates, spans in zip(repairs, proposed, toxic, strict=True):
        words = [word for span in spans for word in repair.source[span.start : span.end].split()]
        for candidate in dict.fromkeys(c.strip() for c in candidates):
            repair.attempts += 1
            reason = broken_rule(
                repair.source, candidate, length_ratio=policy.length_ratio, toxic_words=words
            )
            if reason == "copy" and not repair.flagged:
                repair.text, repair.action, repair.similarity = repair.source, "allow", 1.0
            elif reason:
                repair.rejected.append(reason)
            else:
                kept.append((repair, candidate))
    clean = is_clean(kept, parts)
    near = similarities([(repair.source, candidate) for repair, candidate in kept], parts.encoder)
    for (repair, candidate), is_ok, similarity in zip(kept, clean, near, strict=True):
        if not is_ok:
            repair.rejected.append("toxic")
        elif similarity < policy.similarity_floor:
            repair.rejected.append("meaning")
        elif repair.similarity is None or similarity > repair.similarity:
            repair.text, repair.similarity = candidate, similarity


def is_clean(items: Sequence[tuple[Repair, str]], parts: Parts) -> list[bool]:
    """Return for each replacement of a segment whether nothing is flagged, alone and after its context."""
    texts = [text for _, text in items] + [repair.context + text for repair, text in items]
    scores = judge.classify(parts.classifier, texts)
    both = zip(items, scores[: len(items)], scores[len(items) :], strict=True)
    return [
        not any(flagged_categories(score, parts.policy, repair.kind) for score in (alone, joint))
        for (repair, _), alone, joint in both
    ]


def similarities(pairs: Sequence[tuple[str, str]], encoder: Encoder) -> list[float]:
    """Return the cosine similarity in [-1, 1] of each pair of texts."""
    if not pairs:
        return []
    embedded = encoder.embed([text for pair in pairs for text in pair])  # (2 * len(pairs), D)
    return [float(value) for value in np.einsum("ij,ij->i", embedded[0::2], embedded[1::2])]
