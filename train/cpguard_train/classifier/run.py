"""One command from data to shipped asset: train, calibrate, measure, export."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cpguard_train.classifier.config import ClassifierConfig

if TYPE_CHECKING:
    from cpguard_train.classifier.model import ToxicityModel
    from cpguard_train.classifier.rows import Row

_SPAN_THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)


def training_rows(config: ClassifierConfig) -> list[Row]:
    """Return the rows that a run trains on, in order.

    Raises:
        ConfigError: If CPGUARD_DATA is unset or lacks a data set.
    """
    from cpguard_train.classifier.rows import load_rows, sampled

    rng = random.Random(config.seed)  # noqa: S311
    return sampled(load_rows("train", seed=config.seed), config.source_shares, rng)[: config.max_rows]


def train(
    config: ClassifierConfig, output: Path, *, say: Callable[[str], None] = lambda line: None
) -> ToxicityModel:
    """Train the model, or finish a run that was interrupted, and return it.

    Args:
        config: The recipe.
        output: Folder for checkpoints and the log.
        say: Receives progress, a line at a time.
    """
    import torch

    from cpguard_train.classifier.batches import load_tokenizer
    from cpguard_train.classifier.model import base_folder, load_base
    from cpguard_train.classifier.train import Trainer, teacher_embeddings

    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    rows = training_rows(config)
    model = load_base()
    tokenizer = load_tokenizer(base_folder(), config.max_tokens)
    cached = output / "teacher.pt"
    output.mkdir(parents=True, exist_ok=True)
    if cached.is_file():
        teacher = torch.load(cached, weights_only=True)
    else:
        teacher = teacher_embeddings(model, tokenizer, rows, config)
        torch.save(teacher, cached)
    say(f"training on {len(rows)} rows")
    Trainer(model, tokenizer, config, output, say).run(rows, teacher)
    return model


def export_calibrated(config: ClassifierConfig, model: ToxicityModel, folder: Path) -> None:
    """Write the runtime's folder, with calibration and thresholds fitted on the development split.

    Args:
        config: The recipe.
        model: A trained model.
        folder: Gets model.onnx, tokenizer.json and config.json.
    """
    from cpguard.classifiers.embedded import EmbeddedClassifier
    from cpguard_train.classifier.calibrate import choose_thresholds, fit_all
    from cpguard_train.classifier.evaluate import score_matrix
    from cpguard_train.classifier.export import export, write_config
    from cpguard_train.classifier.model import base_folder
    from cpguard_train.classifier.rows import load_rows

    export(model, base_folder() / "tokenizer.json", folder)
    rows = load_rows("dev")
    scores = score_matrix(EmbeddedClassifier(folder), [row.text for row in rows])
    calibration = fit_all(rows, scores)
    thresholds = choose_thresholds(rows, scores, calibration, config.dev_false_positive_rate)
    write_config(folder, calibration, thresholds, best_span_threshold(folder))


def best_span_threshold(folder: Path) -> float:
    """Return the token threshold with the highest character F1 on the development split."""
    from cpguard.classifiers.embedded import EmbeddedClassifier
    from cpguard_train.classifier.evaluate import span_scores
    from cpguard_train.classifier.export import write_config

    found: dict[float, float] = {}
    for threshold in _SPAN_THRESHOLDS:
        write_config(folder, span_threshold=threshold)
        found[threshold] = float(span_scores(EmbeddedClassifier(folder), "dev").mean())
    return max(found, key=lambda threshold: found[threshold])


def run(config: ClassifierConfig, output: Path, *, say: Callable[[str], None] = lambda line: None) -> Path:
    """Train, calibrate and measure, and return the folder that `embedded:FOLDER` loads.

    A run that was interrupted goes on from its last checkpoint below the same output folder.

    Args:
        config: The recipe.
        output: Gets `run/` (checkpoints, log), `toxicity/` (what the runtime loads) and `dev.json`.
        say: Receives progress, a line at a time.

    Raises:
        ConfigError: If CPGUARD_DATA is unset or lacks a data set.
        BaseModelError: If the base encoder is missing or is not the pinned one.
    """
    from cpguard_train.classifier.card import model_card
    from cpguard_train.classifier.report import measure_all

    model = train(config, output / "run", say=say)
    folder = output / "toxicity"
    say("calibrating on the development split")
    export_calibrated(config, model, folder)
    report = measure_all(folder, "dev")
    (output / "dev.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    card = model_card(config, training_rows(config), [report])
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    return folder
