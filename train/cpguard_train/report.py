"""report.html of a run: the curves and the numbers, in one file that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from cpguard.manifest import GuardManifest
from cpguard_train.config import RewriterRecipe

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}: training report</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.2rem 1rem .2rem 0;text-align:left}}
img{{max-width:100%}}</style>
</head><body><h1>{name}</h1>
<p>Contrastive perplexity ({variant}) on {base}, {steps} steps of {batch} anchors.</p>
<img alt="loss and likelihoods over the steps" src="data:image/png;base64,{image}">
<h2>On anchors kept out</h2><table>{metrics}</table>
<h2>Objective</h2><table>{objective}</table>
<h2>Data</h2><table>{data}</table>
</body></html>
"""


def write_report(
    manifest: GuardManifest, recipe: RewriterRecipe, history: Sequence[dict[str, float]], directory: Path
) -> Path:
    """Write report.html into the guard directory and return its path.

    Args:
        manifest: Of the guard.
        recipe: It was trained by.
        history: Logged values of the run, each with its `step`.
        directory: The guard directory.
    """
    page = _PAGE.format(
        name=html.escape(recipe.name),
        variant=recipe.objective.variant,
        base=html.escape(manifest.base.name),
        steps=recipe.training.steps,
        batch=recipe.training.batch_size * recipe.training.accumulation,
        image=base64.b64encode(_curves(history)).decode(),
        metrics=_rows(manifest.metrics.items()),
        objective=_rows(manifest.objective.items()),
        data=_rows(
            (source["name"], f"{source['anchors']} anchors, {source['licence']}") for source in manifest.data
        ),
    )
    path = directory / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _rows(pairs: Iterable[tuple[object, object]]) -> str:
    return "".join(
        f"<tr><th>{html.escape(str(key))}</th><td>{html.escape(str(value))}</td></tr>" for key, value in pairs
    )


def _curves(history: Sequence[dict[str, float]]) -> bytes:
    """Return a PNG with the loss, and the NLL of positives and negatives, by step."""
    from matplotlib.figure import Figure

    logged = [entry for entry in history if "loss" in entry]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    loss, likelihood = figure.subplots(1, 2)
    loss.plot([entry["step"] for entry in logged], [entry["loss"] for entry in logged])
    loss.set(title="loss", xlabel="step")
    for key in ("nll_positives", "nll_negatives"):
        points = [entry for entry in logged if key in entry]
        likelihood.plot([p["step"] for p in points], [p[key] for p in points], label=key.removeprefix("nll_"))
    likelihood.set(title="mean NLL (nats a token)", xlabel="step")
    likelihood.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
