"""Ranking, decision and calibration metrics, with bootstrap intervals; numpy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Array = NDArray[np.float64]


class Measure(BaseModel):
    """One number with what it takes to read it.

    Attributes:
        value: The metric.
        low: Lower end of the 95 % bootstrap interval.
        high: Upper end.
        n: Texts.
        base_rate: Share of toxic texts among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float
    high: float
    n: int
    base_rate: float


def auc(scores: Array, labels: Array) -> float:
    """Return the area under the ROC curve, ties counting one half; nan if a class is missing."""
    positive = labels > 0.5
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative))


def f1(flags: Array, labels: Array) -> float:
    """Return the F1 of decisions in {0, 1}; 0 if nothing is flagged rightly."""
    right = float((flags * labels).sum())
    return 2.0 * right / max(1.0, float(flags.sum() + labels.sum()))


def mean(values: Array, labels: Array) -> float:
    """Return the mean, whatever the labels: of flags on clean texts it is the false-positive rate."""
    del labels
    return float(values.mean())


def calibration_error(probabilities: Array, labels: Array, bins: int = 15) -> float:
    """Return the expected calibration error over equal-width bins (Guo et al. 2017, eq. 3)."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    total = 0.0
    for number in np.unique(place):
        inside = place == number
        total += inside.mean() * abs(float(probabilities[inside].mean() - labels[inside].mean()))
    return total


def measured(
    metric: Callable[[Array, Array], float], values: Array, labels: Array, *, resamples: int = 200
) -> Measure:
    """Return the metric with its percentile bootstrap interval (seed 0)."""
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(resamples):
        picked = rng.integers(0, len(values), len(values))
        samples.append(metric(values[picked], labels[picked]))
    low, high = np.nanpercentile(samples, [2.5, 97.5])
    return Measure(
        value=metric(values, labels),
        low=float(low),
        high=float(high),
        n=len(values),
        base_rate=float(labels.mean()),
    )
