"""Measure a classifier folder, by default the shipped one.

Run: CPGUARD_DATA=/path/to/data python benchmarks/classifier_quality.py dev|report|card [FOLDER]

dev and report write results/classifier_quality_<split>.json; card writes the shipped MODEL_CARD.md
from both files.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from cpguard.classifiers.embedded import BUNDLED
from cpguard_train.classifier.card import model_card
from cpguard_train.classifier.config import validate
from cpguard_train.classifier.report import QualityReport, measure_all
from cpguard_train.classifier.run import training_rows
from cpguard_train.config import load_raw

NOTE = """## How the thresholds came about

The toxicity threshold follows from the mean false-positive rate that the recipe names, on clean
development rows. That rate was picked by hand from a development table, after identity_clean and
WikiText had been scored with an earlier checkpoint. The rule that no other category asks for less than
toxicity was added after 6.5 % of identity_clean and 0.9 % of WikiText were flagged in some category, and
the report split had been scored once by then. So read identity_clean and WikiText as development data.
The labelled report rows are judged by toxicity alone, which that rule does not touch.
"""
RESULTS = Path(__file__).parent / "results"


def measure(split: Literal["dev", "report"], folder: Path) -> None:
    """Measure, write and print the numbers."""
    report = measure_all(folder, split)
    target(split).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for name, item in report.metrics.items():
        print(f"{name:48s} {item.value:.4f} [{item.low:.4f}, {item.high:.4f}] n={item.n}")


def write_card() -> None:
    """Write the shipped model card from the committed results."""
    config = validate(load_raw("toxicity-en", ()))
    reports = [
        QualityReport.model_validate_json(target(split).read_text(encoding="utf-8"))
        for split in ("report", "dev")
    ]
    card = model_card(config, training_rows(config), reports, NOTE)
    (BUNDLED / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def target(split: str) -> Path:
    """Return the results file of a split."""
    return RESULTS / f"classifier_quality_{split}.json"


def main() -> None:
    """Do what the first argument says."""
    what = sys.argv[1] if len(sys.argv) > 1 else "dev"
    if what == "card":
        write_card()
    elif what in {"dev", "report"}:
        measure("report" if what == "report" else "dev", Path(sys.argv[2]) if len(sys.argv) > 2 else BUNDLED)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
