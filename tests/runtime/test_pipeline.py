from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpguard.errors import BaseModelMissingError, ClassifierError, RewriterError
from cpguard.pipeline import REWRITE_LIMIT, Pipeline
from cpguard.policy import Policy
from cpguard.protocols import RewriteRequest
from cpguard.repair import Parts
from cpguard.results import GuardResult, Scores
from cpguard.testing import FakeClassifier, FakeRewriter

TEXT = "Thanks for asking.  You idiot, the build broke on Monday. See the log."


def run(parts: Parts, text: str, **settings: Any) -> GuardResult:
    policy = settings.pop("policy", parts.policy)
    (result,) = Pipeline(replace(parts, policy=policy), **settings).run([text])
    return result


def test_only_the_flagged_sentence_changes_and_the_rest_is_byte_identical(parts: Parts) -> None:
    result = run(parts, TEXT)
    assert result.text == "Thanks for asking.  The build broke on Monday. See the log."
    assert [segment.action for segment in result.segments] == ["allow", "rewrite", "allow"]
    assert (result.changed, result.action, result.categories, result.alert) == (
        True,
        "rewrite",
        ("toxicity",),
        False,
    )


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_unflagged_text_passes_byte_for_byte(text: str) -> None:
    class Never:
        def classify(self, texts: Sequence[str]) -> list[Scores]:
            return [Scores(toxicity=0.0) for _ in texts]

    parts = Parts(Never(), FakeRewriter({}), None, Policy())  # type: ignore[arg-type]  # no encoder is needed
    (result,) = Pipeline(parts).run([text])
    assert result.text == text
    assert not result.changed


def test_several_texts_take_one_classifier_call_to_judge(parts: Parts, classifier: FakeClassifier) -> None:
    Pipeline(parts).run(["All fine.", "Good day. Bye.", ""])
    assert classifier.calls == 1


def test_an_empty_batch_is_an_empty_result(parts: Parts) -> None:
    assert Pipeline(parts).run([]) == []


def test_monitor_mode_says_what_it_would_do_and_changes_nothing(parts: Parts) -> None:
    result = run(parts, TEXT, policy=Policy(mode="monitor"))
    assert (result.text, result.changed, result.action) == (TEXT, False, "rewrite")


def test_a_threat_is_rewritten_and_raises_the_alert(parts: Parts) -> None:
    threatening = replace(parts, classifier=FakeClassifier(["idiot"], category="threat"))
    assert run(threatening, TEXT).alert


def test_code_is_never_given_to_the_rewriter(parts: Parts, rewriter: FakeRewriter) -> None:
    result = run(parts, "```\nstupid = 1\n```")
    assert rewriter.calls == 0
    assert result.text == "```\n*** = 1\n```"


def test_a_dropped_sentence_leaves_the_others_as_they_were(parts: Parts) -> None:
    assert run(parts, "One. You idiot! Two.", policy=Policy(actions={"toxicity": "drop"})).text == "One. Two."


def test_nothing_follows_a_blocked_segment(parts: Parts) -> None:
    policy = Policy(actions={"toxicity": "block"}, block_message="(removed)")
    result = run(parts, "One. You idiot! Two.", policy=policy)
    assert (result.text, result.action) == ("One. (removed)", "block")


def test_a_text_of_which_nothing_is_left_becomes_the_block_message(parts: Parts) -> None:
    policy = Policy(actions={"toxicity": "drop"}, block_message="(removed)")
    assert run(parts, "You idiot!", policy=policy).text == "(removed)"


def test_raise_gives_an_error_whose_result_holds_no_flagged_text(parts: Parts) -> None:
    pipeline = Pipeline(replace(parts, policy=Policy(actions={"toxicity": "raise"})))
    (result,) = pipeline.run(["You idiot!"])
    error = pipeline.blocked(result)
    assert error is not None
    assert "idiot" not in f"{error} {error.result!r} {error.result.text}"


def test_every_sentence_is_offered_when_asked_and_clean_ones_survive_bad_rewrites(parts: Parts) -> None:
    rewriter = FakeRewriter(lambda text: "Something else entirely.")
    result = run(replace(parts, rewriter=rewriter), "All is well. Good.", only_flagged=False)
    assert (result.text, result.changed) == ("All is well. Good.", False)
    assert len(rewriter.requests) == 4  # two sentences, greedy and sampled


def test_more_flagged_sentences_than_the_limit_are_masked(parts: Parts, rewriter: FakeRewriter) -> None:
    result = run(parts, "That is a stupid thing to say. " * (REWRITE_LIMIT + 2))
    actions = [segment.action for segment in result.segments]
    assert actions == ["rewrite"] * REWRITE_LIMIT + ["mask"] * 2
    assert "stupid" not in result.text


class BrokenClassifier:
    def classify(self, texts: Sequence[str]) -> list[Scores]:
        raise RuntimeError("CANARY")


class BrokenRewriter:
    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        raise RuntimeError("CANARY")


class Unpulled:
    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        raise BaseModelMissingError("not pulled; run: cpguard models pull")


def test_a_failing_classifier_blocks_by_default(parts: Parts) -> None:
    result = run(replace(parts, classifier=BrokenClassifier()), "CANARY text.")
    assert (result.text, result.action, result.changed) == ("[removed]", "block", True)
    assert result.error is not None
    assert result.error.startswith("ClassifierError")
    assert "CANARY" not in result.error


def test_a_failing_classifier_raises_or_passes_when_told_to(parts: Parts) -> None:
    broken = replace(parts, classifier=BrokenClassifier())
    with pytest.raises(ClassifierError):
        run(broken, "A text.", on_error="raise")
    passed = run(broken, "A text.", on_error="pass")
    assert (passed.text, passed.changed) == ("A text.", False)
    assert passed.error is not None


@pytest.mark.parametrize("on_error", ["block", "pass"])
def test_a_failing_rewriter_leaves_the_fallback_chain(parts: Parts, on_error: str) -> None:
    result = run(replace(parts, rewriter=BrokenRewriter()), "Hi. You idiot!", on_error=on_error)
    assert result.text == "Hi. You ***!"
    assert result.error is not None
    assert "RewriterError" in result.error


def test_a_failing_rewriter_raises_when_told_to(parts: Parts) -> None:
    with pytest.raises(RewriterError):
        run(replace(parts, rewriter=BrokenRewriter()), "You idiot!", on_error="raise")


def test_an_unpulled_base_model_names_the_mend_and_falls_back(parts: Parts) -> None:
    result = run(replace(parts, rewriter=Unpulled()), "You idiot!")
    assert result.text == "You ***!"
    assert result.error == "BaseModelMissingError: not pulled; run: cpguard models pull"


def test_the_result_shows_no_text_in_its_repr(parts: Parts) -> None:
    assert "Monday" not in repr(run(parts, TEXT))
