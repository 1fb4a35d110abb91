from __future__ import annotations

from collections.abc import Sequence

import pytest

from cpguard.errors import ClassifierError
from cpguard.judge import CLEAN, classify, highest, judge, preceding, verdict_of
from cpguard.policy import Policy
from cpguard.results import Scores
from cpguard.testing import FakeClassifier


class Table:
    """Scores texts by a table; what is not in it is clean."""

    def __init__(self, table: dict[str, float]) -> None:
        self.table = table
        self.asked: list[list[str]] = []

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        self.asked.append(list(texts))
        return [Scores(toxicity=self.table.get(text, 0.0)) for text in texts]


def test_clean_texts_take_one_classifier_call() -> None:
    classifier = FakeClassifier()
    judged = judge(["All fine. Really.", "Good day."], classifier, Policy())
    assert classifier.calls == 1
    assert [len(found) for found in judged] == [2, 1]
    assert not any(item.verdict.flagged for found in judged for item in found)


def test_the_flagged_sentence_is_found_with_its_offsets() -> None:
    (found,) = judge(["All fine. You idiot! Bye."], FakeClassifier(), Policy())
    assert [(item.verdict.start, item.verdict.end, item.verdict.flagged) for item in found] == [
        (0, 10, False),
        (10, 21, True),
        (21, 25, False),
    ]


def test_a_doubtful_segment_is_judged_with_the_text_before_it() -> None:
    table = Table({"They should go.": 0.3, "I know who. They should go.": 0.9})
    (found,) = judge(["I know who. They should go. Yes."], table, Policy())
    assert [item.verdict.scores.toxicity for item in found] == [0.0, 0.9, 0.0]
    assert table.asked == [["I know who.", "They should go.", "Yes."], ["I know who. They should go."]]


def test_a_segment_is_never_judged_with_text_after_it() -> None:
    table = Table({"First one. Second one.": 0.9, "Second one. Third one.": 0.9})
    judge(["First one. Second one. Third one."], table, Policy())
    assert table.asked == [["First one.", "Second one.", "Third one."]]


def test_flagged_text_is_no_context() -> None:
    table = Table({"Bad one.": 0.9, "So be it.": 0.3, "Bad one. So be it.": 0.9})
    (found,) = judge(["Bad one. So be it."], table, Policy())
    assert [item.verdict.flagged for item in found] == [True, False]
    assert found[1].context == ""


def test_context_is_bounded_and_cut_at_a_word() -> None:
    assert preceding("one two three", 8, 6) == "two "
    assert preceding("one two", 4, 100) == "one "
    assert preceding("one", 3, 0) == ""


def test_thresholds_are_inclusive_and_a_category() -> None:
    table = Table({"A.": 0.5, "B.": 0.49})
    found = judge(["A.", "B."], table, Policy())
    assert [item.verdict.flagged for (item,) in found] == [True, False]
    strict = Policy(thresholds={"toxicity": 0.4})
    assert judge(["B."], table, strict)[0][0].verdict.categories == ("toxicity",)


def test_blank_texts_are_clean_and_not_asked_about() -> None:
    classifier = FakeClassifier()
    assert classify(classifier, ["", " \n"]) == [CLEAN, CLEAN]
    assert classifier.calls == 0


def test_highest_takes_each_category_and_leaves_what_no_one_computed() -> None:
    assert highest([Scores(toxicity=0.2, insult=0.4), Scores(toxicity=0.3)]) == Scores(
        toxicity=0.3, insult=0.4
    )


def test_the_verdict_on_no_text_is_clean() -> None:
    assert not verdict_of([]).flagged


class Broken:
    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome  # type: ignore[return-value]  # wrong on purpose


@pytest.mark.parametrize("outcome", [ValueError("CANARY"), [], [0.5], [Scores(toxicity=0.1)] * 2])
def test_a_classifier_that_fails_gives_a_typed_error_without_the_text(outcome: object) -> None:
    with pytest.raises(ClassifierError) as caught:
        classify(Broken(outcome), ["CANARY"])
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
