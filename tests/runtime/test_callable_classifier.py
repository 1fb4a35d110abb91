from __future__ import annotations

import doctest
import functools
import math

import numpy as np
import pytest

from cpguard import ClassifierError, ConfigError, Scores
from cpguard.classifiers import callable as module
from cpguard.classifiers.callable import CallableClassifier
from cpguard.testing import ClassifierConformance

CANARY = "canary-4711 you idiot"


def by_word(texts):
    return [0.9 if "idiot" in text else 0.1 for text in texts]


class TestAFunctionConforms(ClassifierConformance):
    toxic_text = "You idiot."

    @pytest.fixture
    def classifier(self):
        return CallableClassifier(by_word)


def test_a_number_is_the_toxicity():
    assert CallableClassifier(by_word).classify(["Hello.", "You idiot."]) == [
        Scores(toxicity=0.1),
        Scores(toxicity=0.9),
    ]


def test_scores_pass_as_they_are():
    scores = Scores(toxicity=0.2, threat=0.7)

    assert CallableClassifier(lambda texts: [scores]).classify(["a"]) == [scores]


def test_a_mapping_is_by_category():
    classifier = CallableClassifier(lambda texts: [{"toxicity": 0.2, "insult": 0.4}])

    assert classifier.classify(["a"]) == [Scores(toxicity=0.2, insult=0.4)]


def test_a_mapping_without_toxicity_gets_the_highest_of_its_values():
    classifier = CallableClassifier(lambda texts: [{"threat": 0.3, "insult": 0.4}])

    assert classifier.classify(["a"]) == [Scores(toxicity=0.4, threat=0.3, insult=0.4)]


def test_numpy_arrays_and_numbers_are_taken():
    assert CallableClassifier(lambda texts: np.array([0.25, 0.5])).classify(["a", "b"]) == [
        Scores(toxicity=0.25),
        Scores(toxicity=0.5),
    ]


@pytest.mark.parametrize("returned", [[], [0.1, 0.2]])
def test_a_wrong_number_of_scores_is_an_error(returned):
    with pytest.raises(ClassifierError, match="expected 1 scores, one a text, got"):
        CallableClassifier(lambda texts: returned).classify(["a"])


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.01, 1.01, "0.5", None, [0.5], np.zeros(2), b"1"])
def test_a_score_outside_zero_to_one_is_an_error(score):
    with pytest.raises(ClassifierError, match=r"expected scores .*in \[0, 1\], got"):
        CallableClassifier(lambda texts: [score]).classify(["a"])


@pytest.mark.parametrize("returned", [0.5, None, "0", {"toxicity": 0.5}, b"0"])
def test_something_that_is_no_list_is_an_error(returned):
    with pytest.raises(ClassifierError, match="expected a function like"):
        CallableClassifier(lambda texts: returned).classify(["a"])


@pytest.mark.parametrize("mapping", [{}, {"rage": 0.5}, {"toxicity": math.nan}])
def test_a_mapping_with_other_keys_or_values_is_an_error(mapping):
    with pytest.raises(ClassifierError):
        CallableClassifier(lambda texts: [mapping]).classify(["a"])


def test_no_texts_do_not_call_the_function():
    assert CallableClassifier(lambda texts: 1 / 0).classify([]) == []


def test_what_it_raises_becomes_a_classifier_error_with_the_place_but_without_the_text():
    def quote(texts):
        raise ValueError(f"cannot score {texts[0]}")

    with pytest.raises(ClassifierError, match=r"ValueError at .*test_callable_classifier\.py:\d+") as caught:
        CallableClassifier(quote).classify([CANARY])
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_error_of_cpguard_passes_as_it_is():
    def fail(texts):
        raise ConfigError("the threshold file is missing")

    with pytest.raises(ConfigError, match="threshold file"):
        CallableClassifier(fail).classify(["a"])


async def coroutine(texts):
    return [0.0]


async def async_generator(texts):
    yield 0.0


def generator(texts):
    yield 0.0


class AsyncCall:
    async def __call__(self, texts):
        return [0.0]


@pytest.mark.parametrize("function", [coroutine, async_generator, AsyncCall(), functools.partial(coroutine)])
def test_an_async_function_is_refused_when_it_is_given(function):
    with pytest.raises(ConfigError, match="not async"):
        CallableClassifier(function)


def test_a_generator_function_is_refused_when_it_is_given():
    with pytest.raises(ConfigError, match="not yield it"):
        CallableClassifier(generator)


def test_something_that_cannot_be_called_is_refused():
    with pytest.raises(ConfigError, match=r"must be callable .* got str"):
        CallableClassifier("embedded")


def test_the_example_in_the_documentation_runs():
    assert doctest.testmod(module) == (0, 2)
