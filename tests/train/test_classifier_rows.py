from __future__ import annotations

import json
import random

import pytest

from cpguard.results import CATEGORIES
from cpguard_train.classifier.rows import (
    CLEAN,
    UNKNOWN,
    Row,
    clean_hard_texts,
    clean_row,
    cut,
    deleted_spans,
    load_rows,
    sampled,
    sharpen,
    toxic_row,
)
from cpguard_train.classifier.weak import toxic_words, weak_labels
from cpguard_train.data.sources import PROVENANCE, RTP_CATEGORIES


def named(row: Row) -> dict[str, float]:
    return dict(zip(CATEGORIES, row.labels, strict=True))


def test_a_clean_row_is_zero_everywhere_and_has_no_toxic_token():
    assert clean_row("fine", "x").labels == (0.0,) * 7
    assert clean_row("fine", "x").spans == ()


def test_a_toxic_row_masks_what_nobody_labelled():
    labels = named(toxic_row("go back to where they came from and burn", "x"))
    assert labels["toxicity"] == 1.0
    assert labels["severe_toxicity"] == UNKNOWN
    assert labels["identity_attack"] == UNKNOWN
    assert labels["threat"] == UNKNOWN  # a word of violence, but no threat for sure


def test_known_labels_win_over_weak_ones():
    labels = named(toxic_row("you idiot", "x", identity_attack=1.0))
    assert labels["identity_attack"] == 1.0
    assert labels["insult"] == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "this is fucking stupid",
            {"profanity": 1.0, "threat": 0.0, "identity_attack": 0.0},
        ),
        ("I will kill you", {"profanity": 0.0, "threat": 1.0, "sexually_explicit": 0.0}),
        (
            "you are an idiot",
            {
                "profanity": 0.0,
                "insult": 1.0,
                "threat": 0.0,
                "sexually_explicit": 0.0,
                "identity_attack": 0.0,
            },
        ),
        ("what a f*** day", {"threat": 0.0, "sexually_explicit": 0.0}),
        ("pass the class", {"profanity": 0.0, "threat": 0.0, "sexually_explicit": 0.0}),
    ],
)
def test_weak_labels_say_only_what_the_words_tell(text, expected):
    assert weak_labels(text) == expected


def test_toxic_words_are_found_in_order():
    text = "Damn, what an IDIOT"
    assert [text[a:b] for a, b in toxic_words(text)] == ["Damn", "IDIOT"]


def test_sharpen_leaves_the_middle_and_pushes_the_rest_out():
    assert sharpen(0.5) == 0.5
    assert sharpen(0.1) == pytest.approx(0.01 / 0.82)
    assert sharpen(0.9) == pytest.approx(0.81 / 0.82)


def test_the_words_a_rewrite_deletes_are_toxic_spans():
    source = "this is a fucking good day , you idiot"
    spans = deleted_spans(source, "This is a good day.")
    assert spans is None  # the full stop is not in the source: more than a deletion
    spans = deleted_spans(source, "This is a good day")
    assert [source[a:b] for a, b in spans or ()] == ["fucking", "you", "idiot"]


def test_a_rewrite_that_deletes_most_of_the_text_marks_nothing():
    assert deleted_spans("you are a big idiot", "you") is None


def test_sampled_takes_each_set_as_often_as_its_share():
    rows = [clean_row(str(n), "a") for n in range(400)] + [clean_row(str(n), "b") for n in range(400)]
    taken = sampled(rows, {"a": 2.0, "b": 0.25}, random.Random(0))
    assert sum(row.source == "a" for row in taken) == 800
    assert 60 <= sum(row.source == "b" for row in taken) <= 140


def test_cut_keeps_the_first_marked_stretch_and_moves_it_along():
    text = "word " * 50 + "idiot " + "word " * 50
    row = cut(Row(text, toxic_row("x", "s").labels, ((250, 255),), "s"), 100, random.Random(0))
    assert len(row.text) <= 100
    assert [row.text[a:b] for a, b in row.spans or ()] == ["idiot"]


def test_cut_starts_and_ends_at_spaces():
    row = cut(clean_row("word " * 100, "s"), 52, random.Random(1))
    assert set(row.text.split()) == {"word"}
    assert row.labels == CLEAN


def test_cut_leaves_short_rows_alone():
    row = clean_row("short", "s")
    assert cut(row, 5, random.Random(0)) is row


def test_the_bundled_clean_sentences_are_all_there():
    assert len(clean_hard_texts()) >= 500
    assert all(text.strip() for text in clean_hard_texts())


def test_training_never_sees_the_groups_that_are_held_out(tmp_path, monkeypatch):
    monkeypatch.setenv("CPGUARD_DATA", str(tmp_path))
    groups = ["women", "muslim", "physical dis", "latino", "jewish", "asian"]
    rows = [
        {"text": f"sentence {n} on {group}", "label": "hate", "target_groups": [group]}
        for group in groups
        for n in range(30)
    ]
    contents = {
        "safenlp": json.dumps(rows),
        "paradetox": "toxic\tneutral1\n",
        "jigsaw_wiki": "fine,0\n",
        "toxic_spans": "spans,text\n",
        "context_toxicity": "id,text,label\n",
        "rtp": json.dumps(
            {k: {"text": k, **dict.fromkeys(RTP_CATEGORIES, 0.1)} for k in ("prompt", "continuation")}
        ),
    }
    for name, content in contents.items():
        path = tmp_path / PROVENANCE[name].path
        path.parent.mkdir()
        path.write_text(content, encoding="utf-8")
    seen = {row.text.rsplit(" on ", 1)[1] for row in load_rows("train") if row.source == "safenlp"}
    assert seen == {"asian"}
