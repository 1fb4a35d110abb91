from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpguard.segment import MAX_CHARS, Segment, split


def pieces(text: str) -> list[tuple[str, str]]:
    return [(segment.kind, text[segment.start : segment.end]) for segment in split(text)]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("abA .!?\n\r\t\"'()[]{}:`~*-1é😀\ud800\u200b/")))
def test_segments_cover_any_text_without_gaps_or_blank_segments(text: str) -> None:
    segments = split(text)
    assert "".join(text[s.start : s.end] for s in segments) == text
    assert [s.end for s in segments[:-1]] == [s.start for s in segments[1:]]
    assert all(text[s.start : s.end].strip() for s in segments) or not text.strip()


def test_sentences_keep_the_white_space_after_them() -> None:
    assert pieces("Hello Mr. Smith.  How are you?\n\nFine!") == [
        ("prose", "Hello Mr. Smith.  "),
        ("prose", "How are you?\n\n"),
        ("prose", "Fine!"),
    ]


def test_fenced_code_is_one_segment_even_with_sentences_in_it() -> None:
    assert pieces("Try this.\n```python\nkill(x). Stop!\n```\nDone.") == [
        ("prose", "Try this.\n"),
        ("code", "```python\nkill(x). Stop!\n```\n"),
        ("prose", "Done."),
    ]


def test_a_fence_that_never_closes_is_code_to_the_end() -> None:
    assert pieces("Look.\n~~~\na. b. c") == [("prose", "Look.\n"), ("code", "~~~\na. b. c")]


def test_a_json_value_is_one_segment() -> None:
    assert pieces('{"a": "One. Two. Three."}') == [("json", '{"a": "One. Two. Three."}')]
    assert pieces('See:\n[1, {"b": "x. y"}]\nOk.')[1] == ("json", '[1, {"b": "x. y"}]\n')


@pytest.mark.parametrize("text", ["{not json} at all.", "[1] as a citation.", "{}", "[" * 5000])
def test_what_only_looks_like_json_is_prose(text: str) -> None:
    assert {kind for kind, _ in pieces(text)} == {"prose"}


def test_no_boundary_falls_inside_a_url_or_inline_code() -> None:
    assert len(pieces("Go to http://a.example/b.c?d=e.f now. Then rest.")) == 2
    assert len(pieces("Call `a. B. C` now.")) == 1


def test_a_line_that_is_a_url_is_no_prose() -> None:
    assert pieces("See\nhttps://a.example/x\n")[-1] == ("url", "https://a.example/x\n")


def test_hard_wrapped_lines_are_one_sentence_and_list_items_are_not() -> None:
    assert pieces("This line is\nwrapped here.") == [("prose", "This line is\nwrapped here.")]
    assert len(pieces("- Item one\n- Item two\n")) == 2


def test_long_sentences_are_cut_at_white_space() -> None:
    text = "word " * 400
    assert all(0 < s.end - s.start <= MAX_CHARS and text[s.end - 1] == " " for s in split(text))
    assert split("x" * 1500) == [Segment(0, 600), Segment(600, 1200), Segment(1200, 1500)]


def test_a_very_long_line_is_cut_between_sentences() -> None:
    text = "This is a sentence of some length, and it ends here. " * 200
    assert {text[s.start : s.end] for s in split(text)} == {
        "This is a sentence of some length, and it ends here. "
    }


def test_empty_has_no_segments_and_blank_has_one() -> None:
    assert split("") == []
    assert split(" \n\n ") == [Segment(0, 4)]
