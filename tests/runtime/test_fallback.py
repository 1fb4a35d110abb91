from __future__ import annotations

from dataclasses import replace

import pytest

from cpguard.fallback import chain, fall_back, mask
from cpguard.policy import Policy
from cpguard.repair import Parts, Repair
from cpguard.results import TextSpan
from cpguard.testing import FakeClassifier


def test_spans_are_replaced_by_the_symbol() -> None:
    spans = [TextSpan(start=0, end=3), TextSpan(start=8, end=9)]
    assert mask("abc def g!", spans, "***") == "*** def ***!"
    assert mask("abc", [], "***") == "abc"


@pytest.mark.parametrize(
    ("action", "steps"),
    [
        ("rewrite", ("mask", "drop", "block")),
        ("mask", ("mask", "drop", "block")),
        ("drop", ("drop",)),
        ("block", ("block",)),
        ("raise", ("block",)),
    ],
)
def test_the_chain_of_each_action(action: str, steps: tuple[str, ...]) -> None:
    assert chain(action, Policy()) == steps  # type: ignore[arg-type]  # a literal


def test_toxic_words_are_masked_when_that_makes_it_clean(parts: Parts) -> None:
    repair = Repair("You idiot, go home.")
    fall_back([repair], parts)
    assert (repair.text, repair.action) == ("You ***, go home.", "mask")


def test_what_is_still_toxic_when_masked_is_dropped(parts: Parts) -> None:
    stricter = replace(parts, classifier=FakeClassifier(["idiot", "home"]))
    repair = Repair("You idiot, go home.")
    fall_back([repair], stricter)
    assert (repair.text, repair.action) == ("", "drop")


def test_a_segment_without_a_toxic_word_is_not_released_as_masked(parts: Parts) -> None:
    repair = Repair("Nothing in here to mask.")
    fall_back([repair], parts)
    assert repair.action == "drop"


def test_the_policy_may_go_straight_to_the_block_message(parts: Parts) -> None:
    policy = Policy(fallback=("block",), block_message="(removed)")
    repair = Repair("You idiot.")
    fall_back([repair], replace(parts, policy=policy))
    assert (repair.text, repair.action) == ("(removed)", "block")


def test_repaired_segments_are_left_alone(parts: Parts) -> None:
    repair = Repair("You idiot.", text="You.")
    fall_back([repair], parts)
    assert (repair.text, repair.action) == ("You.", "rewrite")
