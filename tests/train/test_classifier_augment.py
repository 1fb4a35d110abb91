from __future__ import annotations

import random

import pytest

from cpguard_train.classifier.augment import (
    augmented,
    disguised,
    dotted,
    joined,
    leet,
    replaced,
    spaced,
    starred,
    stretched,
)
from cpguard_train.classifier.rows import UNKNOWN, Row, clean_row, toxic_row


@pytest.mark.parametrize(
    ("trick", "expected"),
    [
        (starred, "st*pid"),
        (leet, "stup1d"),
        (spaced, "s t u p i d"),
        (dotted, "s.t.u.p.i.d"),
        (stretched, "stupiiid"),
    ],
)
def test_tricks(trick, expected):
    assert trick("stupid") == expected


def test_replacing_a_word_moves_the_marks_after_it_and_grows_those_on_it():
    row = Row("you stupid idiot here", (1.0,) * 7, ((4, 10), (11, 16)), "s")
    row = replaced(row, 4, 10, "s t u p i d")
    assert [row.text[a:b] for a, b in row.spans or ()] == ["s t u p i d", "idiot"]


def test_a_toxic_row_is_respelled_only_in_a_toxic_word():
    row = toxic_row("nobody likes that idiot today", "s")
    for seed in range(20):
        words = disguised(row, random.Random(seed)).text
        assert words.startswith("nobody likes that ")
        assert words.endswith(" today")
        assert "idiot" not in words


def test_a_clean_row_is_respelled_too_so_that_spelling_is_no_sign():
    row = clean_row("a lovely day", "s")
    changed = disguised(row, random.Random(0))
    assert changed.text != row.text
    assert changed.labels == row.labels


def test_joined_texts_are_as_toxic_as_the_worse():
    toxic = Row("you idiot", (1.0, UNKNOWN, 1.0, 0.0, 0.0, 0.2, 0.0), ((4, 9),), "s")
    both = joined(clean_row("Good day.", "c"), toxic)
    assert both.text == "Good day. you idiot"
    assert both.labels == (1.0, UNKNOWN, 1.0, 0.0, 0.0, 0.2, 0.0)
    assert [both.text[a:b] for a, b in both.spans or ()] == ["idiot"]


def test_joining_to_an_unmarked_text_gives_an_unmarked_text():
    assert joined(clean_row("a", "c"), toxic_row("b", "s")).spans is None


def test_nothing_changes_with_zero_chances():
    row = toxic_row("you idiot", "s")
    assert augmented(row, [clean_row("x", "c")], random.Random(0), disguise=0.0, join=0.0) is row
