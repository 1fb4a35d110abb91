from __future__ import annotations

from pathlib import Path

import pytest

from cpguard.errors import ConfigError
from cpguard_train.data.paradetox import clean_rewrites, is_deletion, paradetox_anchors
from cpguard_train.data.sources import ParaDetoxRow
from cpguard_train.data.splits import split_of

HEADER = "toxic\tneutral1\tneutral2\tneutral3"


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Forty rows of our own in the corpus's format; returns their sources."""
    sources = [f"what a damn mess number {n} is , people" for n in range(40)]
    rows = [f"{s}\t{s.replace('damn ', 'Big ')}\t{s.replace('damn ', '')}\t{s}" for s in sources]
    folder = tmp_path / "paradetox"
    folder.mkdir()
    (folder / "paradetox.tsv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    monkeypatch.setenv("CPGUARD_DATA", str(tmp_path))
    return sources


def test_rewrites_that_copy_keep_toxic_words_or_lose_the_text_are_dropped() -> None:
    row = ParaDetoxRow(
        "you damn fool , go home now please",
        (
            "You damn fool, go home now, please!",
            "damn , go home now",
            "go",
            "go home now please",
            "Please go home",
        ),
    )
    assert clean_rewrites(row, frozenset({"damn", "fool"})) == ["go home now please", "Please go home"]


def test_rewording_comes_before_deleting() -> None:
    row = ParaDetoxRow("the damn bus is late", ("the bus is late", "the bus is delayed"))
    assert clean_rewrites(row, frozenset({"damn"})) == ["the bus is delayed", "the bus is late"]
    assert is_deletion("the damn bus is late", "The bus is late.")
    assert not is_deletion("the damn bus is late", "the bus is delayed")


def test_anchors_are_of_the_split_contrast_with_the_source_and_repeat_exactly(corpus: list[str]) -> None:
    anchors = paradetox_anchors(7)
    train = {s for s in corpus if split_of(s, kind="paradetox") == "train"}
    assert {anchor.id.split("-")[1] for anchor in anchors} == {str(n) for n in range(len(train))}
    for anchor in anchors:
        assert anchor.source is not None
        assert anchor.source in anchor.negatives
        assert not set(anchor.positives) & set(anchor.negatives)
        assert not any("damn" in text.lower() for text in anchor.positives)
        assert any("damn" not in text.lower() for text in anchor.negatives)
    assert anchors == paradetox_anchors(7)
    assert anchors != paradetox_anchors(8)


def test_rows_with_a_rewording_come_twice(corpus: list[str]) -> None:
    ids = [anchor.id for anchor in paradetox_anchors(7)]
    assert "paradetox-0-0" in ids
    assert "paradetox-0-1" in ids


def test_without_the_data_folder_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CPGUARD_DATA", raising=False)
    with pytest.raises(ConfigError, match="export CPGUARD_DATA"):
        paradetox_anchors(1)
