"""Everything measured of one classifier folder on one split, as a model that is written to JSON."""

from __future__ import annotations

import hashlib
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from cpguard.classifiers.embedded import MODEL_NAME, EmbeddedClassifier
from cpguard.results import Category
from cpguard_train.classifier.evaluate import (
    Results,
    measure_false_alarms,
    measure_labelled,
    measure_unseen_groups,
    span_scores,
)
from cpguard_train.classifier.metrics import mean, measured


class QualityReport(BaseModel):
    """Metrics by name, and what they were measured on.

    Attributes:
        split: dev (used for choosing) or report (used for nothing else).
        model_sha256: Checksum of model.onnx.
        date: Day of the measurement, UTC.
        machine: Processor architecture and cores.
        thresholds: Score from which each category counts as flagged.
        metrics: Values with 95 % bootstrap intervals, texts and base rate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    split: Literal["dev", "report"]
    model_sha256: str
    date: str
    machine: str
    thresholds: dict[Category, float]
    metrics: Results


def machine_class() -> str:
    """Return the kind of machine: architecture and usable cores."""
    return f"{os.cpu_count()}-core {platform.machine()} CPU"


def measure_all(folder: Path, split: Literal["dev", "report"]) -> QualityReport:
    """Return all metrics of a classifier folder.

    Args:
        folder: Has model.onnx, tokenizer.json and config.json.
        split: Which rows of the labelled sets; the false-alarm sets are always whole.

    Raises:
        ConfigError: If CPGUARD_DATA is unset or lacks a data set.
    """
    classifier = EmbeddedClassifier(folder)
    thresholds = dict(classifier.thresholds)
    metrics = measure_labelled(classifier, split, thresholds["toxicity"])
    metrics |= measure_unseen_groups(classifier, split, thresholds["toxicity"])
    metrics |= measure_false_alarms(classifier, thresholds)
    spans = span_scores(classifier, split)
    metrics["toxic_spans/character_f1"] = measured(mean, spans, np.ones(len(spans)))
    return QualityReport(
        split=split,
        model_sha256=hashlib.sha256((folder / MODEL_NAME).read_bytes()).hexdigest(),
        date=datetime.now(UTC).date().isoformat(),
        machine=machine_class(),
        thresholds=thresholds,
        metrics=metrics,
    )
