from __future__ import annotations

import math

import numpy as np
import pytest

from cpguard.results import CATEGORIES
from cpguard_train.classifier.calibrate import (
    calibrated,
    choose_thresholds,
    fit_all,
    fit_platt,
    logit,
    threshold_for_rate,
)
from cpguard_train.classifier.metrics import auc, calibration_error, f1, mean, measured
from cpguard_train.classifier.rows import clean_row, toxic_row


def array(*values):
    return np.array(values, dtype=np.float64)


def test_auc_counts_pairs_in_order_and_ties_one_half():
    # pairs (toxic, clean): .9>.1, .9>.4, .4>.1, .4=.4 -> 3.5 of 4
    assert auc(array(0.9, 0.4, 0.4, 0.1), array(1, 1, 0, 0)) == 3.5 / 4


def test_auc_needs_both_classes():
    assert math.isnan(auc(array(0.1, 0.2), array(1, 1)))


def test_f1_by_hand():
    assert f1(array(1, 1, 0, 0), array(1, 0, 1, 0)) == 0.5
    assert f1(array(0, 0), array(0, 0)) == 0.0


def test_calibration_error_by_hand():
    # bins of width 1/2: mean .2 against 0 of 2, mean .9 against 1 of 2 -> (.2 + .4) / 2
    value = calibration_error(array(0.1, 0.3, 0.9, 0.9), array(0, 0, 1, 0), bins=2)
    assert value == pytest.approx(0.3)


def test_a_measure_says_what_it_was_taken_on():
    measure = measured(mean, array(*([1.0] * 5 + [0.0] * 15)), array(*([1.0] * 10 + [0.0] * 10)))
    assert measure.value == 0.25
    assert 0.05 <= measure.low < 0.25 < measure.high <= 0.5
    assert (measure.n, measure.base_rate) == (20, 0.5)


def test_platt_finds_the_scale_and_bias_that_made_the_labels():
    logits = np.linspace(-4, 4, 4001)
    truth = 1 / (1 + np.exp(-(0.5 * logits + 1.0)))
    labels = (np.random.default_rng(0).random(4001) < truth).astype(np.float64)
    found = fit_platt(logits, labels)
    assert found.scale == pytest.approx(0.5, abs=0.05)
    assert found.bias == pytest.approx(1.0, abs=0.1)


def test_platt_stays_near_the_identity_with_next_to_no_data():
    found = fit_platt(array(1.0, -1.0), array(1, 0))
    assert found.scale == pytest.approx(1.0, abs=0.4)
    assert found.bias == pytest.approx(0.0, abs=0.1)


def test_logit_and_back():
    identity = fit_platt(array(), array())
    assert calibrated(logit(array(0.2, 0.9)), identity) == pytest.approx([0.2, 0.9])


def test_the_threshold_flags_no_more_clean_texts_than_allowed():
    first, second = np.arange(100) / 100, np.zeros(10)
    threshold = threshold_for_rate([first, second], 0.05)
    assert threshold == 0.9
    assert (first >= threshold).mean() / 2 == 0.05
    assert threshold_for_rate([first * 0.1], 0.05) == 0.3
    assert threshold_for_rate([first * 0 + 0.99], 0.0) == 0.95


def test_calibration_and_thresholds_come_from_the_rows_they_are_given():
    rows = [
        clean_row("fine", "safenlp"),
        clean_row("good", "context_toxicity"),
        toxic_row("you idiot", "x"),
    ] * 50
    scores = np.tile(array(0.1, 0.1, 0.9)[:, None], (50, 7))
    calibration = fit_all(rows, scores)
    thresholds = choose_thresholds(rows, scores, calibration, 0.02)
    assert set(calibration) == set(thresholds) == set(CATEGORIES)
    assert calibrated(logit(array(0.9)), calibration["toxicity"])[0] > 0.9
    assert thresholds["toxicity"] == 0.3
    assert thresholds["threat"] == 0.3
