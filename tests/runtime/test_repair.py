from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cpguard.errors import RewriterError
from cpguard.policy import Policy
from cpguard.protocols import RewriteRequest
from cpguard.repair import Parts, Repair, is_clean, propose, rewrite, similarities
from cpguard.testing import FakeRewriter

SOURCE = "The plan is stupid and it will fail on Monday."
GOOD = "The plan is unwise and it will fail on Monday."


def with_rewriter(parts: Parts, rewrites: object) -> tuple[Parts, FakeRewriter]:
    rewriter = FakeRewriter(lambda text: rewrites)  # type: ignore[arg-type,return-value]  # a list or str
    return replace(parts, rewriter=rewriter), rewriter


def test_a_good_first_candidate_is_taken(parts: Parts) -> None:
    repair = Repair(SOURCE)
    rewrite([repair], parts)
    assert (repair.text, repair.action, repair.attempts, repair.rejected) == (GOOD, "rewrite", 1, [])
    assert repair.similarity == pytest.approx(9 / 10)  # nine of ten words are shared


def test_all_segments_are_offered_in_one_rewriter_call(parts: Parts) -> None:
    repairs = [Repair(SOURCE), Repair("That is a stupid question to ask me.")]
    rewrite(repairs, parts)
    assert isinstance(parts.rewriter, FakeRewriter)
    assert parts.rewriter.calls == 1
    assert all(repair.text for repair in repairs)


def test_only_failed_segments_get_samples_and_the_nearest_passing_one_is_taken(parts: Parts) -> None:
    class SecondTime:
        def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
            if requests[0].temperature == 0:
                return [[SOURCE], [GOOD]]
            assert [(r.text, r.n) for r in requests] == [(SOURCE, 4)]
            return [
                [
                    "The plan will fail on Monday.",
                    GOOD,
                    "stupid",
                    "The plan is stupid, it will fail on Monday.",
                ]
            ]

    repairs = [Repair(SOURCE), Repair(SOURCE)]
    rewrite(repairs, replace(parts, rewriter=SecondTime()))
    assert [repair.text for repair in repairs] == [GOOD, GOOD]
    assert repairs[0].attempts == 5
    assert sorted(repairs[0].rejected) == ["copy", "length", "toxic"]


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (SOURCE, "copy"),
        ("The stupid plan will fail on Monday.", "toxic"),
        ("The plan is unwise and it will not fail on Monday.", "negation"),
        ("On Monday we had pasta with cheese for lunch.", "meaning"),
        ("I'm sorry, I can't rewrite that for you.", "negation"),
    ],
)
def test_a_bad_candidate_is_never_taken(parts: Parts, candidate: str, reason: str) -> None:
    only, _ = with_rewriter(parts, candidate)
    repair = Repair(SOURCE)
    rewrite([repair], only)
    assert repair.text is None
    assert reason in repair.rejected or "meta" in repair.rejected


def test_a_copy_of_a_clean_source_is_the_right_answer(parts: Parts) -> None:
    only, _ = with_rewriter(parts, "all is well")
    repair = Repair("All is well.", flagged=False)
    rewrite([repair], only)
    assert (repair.text, repair.action, repair.similarity) == ("All is well.", "allow", 1.0)


def test_a_candidate_is_judged_after_its_context_too(parts: Parts) -> None:
    class OnlyTogether:
        def classify(self, texts: Sequence[str]) -> list[object]:
            from cpguard.results import Scores

            return [Scores(toxicity=float("well, go" in text)) for text in texts]

    split_insult = replace(parts, classifier=OnlyTogether())  # type: ignore[arg-type]  # returns Scores
    after, alone = Repair("x", "Oh well, "), Repair("x")
    assert is_clean([(after, "go away."), (alone, "go away.")], split_insult) == [False, True]


def test_zero_candidates_means_one_attempt(parts: Parts) -> None:
    only, rewriter = with_rewriter(replace(parts, policy=Policy(candidates=0)), SOURCE)
    rewrite([Repair(SOURCE)], only)
    assert rewriter.calls == 1


def test_segments_marked_so_are_not_offered(parts: Parts) -> None:
    repair = Repair(SOURCE, rewritable=False)
    rewrite([repair], parts)
    assert repair.text is None
    assert repair.attempts == 0


def test_similarity_is_the_cosine(parts: Parts) -> None:
    assert similarities([("a b", "a b"), ("a b", "c d")], parts.encoder) == pytest.approx(
        [1.0, 0.0], abs=1e-6
    )
    assert similarities([], parts.encoder) == []


class Broken:
    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome  # type: ignore[return-value]  # wrong on purpose


@pytest.mark.parametrize("outcome", [RuntimeError("CANARY"), [], [[1]], [["a"], ["b"]]])
def test_a_rewriter_that_fails_gives_a_typed_error_without_the_text(outcome: object) -> None:
    with pytest.raises(RewriterError) as caught:
        propose(Broken(outcome), [RewriteRequest(text="CANARY")])
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None
