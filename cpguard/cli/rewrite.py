"""`cpguard rewrite`: print the guarded version of texts, files or standard input."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import click

from cpguard.cli._options import Item, guard_options, read_items
from cpguard.results import GuardResult


@click.command()
@click.argument("sources", nargs=-1, metavar="TEXT|FILE|- ...")
@click.option("--rewriter", help="embedded, peft:DIR, gguf:PATH or mask. [default: the guard's own]")
@click.option(
    "--all", "every", is_flag=True, help="Offer every sentence to the rewriter, not only flagged ones."
)
@guard_options
def command(
    sources: tuple[str, ...],
    rewriter: str | None,
    every: bool,
    guard: Path | None,
    classifier: str,
    field: str | None,
    as_json: bool,
) -> None:
    """Print each text with what is toxic rewritten, and everything else as it was."""
    from cpguard.loading import ensure_base_model, load_pipeline

    items = list(read_items(sources, field))
    pipeline = load_pipeline(guard, classifier=classifier, rewriter=rewriter, only_flagged=not every)
    ensure_base_model(pipeline.parts.rewriter)
    results = pipeline.run([item.text for item in items])
    for item, result in zip(items, results, strict=True):
        if error := pipeline.blocked(result):
            raise error
        _print(item, result, field, as_json)
    if sys.stderr.isatty() and not as_json:
        click.secho(_summary(results), err=True, dim=True)
    for failure in dict.fromkeys(result.error for result in results if result.error):
        click.secho(f"cpguard: {failure}", err=True, fg="yellow")


def _print(item: Item, result: GuardResult, field: str | None, as_json: bool) -> None:
    if as_json:
        click.echo(result.model_dump_json())
    elif item.record is not None and field is not None:
        click.echo(json.dumps({**item.record, field: result.text}, ensure_ascii=False))
    else:
        click.echo(result.text, nl=not result.text.endswith("\n"))


def _summary(results: list[GuardResult]) -> str:
    segments = [segment for result in results for segment in result.segments]
    touched = [segment for segment in segments if segment.action != "allow"]
    if not touched:
        return f"nothing flagged in {len(segments)} segment(s), {results[0].timings.total:.2f} s"
    counts = Counter(segment.action for segment in touched)
    what = ", ".join(f"{count} {action}" for action, count in counts.items())
    flagged = ", ".join(dict.fromkeys(category for segment in touched for category in segment.categories))
    seconds = results[0].timings.total
    return f"{what} of {len(segments)} segment(s) ({flagged or 'not flagged'}), {seconds:.2f} s"
