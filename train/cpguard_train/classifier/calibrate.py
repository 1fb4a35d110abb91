"""Make scores mean what they say, and choose thresholds: on development rows only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cpguard.classifiers.embedded import Calibration, cap_by_toxicity
from cpguard.results import CATEGORIES, Category
from cpguard_train.classifier.rows import CLEAN, UNKNOWN, Row

Array = NDArray[np.float64]
THRESHOLD_SOURCES = ("context_toxicity", "safenlp")
"""Clean development rows that set the thresholds: careful writing, with and without identity terms.

Human rewrites of toxic sentences are left out: some are still rude, so a low rate on them would ask
the classifier to overlook rudeness."""
_OTHER_RATE = 0.003


def logit(probabilities: Array) -> Array:
    """Return log odds, with probabilities kept 1e-6 away from 0 and 1."""
    kept = np.clip(probabilities, 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(kept / (1.0 - kept)))


def fit_platt(logits: Array, labels: Array, *, prior: float = 1.0, steps: int = 50) -> Calibration:
    """Return the scale and bias that maximise the likelihood of the labels (Platt 1999), by Newton.

    Args:
        logits: Uncalibrated log odds, shape (N,).
        labels: 0 or 1, shape (N,).
        prior: Strength of the pull towards scale 1 and bias 0, in pseudo-observations: what holds
            a category with few positives.
        steps: Newton steps at most.
    """
    features = np.stack([logits, np.ones_like(logits)], axis=1)
    start = np.array([1.0, 0.0])
    weights = start.copy()
    for _ in range(steps):
        probabilities = 1.0 / (1.0 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (probabilities - labels) + prior * (weights - start)
        curvature = (features * (probabilities * (1.0 - probabilities))[:, None]).T @ features
        step = np.linalg.solve(curvature + prior * np.eye(2), gradient)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-8:
            break
    return Calibration(scale=max(float(weights[0]), 1e-3), bias=float(weights[1]))


def calibrated(logits: Array, calibration: Calibration) -> Array:
    """Return probabilities."""
    values = np.clip(calibration.scale * logits + calibration.bias, -30, 30)
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def threshold_for_rate(pools: Sequence[Array], highest: float, *, least: float = 0.3) -> float:
    """Return the lowest threshold, in steps of 0.01 up to 0.95, that flags few enough clean texts.

    Args:
        pools: Scores of clean texts, one array a data set.
        highest: Share that may be flagged, as the mean over the data sets.
        least: Never lower than this.
    """
    steps = (number / 100 for number in range(round(100 * least), 95))
    rates = ((step, float(np.mean([(pool >= step).mean() for pool in pools]))) for step in steps)
    return next((step for step, rate in rates if rate <= highest), 0.95)


def fit_all(rows: Sequence[Row], scores: Array) -> dict[Category, Calibration]:
    """Return a calibration a category from development rows and their uncalibrated scores (N, 7).

    The labels are those that training uses, weak ones included; soft ones are cut at one half.
    """
    labels = np.array([row.labels for row in rows])
    result: dict[Category, Calibration] = {}
    for number, category in enumerate(CATEGORIES):
        known = labels[:, number] != UNKNOWN
        result[category] = fit_platt(
            logit(scores[known, number]), (labels[known, number] >= 0.5).astype(np.float64)
        )
    return result


def choose_thresholds(
    rows: Sequence[Row], scores: Array, calibrations: Mapping[Category, Calibration], highest: float
) -> dict[Category, float]:
    """Return a threshold a category from the clean development rows.

    Args:
        rows: Development rows.
        scores: Their uncalibrated scores, shape (N, 7).
        calibrations: As fit_all gives them.
        highest: Share of clean texts that may be flagged as toxic, the mean over the data sets;
            0.3 % for the other categories, which only add to that and never ask for less than toxicity.
    """
    values = np.stack(
        [calibrated(logit(scores[:, i]), calibrations[name]) for i, name in enumerate(CATEGORIES)], axis=1
    )
    values = cap_by_toxicity(values)
    clean = np.array([row.labels == CLEAN for row in rows])
    sources = np.array([row.source for row in rows])
    pools = [values[clean & (sources == source)] for source in THRESHOLD_SOURCES]
    toxicity = threshold_for_rate([pool[:, 0] for pool in pools], highest)
    result = {
        category: threshold_for_rate([pool[:, number] for pool in pools], _OTHER_RATE, least=toxicity)
        for number, category in enumerate(CATEGORIES)
    }
    return result | {"toxicity": toxicity}
