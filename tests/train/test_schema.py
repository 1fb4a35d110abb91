from __future__ import annotations

from pathlib import Path

import pytest

from cpguard.errors import ConfigError
from cpguard_train.data.schema import Anchor, read_anchors, write_anchors


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "anchors.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_anchors_come_back_as_they_were_written(tmp_path: Path) -> None:
    anchors = [
        Anchor(id="a", source="you idiot", positives=("you",), negatives=("you moron",)),
        Anchor(id="b", group="chat", positives=("naïve 😀",)),
    ]
    path = tmp_path / "anchors.jsonl"
    write_anchors(anchors, path)
    assert read_anchors(path) == anchors


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": "a", "positives": ["x"]}', "", "  ")
    assert [anchor.id for anchor in read_anchors(path)] == ["a"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2: line: Invalid JSON"),
        ('{"id": "b"}', "line 2: positives: Field required"),
        ('{"id": "b", "positives": []}', "line 2: positives: Tuple should have at least 1 item"),
        ('{"id": "b", "positives": ["secret"], "extra": 1}', "line 2: extra: Extra inputs"),
        ('{"id": "a", "positives": ["secret"]}', "line 2: the id 'a' occurs twice"),
    ],
)
def test_a_bad_line_is_named_without_its_text(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, '{"id": "a", "positives": ["x"]}', line)
    with pytest.raises(ConfigError) as caught:
        read_anchors(path)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_or_empty_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_anchors(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="has no anchors"):
        read_anchors(written(tmp_path, ""))
