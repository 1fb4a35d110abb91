from __future__ import annotations

from cpguard_train.classifier.card import model_card
from cpguard_train.classifier.config import ClassifierConfig, validate
from cpguard_train.classifier.metrics import Measure
from cpguard_train.classifier.report import QualityReport
from cpguard_train.classifier.rows import clean_row
from cpguard_train.config import load_raw


def test_the_card_names_data_licences_numbers_and_limits():
    report = QualityReport(
        split="report",
        model_sha256="ab" * 32,
        date="2026-01-01",
        machine="2-core x86_64 CPU",
        thresholds={"toxicity": 0.8},
        metrics={"jigsaw_wiki/auc": Measure(value=0.97, low=0.96, high=0.98, n=900, base_rate=0.5)},
    )
    rows = [clean_row("a", "safenlp"), clean_row("b", "safenlp"), clean_row("c", "clean_hard")]
    card = model_card(ClassifierConfig(), rows, [report])
    assert (
        "| 2 | microsoft/SafeNLP | MIT, CDLA-Permissive-2.0 | safenlp/toxiGen.json `42863b997f545833` |"
        in card
    )
    assert "| 1 | clean_hard: written for this project | Apache-2.0 | in the package |" in card
    assert "| jigsaw_wiki/auc | 0.970 | 0.960 to 0.980 | 900 | 0.50 |" in card
    assert "2026-01-01, 2-core x86_64 CPU, model.onnx `abababababababab`" in card
    for limit in ("English only", "Dialect and identity", "Overt against implicit", "Dual use"):
        assert limit in card


def test_the_bundled_recipe_is_valid():
    config = validate(load_raw("toxicity-en"))
    assert config.task == "classifier"
    assert config.source_shares["safenlp"] == 2.0
