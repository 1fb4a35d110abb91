"""What the guard returns: frozen models with named fields, never tuples.

User text is kept out of every repr; read it from the field.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Category = Literal[
    "toxicity", "severe_toxicity", "insult", "profanity", "threat", "identity_attack", "sexually_explicit"
]
CATEGORIES: tuple[Category, ...] = get_args(Category)

Action = Literal["allow", "rewrite", "mask", "drop", "block", "raise"]
"""What is done to a segment, mildest first."""

SegmentKind = Literal["prose", "code", "json", "url"]

_Probability = Field(default=None, ge=0.0, le=1.0)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scores(_Frozen):
    """How toxic a text is, by category; each in [0, 1], higher is more toxic, None is not computed."""

    toxicity: float = Field(ge=0.0, le=1.0)
    severe_toxicity: float | None = _Probability
    insult: float | None = _Probability
    profanity: float | None = _Probability
    threat: float | None = _Probability
    identity_attack: float | None = _Probability
    sexually_explicit: float | None = _Probability

    def computed(self) -> dict[Category, float]:
        """Return the categories that were computed, with their scores."""
        values = ((category, getattr(self, category)) for category in CATEGORIES)
        return {category: value for category, value in values if value is not None}


class TextSpan(_Frozen):
    """Characters start (inclusive) to end (exclusive) of a text."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)


class SegmentVerdict(_Frozen):
    """How one segment of a text was judged.

    Attributes:
        start: First character of the segment in the input.
        end: One past its last character.
        kind: prose, or something kept whole: code, json, url.
        scores: The higher of the segment judged alone and judged after the text before it.
        categories: The categories at or above their threshold.
    """

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    kind: SegmentKind = "prose"
    scores: Scores
    categories: tuple[Category, ...] = ()

    @property
    def flagged(self) -> bool:
        """Whether any category is at or above its threshold."""
        return bool(self.categories)


class Verdict(_Frozen):
    """How a text was judged, without changing it.

    Attributes:
        flagged: Whether any segment is flagged.
        categories: Every category flagged anywhere in the text.
        scores: The highest score of each category over the segments.
        segments: One entry a segment, covering the text without gaps.
    """

    flagged: bool
    categories: tuple[Category, ...] = ()
    scores: Scores
    segments: tuple[SegmentVerdict, ...] = ()


class SegmentResult(SegmentVerdict):
    """What was done to one segment.

    Attributes:
        action: What was done; `allow` means untouched, byte for byte.
        attempts: Candidates that were verified, 0 if none was asked for.
        similarity: Cosine of the released text with the source, in [-1, 1]; None if not rewritten.
        rejected: Why candidates failed verification, one reason each.
    """

    action: Action = "allow"
    attempts: int = Field(default=0, ge=0)
    similarity: float | None = Field(default=None, ge=-1.001, le=1.001)
    rejected: tuple[str, ...] = ()


class Timings(_Frozen):
    """Seconds spent on the batch a text came in: judging it, repairing what was flagged, and in all."""

    judge: float = 0.0
    repair: float = 0.0
    total: float = 0.0


class GuardResult(_Frozen):
    """The guarded text and what was done to it.

    Attributes:
        text: The text that may be released.
        changed: Whether it differs from the input.
        action: The strongest action taken on any segment (monitor mode: that would have been taken).
        alert: A category that must not be hidden by softening was flagged, such as a threat.
        categories: Every category flagged anywhere in the input.
        segments: One entry a segment of the input, covering it without gaps.
        timings: Seconds spent in each stage.
        error: Class name and message of a failure handled by `on_error`, without user text; else None.
    """

    text: str = Field(repr=False)
    changed: bool
    action: Action = "allow"
    alert: bool = False
    categories: tuple[Category, ...] = ()
    segments: tuple[SegmentResult, ...] = ()
    timings: Timings = Timings()
    error: str | None = None
