"""Use any function as a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import SupportsFloat

from cpguard._callables import call, require_sync_callable
from cpguard.errors import ClassifierError
from cpguard.results import CATEGORIES, Scores

Score = Scores | SupportsFloat | Mapping[str, float]
_SIGNATURE = "fn(texts: Sequence[str]) -> list of Scores, float or {category: float}"


class CallableClassifier:
    """A classifier made of a function from texts to one score a text.

    A score is a Scores, a number (the toxicity), or a mapping from categories to numbers; a mapping without
    toxicity gets the highest of its values. All numbers are in [0, 1], higher is more toxic.

    >>> classifier = CallableClassifier(lambda texts: [0.9 if "idiot" in text else 0.0 for text in texts])
    >>> [scores.toxicity for scores in classifier.classify(["You idiot.", "Good day."])]
    [0.9, 0.0]
    """

    def __init__(self, function: Callable[[Sequence[str]], Sequence[Score]]) -> None:
        """Wrap a function.

        Raises:
            ConfigError: If it is not callable, or async.
        """
        require_sync_callable(function, role="classifier", signature=_SIGNATURE)
        self._function = function

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        """Return one Scores for each text, in order.

        Raises:
            ClassifierError: If the function raises, or does not return one score in [0, 1] a text.
        """
        if not texts:
            return []
        returned = call(self._function, texts, role="classifier", error=ClassifierError)
        if isinstance(returned, (str, bytes, Mapping)) or not hasattr(returned, "__len__"):
            raise ClassifierError(f"expected a function like {_SIGNATURE}, got a {type(returned).__name__}")
        if len(returned) != len(texts):
            raise ClassifierError(f"expected {len(texts)} scores, one a text, got {len(returned)}")
        return [_scores(score) for score in returned]


def _scores(score: object) -> Scores:
    if isinstance(score, Scores):
        return score
    if isinstance(score, Mapping):
        if not score or not score.keys() <= set(CATEGORIES):
            raise ClassifierError(
                f"expected a mapping with keys among {', '.join(CATEGORIES)}, got another key or none"
            )
        values = {category: _probability(value) for category, value in score.items()}
        return Scores.model_validate({"toxicity": max(values.values()), **values})
    return Scores(toxicity=_probability(score))


def _probability(value: object) -> float:
    if isinstance(value, SupportsFloat):
        with suppress(TypeError, ValueError):  # an array of several numbers
            number = float(value)
            if 0.0 <= number <= 1.0:
                return number
            raise ClassifierError(f"expected scores in [0, 1], got {number}")
    raise ClassifierError(f"expected scores to be numbers in [0, 1], got a {type(value).__name__}")
