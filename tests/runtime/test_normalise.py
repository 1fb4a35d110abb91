from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpguard.classifiers.normalise import normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text\x00", "plain text\x00"),
        ("st\u200bup\u00adid", "stupid"),
        ("\u202eidiot\u202c", "idiot"),
        ("ｉｄｉｏｔ", "idiot"),
        ("𝐢𝐝𝐢𝐨𝐭", "idiot"),
        ("idi\u043et", "idiot"),  # a Cyrillic o
        ("\u0438\u0434\u0438\u043e\u0442", "\u0438\u0434\u0438\u043e\u0442"),  # a Russian word stays Russian
        ("bad \ud800 text", "bad \ufffd text"),
        ("ﬁne", "fine"),
        ("❤️", "❤"),
    ],
)
def test_disguises_are_undone(text, expected):
    assert normalise(text).text == expected


def test_places_lead_back_to_the_original():
    text = "😀 you st\u200bup\u200bid ﬁsh"
    found = normalise(text)
    start = found.text.index("stupid")
    assert text[slice(*found.original(start, start + 6))] == "st\u200bup\u200bid"
    start = found.text.index("fish")
    assert text[slice(*found.original(start, start + 4))] == "ﬁsh"


@given(st.text(alphabet=st.characters(), max_size=40))
def test_any_text_has_a_way_back_inside_its_bounds(text):
    found = normalise(text)
    for index in range(len(found.text)):
        start, end = found.original(index, index + 1)
        assert 0 <= start < end <= len(text)
