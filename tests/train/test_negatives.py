from __future__ import annotations

from random import Random

import pytest

from cpguard_train.data.negatives import (
    cut_stretch,
    flip_negation,
    learn_toxic_words,
    lose_meaning,
    put_back,
    removed_words,
    swap_entity,
    truncate,
)

TOXIC = frozenset({"stupid", "damn", "idiot"})


def test_removed_words_ignore_case_and_punctuation_and_count_repeats() -> None:
    assert removed_words("No, no, you idiot!", "no, you.") == ["no,", "idiot!"]


def test_toxic_words_are_those_that_people_take_out() -> None:
    pairs = [("this damn bus is late", ["this bus is late"])] * 8 + [("a good bus", ["a fine bus"])] * 3
    assert learn_toxic_words(pairs, minimum=8) == {"damn"}


def test_one_removed_word_is_put_back_where_it_was() -> None:
    source = "you idiot this damn bus is late"
    candidates = {put_back(source, "this bus is late", TOXIC, Random(seed)) for seed in range(8)}
    assert candidates == {"you idiot this bus is late", "this damn bus is late"}


def test_if_that_were_the_source_another_toxic_word_stands_in() -> None:
    found = put_back("this damn bus is late", "this bus is late", TOXIC, Random(0))
    assert found in {"this stupid bus is late", "this idiot bus is late"}


def test_nothing_toxic_removed_gives_nothing_to_put_back() -> None:
    assert put_back("the bus is late", "the bus was late", TOXIC, Random(0)) is None


def test_a_cut_leaves_both_ends_and_loses_a_stretch() -> None:
    text = "one two three four five six seven eight"
    cut = cut_stretch(text, Random(1))
    assert cut is not None
    words, kept = text.split(), cut.split()
    lost = len(words) - len(kept)
    assert 2 <= lost <= 4
    assert any(words[:i] + words[i + lost :] == kept for i in range(len(kept) + 1))


def test_a_truncated_text_is_a_prefix() -> None:
    text = "one two three four five six seven eight nine"
    short = truncate(text, Random(2))
    assert short is not None
    assert text.startswith(short)
    assert len(short) < len(text)


@pytest.mark.parametrize(
    ("text", "flipped"),
    [
        ("It should not be allowed.", "It should be allowed."),
        ("They aren't here.", "They are here."),
        ("I can't go.", "I can go."),
        ("I won't go.", "I will go."),
        ("He never calls.", "He always calls."),
        ("It is a good plan.", "It is not a good plan."),
        ("Nobody knows.", "everyone knows."),
        ("Good plan.", None),
    ],
)
def test_negation_is_flipped(text: str, flipped: str | None) -> None:
    assert flip_negation(text, Random(0)) == flipped


def test_a_number_or_a_name_is_swapped() -> None:
    changed = swap_entity("The meeting is at 3 today.", Random(0))
    assert changed is not None
    assert "at 3 today" not in changed
    assert changed.startswith("The meeting is at ")
    assert "Berlin" not in (swap_entity("We met in Berlin last year.", Random(0)) or "Berlin")
    assert swap_entity("nothing to swap here", Random(0)) is None


def test_lost_meaning_is_never_the_text_itself() -> None:
    for seed in range(40):
        assert lose_meaning("The 2 of us should not meet in Paris on Monday.", Random(seed)) not in {
            None,
            "The 2 of us should not meet in Paris on Monday.",
        }
    assert lose_meaning("ok", Random(0)) is None
