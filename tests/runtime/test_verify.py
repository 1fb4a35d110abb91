from __future__ import annotations

import pytest

from cpguard.verify import broken_rule, is_copy, names

RATIO = (0.25, 1.8)


@pytest.mark.parametrize(
    ("source", "candidate", "rule"),
    [
        ("You idiot.", "  ", "empty"),
        ("You idiot, stop it.", "you idiot - STOP it!", "copy"),
        ("You idiot.", "Hello <|im_end|>", "markup"),
        ("You idiot.", "assistant\nHello there", "markup"),
        ("Fix this crap.", "I'm sorry, but I can't help with that.", "meta"),
        ("Fix this crap.", "Here is a polite version: fix this.", "meta"),
        ("Fix this crap.", "Sure! Fix this.", "meta"),
        ("This is a really long and stupid complaint about the printer.", "A printer.", "length"),
        ("Fix it, moron.", "Please fix it. " * 6, "length"),
        ("Read http://a.example/x you fool.", "Please read it, thank you.", "url"),
        ("Mail bob@a.example, dumbass.", "Mail rob@a.example, please.", "email"),
        ("@ann your idea is crap.", "Your idea is poor.", "mention"),
        ("Your `foo()` is garbage.", "Your `bar()` is poor.", "code"),
        ("The damn fee is $3.50.", "The fee is $4.50.", "number"),
        ("The damn fee is high.", "The fee is 3 times too high.", "number"),
        ("I told Anna it is shit.", "I told her it is bad.", "name"),
        ("Don't touch my damn car.", "Touch my car, please.", "negation"),
        ("They should be punished, the bastards.", "They should not be punished.", "negation"),
    ],
)
def test_a_candidate_that_breaks_a_rule_is_named_by_it(source: str, candidate: str, rule: str) -> None:
    assert broken_rule(source, candidate, length_ratio=RATIO) == rule


@pytest.mark.parametrize(
    ("source", "candidate"),
    [
        ("You are stupid.", "You are not very smart."),
        ("You idiot, it starts at 3 pm.", "You don't understand, it starts at 3 pm."),
        ("Read http://a.example/x, you fool.", "Please read http://a.example/x."),
        ("Mail bob@a.example by 3:30 pm on 4/5, dumbass.", "Mail bob@a.example by 3:30 pm on 4/5."),
        ("I told Anna it is shit.", "Anna heard from me that it is bad."),
        ("Don't touch my damn car.", "Do not touch my car."),
        ("Never do that crap.", "Don't do that."),
        ("I'm sorry you are such a moron.", "I'm sorry you are so mistaken."),
        ("YOU ARE ALL IDIOTS.", "You are all wrong."),
        ("Nice work, idiot.", "Nice work."),
        ("i can 't find the damn thing", "I can't find it."),
    ],
)
def test_a_faithful_candidate_breaks_no_rule(source: str, candidate: str) -> None:
    assert broken_rule(source, candidate, length_ratio=RATIO) is None


def test_a_toxic_word_that_looks_like_a_name_need_not_be_kept() -> None:
    assert broken_rule("You are an Idiot.", "You are wrong.", length_ratio=RATIO) == "name"
    assert (
        broken_rule("You are an Idiot.", "You are wrong.", length_ratio=RATIO, toxic_words=["Idiot"]) is None
    )


def test_copies_differ_in_nothing_but_case_space_and_punctuation() -> None:
    assert is_copy("You idiot!", "you  IDIOT")
    assert not is_copy("You idiot!", "You!")


def test_names_are_capitalised_words_inside_sentences() -> None:
    assert dict(names("Yesterday Anna met Jean-Luc for lunch in Paris. Then she left the town.")) == {
        "anna": 1,
        "jean-luc": 1,
        "paris": 1,
    }
    assert not names("ALL CAPS AND SHOUTING HERE")
