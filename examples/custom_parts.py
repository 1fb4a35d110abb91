"""Your own classifier, rewriter and policy: any function will do; the guard still verifies every rewrite."""

from __future__ import annotations

from collections.abc import Sequence

from cpguard import DetoxGuard, Policy

BANNED = ("jerk", "fool")


def classify(texts: Sequence[str]) -> list[float]:
    """Return 1.0 for a text with a banned word, else 0.0."""
    return [float(any(word in text.lower() for word in BANNED)) for text in texts]


def rewrite(text: str) -> list[str]:
    """Return two candidates; the first is still toxic and will be rejected."""
    return [text.replace("jerk", "fool"), text.replace("You jerk, please", "Please")]


guard = DetoxGuard(classifier=classify, rewriter=rewrite, policy=Policy(block_message="(removed)"))
result = guard.detoxify("You jerk, please send the report to ann@example.com by Friday.")
print(result.text)
print(result.segments[0].attempts, result.segments[0].rejected)
