from __future__ import annotations

import json

import pytest

from cpguard.errors import ConfigError
from cpguard_train.data import sources
from cpguard_train.data.sources import PROVENANCE, detokenise


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("CPGUARD_DATA", str(tmp_path))

    def write(name, text):
        path = tmp_path / PROVENANCE[name].path
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write


def test_an_unset_variable_is_named(monkeypatch):
    monkeypatch.delenv("CPGUARD_DATA", raising=False)
    with pytest.raises(ConfigError, match="CPGUARD_DATA is not set"):
        sources.load_paradetox()


def test_a_missing_file_is_named_with_its_origin(monkeypatch, tmp_path):
    monkeypatch.setenv("CPGUARD_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match=r"toxiGen\.json, from microsoft/SafeNLP"):
        sources.load_safenlp()


def test_paradetox_drops_rewrites_that_equal_the_source_and_sources_without_any(data):
    data(
        "paradetox",
        "toxic\tneutral1\tneutral2\tneutral3\nyou fool\tyou fool\tyou\tyou\nso dumb\tso dumb\t\t\n",
    )
    assert sources.load_paradetox() == [sources.ParaDetoxRow("you fool", ("you",))]


def test_paradetox_reads_quoted_cells_over_two_lines(data):
    data("paradetox", 'toxic\tneutral1\tneutral2\tneutral3\nshut up , ok ?\t"Quiet,\nok?"\t\t\n')
    assert sources.load_paradetox() == [sources.ParaDetoxRow("shut up , ok ?", ("Quiet, ok?",))]


def test_safenlp_drops_spreadsheet_escapes_and_duplicates(data):
    row = {"id": 1, "text": " good_x000D_\nday ", "label": "neutral", "target_groups": ["asian", "asian"]}
    data("safenlp", json.dumps([row, row | {"label": "hate"}]))
    assert sources.load_safenlp() == [sources.SafeNlpRow("good day", False, ("asian",))]


def test_toxic_spans_become_stretches_without_space_at_their_ends(data):
    data(
        "toxic_spans",
        'spans,text\n"[0, 1, 2, 3, 4, 9, 10, 11, 12]",Damn it, you fool\n'.replace(", you", " you"),
    )
    (row,) = sources.load_toxic_spans()
    assert [row.text[a:b] for a, b in row.spans] == ["Damn", "ou f"]


def test_rtp_rows_without_scores_are_kept_but_marked(data):
    scores = dict.fromkeys(sources.RTP_CATEGORIES, 0.25)
    row = {"prompt": {"text": "a", **scores}, "continuation": {"text": " b", **scores, "threat": None}}
    data("rtp", json.dumps(row) + "\n")
    (pair,) = sources.load_rtp()
    assert pair.prompt.scores == scores
    assert pair.continuation.scores is None


def test_wikitext_skips_headings_and_is_detokenised(data):
    data("wikitext", " \n = Title = \n A well @-@ known bird , in 1 @,@ 200 trees . \n")
    assert sources.load_wikitext() == ["A well-known bird, in 1,200 trees."]


@pytest.mark.parametrize(
    ("tokenised", "natural"),
    [
        ("don 't go , ok ?", "don't go, ok?"),
        ("( see this ) !", "(see this)!"),
        ('he said " yes " twice', 'he said "yes" twice'),
        ("plain", "plain"),
    ],
)
def test_detokenise(tokenised, natural):
    assert detokenise(tokenised) == natural


def test_every_set_names_licence_and_checksum():
    for name, item in PROVENANCE.items():
        assert item.licence, name
        assert len(item.sha256) == 64, name
