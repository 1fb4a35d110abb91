"""MODEL_CARD.md of a guard: what it is, what it was trained on, what was measured, what it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cpguard.manifest import GuardManifest
from cpguard_train.config import RewriterRecipe

QUALITY_MARK = "<!-- benchmarks/rewriter_quality.py -->\n"
_QUALITY = """
### Quality of rewrites

Sentences kept out of training; means with 95 % bootstrap intervals. `clean` is the share that a bag-of-words
judge calls clean, fitted on comments that no model of the guard has seen; `clean (own)` is by the guard's own
classifier, which is no independent judge. Similarity is the cosine of MiniLM embeddings. Human references
score below 1 too: they are the level to compare with. `rewriter` is the likeliest rewrite, unverified;
`guard, verified` is the whole guard, which changes flagged sentences only and verifies what it changes.

"""
_MEASURES = {
    "clean_bag_of_words": "clean",
    "clean_own_classifier": "clean (own)",
    "similarity": "similarity",
    "clean_and_similar_bag_of_words": "clean x similarity",
    "copies": "copies",
    "length_ratio": "length ratio",
}
_CARD = """# {name}

A LoRA adapter that turns `{base}` into a rewriter: toxic text in, the same meaning without toxicity out.
Trained with conditional contrastive perplexity ({variant}). Meant to run behind cpguard's verification,
which rejects rewrites that are not clean or that lose the meaning; on its own it can do both.

| | |
|---|---|
| base model | {base}, SHA-256 `{sha256}` |
| adapter | LoRA r={r}, alpha={alpha}, all linear layers; `adapter/` (PEFT, fp16) and `adapter.gguf` |

The prompt, one literal string that ends with a line break, tokenised without a chat template:

```text
{prompt}
```

## Measured
{metrics}

NLL in nats a token on anchors kept out of training; `dev_wins` is the share of them whose best positive is
likelier than every negative. These say that training worked, not how good rewrites are.

{quality}
## Data
{data}

## Limits
English only. Rewrites may drop or soften more than they should. Threats and attacks on groups should be
acted on, not only reworded. Data made by people carries their biases.

## How it was trained
```yaml
{recipe}```

## Citation
Klein, T. and Nabi, M. (2025). Contrastive Perplexity for Controlled Generation. ACL 2025.
"""


def write_card(manifest: GuardManifest, recipe: RewriterRecipe, directory: Path) -> Path:
    """Write MODEL_CARD.md into the guard directory and return its path."""
    card = _CARD.format(
        name=recipe.name,
        base=manifest.base.name,
        sha256=manifest.base.sha256,
        variant=recipe.objective.variant,
        r=recipe.lora.r,
        alpha=recipe.lora.alpha,
        prompt=manifest.prompt.rstrip("\n"),
        metrics=_table(("metric", "value"), manifest.metrics.items()),
        quality=QUALITY_MARK,
        data=data_table(manifest),
        recipe=yaml.safe_dump(recipe.model_dump(mode="json", exclude={"example", "prompt"}), sort_keys=False),
    )
    path = directory / "MODEL_CARD.md"
    path.write_text(card, encoding="utf-8")
    return path


def add_quality(directory: Path, result: Mapping[str, Any]) -> Path:
    """Put the tables of benchmarks/rewriter_quality.py into the card of a guard, and return its path.

    Args:
        directory: The guard directory; its card was written by `write_card`.
        result: The benchmark's result file, parsed.
    """
    path = directory / "MODEL_CARD.md"
    card = path.read_text(encoding="utf-8")
    before, after = card.split(QUALITY_MARK, 1)[0], card[card.index("## Data") :]
    tables = "".join(_quality_table(name, rows) for name, rows in result["sets"].items())
    path.write_text(f"{before}{QUALITY_MARK}{_QUALITY}{tables}{after}", encoding="utf-8")
    return path


def _quality_table(name: str, rows: Mapping[str, Any]) -> str:
    measured = {row: values for row, values in rows.items() if isinstance(values, dict)}
    body = [(row, *(_cell(values[key]) for key in _MEASURES)) for row, values in measured.items()]
    table = _table(("", *_MEASURES.values()), body)
    return f"{name.replace('_', ' ')}, {rows['sources']} sentences:\n\n{table}\n\n"


def _cell(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"


def data_table(manifest: GuardManifest) -> str:
    """Return the provenance of the data as a Markdown table."""
    rows = [tuple(source.get(key, "") for key in _COLUMNS) for source in manifest.data]
    return _table(_COLUMNS, rows)


_COLUMNS = ("name", "origin", "licence", "sha256", "anchors")


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)
