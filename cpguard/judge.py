"""Score the segments of texts and say which are flagged.

Context is causal: a segment is judged alone and, where that leaves doubt, together with the text
before it; never with text after it. So a stream judged sentence by sentence gets the same verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cpguard._callables import call
from cpguard.errors import ClassifierError
from cpguard.policy import Policy, flagged_categories
from cpguard.protocols import Classifier
from cpguard.results import CATEGORIES, Category, Scores, SegmentVerdict, Verdict
from cpguard.segment import Segment, split

DOUBT = 0.2
"""Share of a threshold from which a segment counts as doubtful and is judged with its context too."""

CLEAN = Scores(**dict.fromkeys(CATEGORIES, 0.0))


@dataclass(frozen=True)
class Judged:
    """A segment with its text, the clean text before it, and its verdict.

    Attributes:
        segment: Where it is and what it is.
        body: Its text without surrounding white space.
        context: The end of the text before it; empty where that is itself flagged.
        verdict: Scores and flagged categories.
    """

    segment: Segment
    body: str
    context: str
    verdict: SegmentVerdict


def classify(classifier: Classifier, texts: Sequence[str]) -> list[Scores]:
    """Return one Scores a text; blank texts are clean and cost nothing.

    Raises:
        ClassifierError: If the classifier fails or returns the wrong number of results.
    """
    asked = [text for text in texts if text.strip()]
    if not asked:
        return [CLEAN] * len(texts)
    scores = call(classifier.classify, asked, role="classifier", error=ClassifierError)
    if len(scores) != len(asked) or not all(isinstance(score, Scores) for score in scores):
        raise ClassifierError(
            f"{type(classifier).__name__} must return one Scores for each of {len(asked)} texts"
        )
    found = iter(scores)
    return [next(found) if text.strip() else CLEAN for text in texts]


def judge(texts: Sequence[str], classifier: Classifier, policy: Policy) -> list[list[Judged]]:
    """Return the judged segments of each text: one classifier call, and one more where doubt remains.

    Args:
        texts: The texts, each judged by itself.
        classifier: Scores texts.
        policy: Thresholds, and how much preceding text counts as context.

    Returns:
        For each text its segments in order, covering it without gaps.
    """
    segments = [split(text) for text in texts]
    bodies = [
        [text[s.start : s.end].strip() for s in found] for text, found in zip(texts, segments, strict=True)
    ]
    alone = iter(classify(classifier, [body for found in bodies for body in found]))
    scores = [[next(alone) for _ in found] for found in segments]
    asked = [
        (i, j)
        for i, found in enumerate(scores)
        for j, score in enumerate(found)
        if segments[i][j].start and _doubtful(score, policy)
    ]
    contexts = [preceding(texts[i], segments[i][j].start, policy.context_chars) for i, j in asked]
    joint = classify(classifier, [c + bodies[i][j] for c, (i, j) in zip(contexts, asked, strict=True)])
    in_context = dict(zip(asked, joint, strict=True))
    return [
        _verdicts(
            text,
            segments[i],
            bodies[i],
            [(s, in_context.get((i, j))) for j, s in enumerate(scores[i])],
            policy,
        )
        for i, text in enumerate(texts)
    ]


def _doubtful(scores: Scores, policy: Policy) -> bool:
    doubt = {c: policy.thresholds.get(c, 0.5) * DOUBT for c in CATEGORIES}
    return not flagged_categories(scores, policy) and any(v >= doubt[c] for c, v in scores.computed().items())


def preceding(text: str, start: int, limit: int) -> str:
    """Return at most `limit` characters of text before `start`, cut at a word boundary."""
    context = text[max(0, start - limit) : start]
    if start > limit and " " in context:
        context = context[context.index(" ") + 1 :]
    return context


def _verdicts(
    text: str,
    segments: Sequence[Segment],
    bodies: Sequence[str],
    scores: Sequence[tuple[Scores, Scores | None]],
    policy: Policy,
) -> list[Judged]:
    judged: list[Judged] = []
    clean_from = 0  # where the run of unflagged text before this segment starts
    for segment, body, (alone, joint) in zip(segments, bodies, scores, strict=True):
        context = preceding(text, segment.start, policy.context_chars)
        if segment.start - len(context) < clean_from:
            context = text[clean_from : segment.start]
            joint = None  # the context it was judged with holds text that will not be released
        total = highest([alone, joint]) if joint else alone
        categories = flagged_categories(total, policy, segment.kind)
        verdict = SegmentVerdict(
            start=segment.start, end=segment.end, kind=segment.kind, scores=total, categories=categories
        )
        judged.append(Judged(segment, body, context, verdict))
        if categories:
            clean_from = segment.end
    return judged


def highest(scores: Sequence[Scores]) -> Scores:
    """Return the highest score of each category; None where no entry computed it."""
    if len(scores) == 1:
        return scores[0]
    found: dict[Category, float] = {}
    for score in scores:
        for category, value in score.computed().items():
            found[category] = max(value, found.get(category, 0.0))
    return Scores(**found)


def verdict_of(judged: Sequence[Judged]) -> Verdict:
    """Return the verdict on a whole text from its judged segments."""
    segments = tuple(item.verdict for item in judged)
    flagged = {category for segment in segments for category in segment.categories}
    return Verdict(
        flagged=bool(flagged),
        categories=tuple(category for category in CATEGORIES if category in flagged),
        scores=highest([segment.scores for segment in segments]) if segments else CLEAN,
        segments=segments,
    )
