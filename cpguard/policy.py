"""What to do with which scores: a frozen policy and the pure function that applies it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cpguard.results import CATEGORIES, Action, Category, Scores, SegmentKind

DEFAULT_ACTIONS: Mapping[Category, Action] = dict.fromkeys(CATEGORIES, "rewrite")
ALERT_CATEGORIES: frozenset[Category] = frozenset(
    {"threat", "identity_attack", "severe_toxicity", "sexually_explicit"}
)
STRENGTH: tuple[Action, ...] = ("allow", "rewrite", "mask", "drop", "block", "raise")
Fallback = Literal["mask", "drop", "block"]


class Policy(BaseModel):
    """Thresholds, actions and limits of a guard; every field has a working default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresholds: Mapping[Category, float] = Field(
        default_factory=dict,
        description="Score in (0, 1] that flags a category; unset: the classifier's own, else 0.5.",
    )
    actions: Mapping[Category, Action] = Field(
        default_factory=dict, description="What to do with a flagged category; unset ones are rewritten."
    )
    fallback: tuple[Fallback, ...] = Field(
        default=("mask", "drop", "block"),
        min_length=1,
        description="Tried in order when no rewrite passes verification; must end with drop or block.",
    )
    mode: Literal["enforce", "monitor"] = Field(
        default="enforce", description="monitor records what would be done and changes nothing."
    )
    block_message: str = Field(
        default="[removed]", description="Replaces what is blocked; it is released as it is."
    )
    mask: str = Field(default="***", min_length=1, description="Replaces each masked word.")
    similarity_floor: float = Field(
        default=0.35, ge=-1.0, le=1.0, description="Least cosine similarity of a rewrite to its source."
    )
    length_ratio: tuple[float, float] = Field(
        default=(0.25, 1.8), description="Least and greatest length of a rewrite relative to its source."
    )
    candidates: int = Field(
        default=4, ge=0, le=64, description="Samples drawn when the first rewrite fails verification."
    )
    context_chars: int = Field(
        default=160, ge=0, description="Characters of preceding text that a segment is also judged with."
    )

    @field_validator("thresholds")
    @classmethod
    def _thresholds_in_range(cls, value: Mapping[Category, float]) -> Mapping[Category, float]:
        for category, threshold in value.items():
            if not 0.0 < threshold <= 1.0:
                raise ValueError(f"{category} must be in (0, 1], got {threshold}")
        return value

    @field_validator("fallback")
    @classmethod
    def _fallback_ends_safe(cls, value: tuple[Fallback, ...]) -> tuple[Fallback, ...]:
        if value[-1] == "mask":
            raise ValueError("must end with 'drop' or 'block': a masked text can still be toxic")
        return value

    def with_defaults(self, thresholds: Mapping[Category, float]) -> Policy:
        """Return this policy with the classifier's thresholds where it sets none."""
        return self.model_copy(update={"thresholds": {**thresholds, **self.thresholds}})


def flagged_categories(scores: Scores, policy: Policy, kind: SegmentKind = "prose") -> tuple[Category, ...]:
    """Return the categories whose score is at or above the policy's threshold.

    A category whose action is `allow` is never flagged, nor is a threat in code, JSON or a URL: there
    `kill` is a command.
    """
    return tuple(
        category
        for category, score in scores.computed().items()
        if score >= policy.thresholds.get(category, 0.5)
        and policy.actions.get(category) != "allow"
        and (kind == "prose" or category != "threat")
    )


def decide(categories: tuple[Category, ...], policy: Policy) -> Action:
    """Return the strongest action that the policy names for these categories."""
    actions = (policy.actions.get(category, DEFAULT_ACTIONS[category]) for category in categories)
    return max(actions, key=STRENGTH.index, default="allow")


def alerts(categories: tuple[Category, ...]) -> bool:
    """Return whether a category was flagged that softening must not hide."""
    return not ALERT_CATEGORIES.isdisjoint(categories)
