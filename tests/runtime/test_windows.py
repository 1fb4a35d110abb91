from __future__ import annotations

import pytest

from cpguard.classifiers.windows import Window, batches, words_around


def cut(length, size, overlap):
    ids = list(range(length))
    return [list(w.ids) for w in Window.cut(3, ids, [(i, i + 1) for i in ids], size, overlap)]


def test_windows_overlap_and_cover_everything():
    assert cut(10, 4, 1) == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert cut(11, 4, 1)[-1] == [9, 10]


def test_a_short_text_is_one_window_and_an_empty_one_too():
    assert cut(4, 4, 1) == [[0, 1, 2, 3]]
    assert cut(0, 4, 1) == [[]]


def test_batches_hold_similar_lengths_within_the_budget():
    windows = [Window(0, [1] * n, [(0, 1)] * n) for n in (8, 1, 6, 2)]
    assert list(batches(windows, budget=16)) == [[1, 3], [2], [0]]


@pytest.mark.parametrize(
    ("text", "pieces", "words"),
    [
        ("you idiots!", [(4, 6)], ["idiots"]),
        ("'f*cking' great", [(1, 2)], ["f*cking"]),
        ("so, so dumb", [(7, 9), (9, 11)], ["dumb"]),
        ("a fool and a clown", [(13, 15), (2, 4)], ["fool", "clown"]),
        ("what?!", [(4, 5)], []),
        ("none", [], []),
        ("none", [(2, 2)], []),
    ],
)
def test_pieces_become_whole_words(text, pieces, words):
    assert [text[a:b] for a, b in words_around(text, pieces)] == words
