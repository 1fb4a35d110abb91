"""Options and input reading shared by `rewrite` and `check`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cpguard.errors import ConfigError, InputError


@dataclass(frozen=True)
class Item:
    """One text to guard, and the record it came in (JSONL only).

    Attributes:
        text: The text.
        record: The JSON object around it, or None for plain text.
    """

    text: str
    record: dict[str, Any] | None = None


def guard_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --guard, --classifier, --field and --json to a command."""
    for option in (
        click.option(
            "--json", "as_json", is_flag=True, help="One JSON object a text, without the input text."
        ),
        click.option("--field", help="Read JSON lines and use this field as the text."),
        click.option(
            "--classifier", default="embedded", show_default=True, help="embedded, detoxify:NAME, hf:ID."
        ),
        click.option(
            "--guard", type=click.Path(path_type=Path), help="A directory that `cpguard train` wrote."
        ),
    ):
        command = option(command)
    return command


def read_items(sources: tuple[str, ...], field: str | None) -> Iterator[Item]:
    """Yield the texts of the sources: `-` is standard input, an existing path a file, else the text itself.

    Raises:
        ConfigError: If there is no source, or a file cannot be read as UTF-8.
        InputError: If a JSON line is not an object with the field, by line number.
    """
    if not sources:
        raise ConfigError('give a text, a file, or - for standard input: cpguard rewrite "some text"')
    for source in sources:
        text, name = _read(source)
        if field is None:
            yield Item(text)
        else:
            yield from _records(text, name, field)


def _read(source: str) -> tuple[str, str]:
    if source == "-":
        return _decode(sys.stdin.buffer.read(), "standard input"), "standard input"
    path = Path(source)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # too long for a path, or a NUL in it: it is a text
        is_file = False
    if is_file:
        return _decode(path.read_bytes(), source), source
    if path.suffix in (".txt", ".md", ".jsonl", ".json") and " " not in source:
        raise ConfigError(f"no file {source}")
    return source, "argument"


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{name} is not UTF-8 at byte {exc.start}; convert it first") from None


def _records(text: str, name: str, field: str) -> Iterator[Item]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            raise InputError(f"{name}, line {number}: not JSON") from None
        if not isinstance(record, dict) or not isinstance(record.get(field), str):
            raise InputError(f"{name}, line {number}: expected an object with a string field '{field}'")
        yield Item(record[field], record)
