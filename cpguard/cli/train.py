"""`cpguard train`: train a guard by a recipe."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cpguard._extras import require


@click.command()
@click.argument("recipe", metavar="RECIPE_OR_YAML")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="To write to."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key: training.steps=100."
)
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the output directory.")
def command(recipe: str, output: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """Train a guard and write it to a directory that `--guard` and DetoxGuard(DIR) load.

    RECIPE_OR_YAML is the name of a bundled recipe, `smoke` or `detox-en`, or a YAML file.

    \b
    cpguard train smoke --output my-guard
    cpguard rewrite --guard my-guard "This is a stupid idea, you idiot."
    """  # noqa: D301 (click wants the character, not its name)
    # Must be set before torch is imported: threads that wait by spinning slow down everything else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for module in ("yaml", "torch", "transformers", "accelerate", "gguf", "matplotlib"):
        require(module, extra="train")
    from cpguard_train.run import run

    run(recipe, output, overrides, resume=resume, say=click.echo)
