from __future__ import annotations

from random import Random

import pytest

from cpguard_train.data.augment import attach, keeper, learn_case, natural, plain

CASE = {"iran": "Iran", "cnn": "CNN"}


def test_case_is_learnt_from_words_inside_sentences() -> None:
    texts = [
        "We saw Iran play.",
        "Is it Iran again?",
        "they left Iran",
        "Great work, great team",
        "Great. Great.",
    ]
    assert learn_case(texts, minimum=3) == {"iran": "Iran"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i think cnn lied , so what ? they always do .", "I think CNN lied, so what? They always do."),
        ("iran did n't say i 'm wrong !", "Iran didn't say I'm wrong!"),
        ("Already Cased , ok", "Already Cased, ok"),
        ("", ""),
    ],
)
def test_natural_text_has_spacing_and_capitals(text: str, expected: str) -> None:
    assert natural(text, CASE) == expected


def test_plain_text_is_lower_case_with_normal_spacing() -> None:
    assert plain("What the heck , Sam ?") == "what the heck, sam?"


def test_keepers_are_drawn_from_the_seed_and_attached_at_either_end() -> None:
    assert keeper(Random(3)) == keeper(Random(3))
    assert len({keeper(Random(seed)) for seed in range(60)}) > 10
    assert attach("text", "#7", at_end=True) == "text #7"
    assert attach("text", "#7", at_end=False) == "#7 text"
