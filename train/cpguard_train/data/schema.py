"""One training record, the anchor, and its JSONL reader."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cpguard.errors import ConfigError


class Anchor(BaseModel):
    """What one contrast is made of.

    Attributes:
        id: Unique name within a file.
        group: Subset it belongs to, for reporting.
        source: The text to rewrite. With it phi is conditional on the prompt; without it, on nothing.
        positives: Texts to make likely: clean, same meaning.
        negatives: Texts to make unlikely.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    group: str | None = None
    source: str | None = Field(default=None, min_length=1, repr=False)
    positives: tuple[str, ...] = Field(min_length=1, repr=False)
    negatives: tuple[str, ...] = Field(default=(), repr=False)


def read_anchors(path: Path) -> list[Anchor]:
    """Return the anchors of a JSONL file, in order; blank lines are skipped.

    Raises:
        ConfigError: If the file is missing or empty, a line is no valid anchor, or an id occurs twice.
            The message names the line and the field, never the text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as exc:
        raise ConfigError(f"{path} does not exist; it should be a JSONL file with one anchor a line") from exc
    anchors: dict[str, Anchor] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        anchor = _parse(line, f"{path}, line {number}")
        if anchor.id in anchors:
            raise ConfigError(f"{path}, line {number}: the id '{anchor.id}' occurs twice")
        anchors[anchor.id] = anchor
    if not anchors:
        raise ConfigError(f"{path} has no anchors")
    return list(anchors.values())


def write_anchors(anchors: Iterable[Anchor], path: Path) -> None:
    """Write anchors as JSONL, one a line, without empty fields."""
    lines = (anchor.model_dump_json(exclude_defaults=True) + "\n" for anchor in anchors)
    path.write_text("".join(lines), encoding="utf-8")


def _parse(line: str, where: str) -> Anchor:
    try:
        return Anchor.model_validate_json(line)
    except ValidationError as exc:
        errors = exc.errors(include_input=False, include_url=False)
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'line'}: {e['msg']}" for e in errors)
        raise ConfigError(f"{where}: {problems}") from exc
