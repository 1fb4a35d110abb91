"""`cpguard check`: say what is toxic in texts, files or standard input, and change nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cpguard.cli._options import guard_options, read_items
from cpguard.results import Verdict

FLAGGED = 1


@click.command()
@click.argument("sources", nargs=-1, metavar="TEXT|FILE|- ...")
@guard_options
def command(
    sources: tuple[str, ...], guard: Path | None, classifier: str, field: str | None, as_json: bool
) -> None:
    """Print the verdict on each text; exit with 1 if any is flagged."""
    from cpguard.loading import load_pipeline

    items = list(read_items(sources, field))
    verdicts = load_pipeline(guard, classifier=classifier).check([item.text for item in items])
    for verdict in verdicts:
        click.echo(verdict.model_dump_json() if as_json else _line(verdict))
    sys.exit(FLAGGED if any(verdict.flagged for verdict in verdicts) else 0)


def _line(verdict: Verdict) -> str:
    scores = ", ".join(f"{name} {value:.2f}" for name, value in verdict.scores.computed().items())
    flagged = [f"{s.start}-{s.end}" for s in verdict.segments if s.flagged]
    if not flagged:
        return f"clean    {scores}"
    return f"flagged  {scores}  categories: {', '.join(verdict.categories)}  characters: {', '.join(flagged)}"
