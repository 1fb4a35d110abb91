from __future__ import annotations

from collections import Counter

import pytest

from cpguard_train.data.splits import normalise, split_of


def test_case_spacing_and_punctuation_do_not_move_a_text():
    texts = ["You're late, again!", "you're  late again", "YOU'RE LATE , AGAIN !", "You\u2019re late again."]
    assert {normalise(text) for text in texts} == {"you re late again"}
    assert len({split_of(text, kind="paradetox") for text in texts}) == 1


def test_the_split_of_a_text_never_changes():
    # written once: a change here would put trained-on texts into the report split
    found = [split_of(f"sentence number {n}", kind="jigsaw_wiki") for n in range(12)]
    assert found == [
        "train",
        "train",
        "train",
        "train",
        "train",
        "train",
        "judge",
        "train",
        "train",
        "train",
        "train",
        "train",
    ]


@pytest.mark.parametrize(
    ("kind", "dev", "report", "judge"),
    [
        ("paradetox", 0.05, 0.05, 0.0),
        ("rtp", 0.2, 0.2, 0.0),
        ("jigsaw_wiki", 0.075, 0.075, 0.25 * 0.85),
        ("toxic_spans", 0.075, 0.075, 0.25 * 0.85),
        ("context_toxicity", 0.075, 0.075, 0.0),
    ],
)
def test_shares_are_as_documented(kind, dev, report, judge):
    counts = Counter(split_of(f"text {n}", kind=kind) for n in range(20_000))
    assert counts["dev"] / 20_000 == pytest.approx(dev, abs=0.01)
    assert counts["report"] / 20_000 == pytest.approx(report, abs=0.01)
    assert counts["judge"] / 20_000 == pytest.approx(judge, abs=0.01)


def test_no_text_is_dev_in_one_set_and_report_in_another():
    for n in range(5_000):
        found = {split_of(f"text {n}", kind=kind) for kind in ("paradetox", "jigsaw_wiki", "rtp")}
        assert not {"dev", "report"} <= found


@pytest.mark.parametrize("group", ["women", "muslim", "physical dis"])
def test_report_groups_are_never_trained_on(group):
    assert {split_of(f"text {n}", kind="safenlp", groups=(group, "latino")) for n in range(200)} == {"report"}


@pytest.mark.parametrize("group", ["latino", "jewish"])
def test_unseen_groups_are_dev_only(group):
    assert {split_of(f"text {n}", kind="safenlp", groups=(group, "black")) for n in range(200)} == {"dev"}


@pytest.mark.parametrize("kind", ["identity_clean", "human_ratings", "wikitext", "lambada"])
def test_evaluation_sets_are_report_as_a_whole(kind):
    assert {split_of(f"text {n}", kind=kind) for n in range(200)} == {"report"}


def test_edos_is_kept_for_judges():
    assert {split_of(f"text {n}", kind="edos") for n in range(200)} == {"judge"}


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="unknown data set 'nope'"):
        split_of("text", kind="nope")
