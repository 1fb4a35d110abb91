"""`cpguard models`: list, pull, verify and locate the base models that rewriters stand on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from cpguard import models
from cpguard.errors import BaseModelError

_NAME = click.argument("name", default=models.DEFAULT.name)


@click.group()
def command() -> None:
    """List, pull, verify and locate base models."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_models(as_json: bool) -> None:
    """Print the known base models and whether they are on this machine."""
    rows = [_row(spec) for spec in models.registry.values()]
    if as_json:
        click.echo(json.dumps(rows))
    elif sys.stdout.isatty():
        _print_table(rows)
    else:
        for row in rows:
            click.echo("\t".join(map(str, row.values())))


@command.command()
@_NAME
def pull(name: str) -> None:
    """Fetch a base model, if it is not on this machine yet, and print its path."""
    click.echo(models.pull(models.find(name), progress=_announce))


@command.command()
@_NAME
def verify(name: str) -> None:
    """Hash a base model on this machine and print its path if it is the right one."""
    click.echo(models.verify(models.find(name)))


@command.command()
@_NAME
def path(name: str) -> None:
    """Print the path of a base model on this machine; fetches nothing."""
    click.echo(models.resolve(models.find(name)))


def _announce(line: str) -> None:
    click.echo(line, err=True)


def _row(spec: models.BaseModelSpec) -> dict[str, str | int]:
    status, path = status_of(spec)
    return {
        "name": spec.name,
        "megabytes": round(spec.size / 1e6),
        "licence": spec.licence,
        "status": status,
        "path": str(path or ""),
    }


def status_of(spec: models.BaseModelSpec) -> tuple[str, Path | None]:
    """Return one word or two on a base model, and where it is; `ready` means verified."""
    try:
        found = models.located(spec)
        if found is None:
            return "not pulled", None
        return "ready", models.resolve(spec)
    except BaseModelError:
        return "damaged", found[1] if found else None


def _print_table(rows: list[dict[str, str | int]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*(title.capitalize() for title in rows[0]))
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
