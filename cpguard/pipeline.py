"""Run the stages over a batch of texts: segment and score, decide, rewrite and verify, fall back.

text -> segments -> scores -> decision -> rewrite -> verification -> result
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from cpguard.errors import BaseModelError, BlockedError, ClassifierError, CpguardError, RewriterError
from cpguard.fallback import fall_back
from cpguard.judge import Judged, judge, verdict_of
from cpguard.policy import STRENGTH, Policy, alerts, decide
from cpguard.repair import Parts, Repair, rewrite
from cpguard.results import GuardResult, SegmentResult, Timings, Verdict

OnError = Literal["block", "raise", "pass"]
REWRITE_LIMIT = 64
"""Most segments of one text that are rewritten; further ones go to the fallback chain at once."""


@dataclass(frozen=True)
class Pipeline:
    """The stages with their models.

    Attributes:
        parts: Classifier, rewriter, encoder and policy.
        only_flagged: Rewrite only flagged segments; otherwise every prose segment is offered.
        on_error: When a classifier fails: release the block message (`block`), raise, or release
            the unjudged text (`pass`). When a rewriter fails: `raise`, or else the fallback chain.
            Text known to be flagged is never released.
    """

    parts: Parts
    only_flagged: bool = True
    on_error: OnError = "block"

    def check(self, texts: Sequence[str]) -> list[Verdict]:
        """Return the verdict on each text; nothing is rewritten.

        Raises:
            ClassifierError: If the classifier fails, whatever `on_error` says: there is no verdict.
        """
        return [verdict_of(found) for found in judge(texts, self.parts.classifier, self.parts.policy)]

    def run(self, texts: Sequence[str]) -> list[GuardResult]:
        """Return the guarded version of each text; `blocked` says which of them the policy raises on.

        Raises:
            ClassifierError: If the classifier fails and `on_error` is `raise`.
            RewriterError: If the rewriter fails and `on_error` is `raise`.
        """
        started = perf_counter()
        try:
            judged = judge(texts, self.parts.classifier, self.parts.policy)
            scored = perf_counter()
            repairs = [self._repairs(found) for found in judged]
            failure = self._repair([repair for found in repairs for repair in found.values()])
        except ClassifierError as exc:
            if self.on_error == "raise":
                raise
            return [self._failed(text, exc) for text in texts]
        done = perf_counter()
        timings = Timings(judge=scored - started, repair=done - scored, total=done - started)
        return [
            _result(text, found, repaired, self.parts.policy, timings, failure)
            for text, found, repaired in zip(texts, judged, repairs, strict=True)
        ]

    def blocked(self, result: GuardResult) -> BlockedError | None:
        """Return the error to raise in place of a result, if the policy says `raise`."""
        raises = result.action == "raise" and self.parts.policy.mode == "enforce"
        return BlockedError(result) if raises else None

    def _repairs(self, judged: Sequence[Judged]) -> dict[int, Repair]:
        """Return the repairs that one text needs, by segment index; none in monitor mode."""
        policy = self.parts.policy
        repairs: dict[int, Repair] = {}
        for i, item in enumerate(judged if policy.mode == "enforce" else ()):
            flagged, prose = item.verdict.flagged, item.segment.kind == "prose"
            if flagged or (prose and item.body and not self.only_flagged):
                action = decide(item.verdict.categories, policy) if flagged else "rewrite"
                rewritable = prose and action == "rewrite" and len(repairs) < REWRITE_LIMIT
                kind = item.segment.kind
                repairs[i] = Repair(item.body, item.context, kind, flagged, rewritable, action=action)
        return repairs

    def _repair(self, repairs: Sequence[Repair]) -> CpguardError | None:
        """Fill every repair; return the rewriter's error if it failed and the fallback took over."""
        failure = None
        try:
            rewrite(repairs, self.parts)
        except (RewriterError, BaseModelError) as exc:
            if self.on_error == "raise":
                raise
            failure = exc
        for repair in repairs:
            if repair.text is None and not repair.flagged:
                repair.text, repair.action = repair.source, "allow"
        fall_back(repairs, self.parts)
        return failure

    def _failed(self, text: str, failure: CpguardError) -> GuardResult:
        """Return what is released when a text could not be judged."""
        if self.on_error == "pass":
            return GuardResult(text=text, changed=False, error=_describe(failure))
        message = self.parts.policy.block_message
        return GuardResult(text=message, changed=True, action="block", error=_describe(failure))


def _result(
    text: str,
    judged: Sequence[Judged],
    repairs: Mapping[int, Repair],
    policy: Policy,
    timings: Timings,
    failure: CpguardError | None,
) -> GuardResult:
    verdict = verdict_of(judged)
    segments = [_segment_result(item, repairs.get(i), policy) for i, item in enumerate(judged)]
    released = _assemble(text, judged, repairs, policy)
    return GuardResult(
        text=released,
        changed=released != text,
        action=max((segment.action for segment in segments), key=STRENGTH.index, default="allow"),
        alert=alerts(verdict.categories),
        categories=verdict.categories,
        segments=tuple(segments),
        timings=timings,
        error=_describe(failure) if failure and repairs else None,
    )


def _segment_result(item: Judged, repair: Repair | None, policy: Policy) -> SegmentResult:
    if repair is None:  # untouched: clean, or only monitored
        return SegmentResult(**dict(item.verdict), action=decide(item.verdict.categories, policy))
    return SegmentResult(
        **dict(item.verdict),
        action=repair.action,
        attempts=repair.attempts,
        similarity=repair.similarity,
        rejected=tuple(repair.rejected),
    )


def _assemble(text: str, judged: Sequence[Judged], repairs: Mapping[int, Repair], policy: Policy) -> str:
    """Join untouched segments byte for byte with repaired ones; nothing follows a blocked segment."""
    pieces: list[str] = []
    for i, item in enumerate(judged):
        original = text[item.segment.start : item.segment.end]
        repair = repairs.get(i)
        if repair is None or repair.action == "allow":
            pieces.append(original)
        elif repair.action in ("block", "raise"):
            pieces.append(policy.block_message)
            break
        elif repair.action != "drop":
            lead = len(original) - len(original.lstrip())
            pieces += [original[:lead], repair.text or "", original[lead + len(item.body) :]]
    released = "".join(pieces)
    return policy.block_message if repairs and not released.strip() else released


def _describe(failure: CpguardError) -> str:
    return f"{type(failure).__name__}: {failure}"
