"""Measure a classifier folder as shipped: int8, through the runtime, on one split."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from cpguard.protocols import Classifier, Encoder
from cpguard.results import CATEGORIES, Category, Scores
from cpguard_train.classifier.metrics import Measure, auc, calibration_error, f1, mean, measured
from cpguard_train.classifier.rows import UNKNOWN, load_rows
from cpguard_train.data import sources
from cpguard_train.data.splits import DEV_GROUPS, REPORT_GROUPS, Split, split_of

Array = NDArray[np.float64]
Results = dict[str, Measure]
_CHUNK = 512


def score_matrix(classifier: Classifier, texts: Sequence[str]) -> Array:
    """Return scores of shape (len(texts), 7), nan where a category is not computed."""
    found: list[Scores] = []
    for start in range(0, len(texts), _CHUNK):
        found += classifier.classify(texts[start : start + _CHUNK])
    values = [[getattr(scores, category) for category in CATEGORIES] for scores in found]
    return np.array(values, dtype=np.float64).reshape(len(texts), len(CATEGORIES))


def measure_labelled(classifier: Classifier, split: Split, threshold: float) -> Results:
    """Return AUC, F1, false-positive rate and calibration of toxicity a data set, and AUC a category.

    Args:
        classifier: The classifier.
        split: dev or report.
        threshold: Toxicity score from which a text counts as flagged.
    """
    rows = load_rows(split)
    scores = score_matrix(classifier, [row.text for row in rows])
    toxicity = scores[:, 0]
    labels = np.array([row.labels for row in rows])
    truth = (labels[:, 0] >= 0.5).astype(np.float64)
    flags = (toxicity >= threshold).astype(np.float64)
    names = np.array([row.source for row in rows])
    results: Results = {}
    for source in dict.fromkeys(names.tolist()):
        inside = names == source
        clean = inside & (truth == 0)
        if truth[inside].any() and clean.any():
            results[f"{source}/auc"] = measured(auc, toxicity[inside], truth[inside])
            results[f"{source}/f1"] = measured(f1, flags[inside], truth[inside])
        if clean.any():
            results[f"{source}/false_positive_rate"] = measured(mean, flags[clean], truth[clean])
        if truth[inside].any():
            caught = inside & (truth == 1)
            results[f"{source}/recall"] = measured(mean, flags[caught], truth[caught])
    results["all/auc"] = measured(auc, toxicity, truth)
    results["all/f1"] = measured(f1, flags, truth)
    results["all/calibration_error"] = measured(calibration_error, toxicity, truth)
    return results | _by_category(scores, labels, names)


def _by_category(scores: Array, labels: Array, names: NDArray[np.str_]) -> Results:
    """Return AUC and calibration of each category on RealToxicityPrompts, which has them all."""
    results: Results = {}
    for number, category in enumerate(CATEGORIES):
        inside = (names == "rtp") & (labels[:, number] != UNKNOWN)
        truth = (labels[inside, number] >= 0.5).astype(np.float64)
        if 0 < truth.sum() < len(truth):
            results[f"rtp/{category}/auc"] = measured(auc, scores[inside, number], truth)
            results[f"rtp/{category}/calibration_error"] = measured(
                calibration_error, scores[inside, number], truth
            )
    return results


def measure_unseen_groups(classifier: Classifier, split: Split, threshold: float) -> Results:
    """Return AUC and false-positive rate on ToxiGen groups of which training saw no sentence."""
    wanted: Collection[str] = REPORT_GROUPS if split == "report" else DEV_GROUPS
    items = [
        item
        for item in sources.load_safenlp()
        if not set(wanted).isdisjoint(item.groups)
        and split_of(item.text, kind="safenlp", groups=item.groups) == split
    ]
    toxicity = score_matrix(classifier, [item.text for item in items])[:, 0]
    truth = np.array([float(item.hateful) for item in items])
    flags = (toxicity >= threshold).astype(np.float64)
    results: Results = {"unseen_groups/auc": measured(auc, toxicity, truth)}
    results["unseen_groups/false_positive_rate"] = measured(mean, flags[truth == 0], truth[truth == 0])
    results["unseen_groups/recall"] = measured(mean, flags[truth == 1], truth[truth == 1])
    for group in sorted(wanted):
        inside = np.array([group in item.groups for item in items])
        results[f"unseen_groups/{group}/auc"] = measured(auc, toxicity[inside], truth[inside])
    return results


def measure_false_alarms(
    classifier: Classifier, thresholds: dict[Category, float], limit: int = 1000
) -> Results:
    """Return the share of clean texts flagged in any category, on sets that nothing was trained on.

    Args:
        classifier: The classifier.
        thresholds: Score from which each category is flagged.
        limit: WikiText paragraphs, from the first.
    """
    results: Results = {}
    levels = np.array([thresholds[category] for category in CATEGORIES])
    texts = {"identity_clean": sources.load_identity_clean(), "wikitext": sources.load_wikitext()[:limit]}
    for name, clean in texts.items():
        scores = score_matrix(classifier, clean)
        zeros = np.zeros(len(clean))
        any_flag = np.asarray((scores >= levels).any(axis=1), dtype=np.float64)
        results[f"{name}/false_positive_rate"] = measured(mean, any_flag, zeros)
        flags = (scores[:, 0] >= levels[0]).astype(np.float64)
        results[f"{name}/toxicity_false_positive_rate"] = measured(mean, flags, zeros)
    return results


def span_scores(classifier: Encoder, split: Split) -> Array:
    """Return the character F1 of each toxic_spans comment with marks (SemEval-2021 task 5), shape (N,).

    Args:
        classifier: Marks toxic words.
        split: dev or report.
    """
    rows = [row for row in load_rows(split) if row.source == "toxic_spans" and row.spans]
    found = classifier.toxic_spans([row.text for row in rows])
    values = []
    for row, spans in zip(rows, found, strict=True):
        truth = {i for start, end in row.spans or () for i in range(start, end)}
        marked = {i for span in spans for i in range(span.start, span.end)}
        values.append(2.0 * len(truth & marked) / (len(truth) + len(marked)))
    return np.array(values)
