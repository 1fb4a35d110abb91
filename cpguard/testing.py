"""For tests of code that uses cpguard, and of classifiers and rewriters made elsewhere. No models.

`FakeClassifier`, `FakeRewriter` and `FakeEncoder` are deterministic stand-ins that count what they are
asked. `ClassifierConformance` and `RewriterConformance` say what the guard relies on; subclass one in a
pytest module and give it the part as a fixture:

    class TestMyClassifier(ClassifierConformance):
        @pytest.fixture
        def classifier(self):
            return MyClassifier()
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cpguard.protocols import Classifier, Rewriter, RewriteRequest
from cpguard.results import Category, Scores, TextSpan

ODD_TEXTS: Mapping[str, str] = {
    "empty": "",
    "white space": " \t\n ",
    "NUL": "a\x00b",
    "lone surrogate": "a\ud800b",
    "emoji": "👩‍👩‍👧 ok 👍🏽",
    "right to left": "שלום עולם",
    "zero-width letters": "id\u200bi\u200bot",
    "one long word": "a" * 5_000,
    "long": "All is well with us today. " * 400,
}
"""Texts that every part must take, by what is odd about them."""


class FakeClassifier:
    """Scores a text by the words in it.

    Attributes:
        calls: How often `classify` was called.
        texts: Every text it was given, in order.
    """

    def __init__(
        self,
        words: Iterable[str] = ("idiot", "stupid"),
        *,
        category: Category = "toxicity",
        score: float = 0.99,
    ) -> None:
        """Choose the words.

        Args:
            words: Whole words that make a text toxic, whatever their case.
            category: The category they score in, beside toxicity.
            score: The score of a text with one of them, in [0, 1]; without, it is 0.
        """
        self.calls = 0
        self.texts: list[str] = []
        self._words = _any_of(words)
        self._categories = {"toxicity", category}
        self._score = score
        self._lock = Lock()

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        """Return one Scores for each text, in order."""
        with self._lock:
            self.calls += 1
            self.texts.extend(texts)
        return [
            Scores.model_validate(
                dict.fromkeys(self._categories, self._score if self._words.search(text) else 0.0)
            )
            for text in texts
        ]


class FakeRewriter:
    """Rewrites by a table or a function.

    Attributes:
        calls: How often `rewrite` was called.
        requests: Every request it was given, in order.
    """

    def __init__(
        self, rewrites: Mapping[str, str | Sequence[str]] | Callable[[str], str | Sequence[str]]
    ) -> None:
        """Choose the rewrites.

        Args:
            rewrites: Candidates for a text, best first, by a table or a function. A text that the table
                lacks gets none.
        """
        self.calls = 0
        self.requests: list[RewriteRequest] = []
        self._rewrites = rewrites
        self._lock = Lock()

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        """Return the candidates for each request."""
        with self._lock:
            self.calls += 1
            self.requests.extend(requests)
        return [self._candidates(request.text) for request in requests]

    def _candidates(self, text: str) -> list[str]:
        found = self._rewrites.get(text, ()) if isinstance(self._rewrites, Mapping) else self._rewrites(text)
        return [found] if isinstance(found, str) else list(found)


class FakeEncoder:
    """Embeds a text as the words in it, and finds toxic words by a list.

    The cosine of two texts is that of their word counts but for hash collisions: 1 for the same words,
    about 0 for none in common.
    """

    def __init__(self, words: Iterable[str] = ("idiot", "stupid"), *, size: int = 256) -> None:
        """Choose the toxic words (whole words, whatever their case) and the length of embeddings."""
        self._words = _any_of(words)
        self._size = size

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit-length embeddings of shape (len(texts), size)."""
        counts = np.zeros((len(texts), self._size), dtype=np.float32)
        for row, text in zip(counts, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                row[zlib.crc32(word.encode("utf-8", "replace")) % self._size] += 1.0
        unit: NDArray[np.float32] = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return unit

    def toxic_spans(self, texts: Sequence[str]) -> list[list[TextSpan]]:
        """Return the spans of the toxic words in each text."""
        return [
            [TextSpan(start=found.start(), end=found.end()) for found in self._words.finditer(text)]
            for text in texts
        ]


class ClassifierConformance:
    """Tests that every classifier must pass; subclasses give a fixture `classifier`.

    Attributes:
        tolerance: How far scores of one text may differ between batches; int8 models need a few hundredths.
        toxic_text: A short text that this classifier must flag, alone and at the end of a long clean text;
            None where there is none, as with random weights.
    """

    tolerance: ClassVar[float] = 1e-4
    toxic_text: ClassVar[str | None] = None

    def test_it_follows_the_protocol(self, classifier: Classifier) -> None:
        """It has what the guard calls."""
        _check(isinstance(classifier, Classifier), "expected a method classify(texts) -> list[Scores]")

    def test_no_texts_give_no_scores(self, classifier: Classifier) -> None:
        """An empty batch is not an error."""
        _check(classifier.classify([]) == [], "expected classify([]) == []")

    def test_each_text_gets_one_scores(self, classifier: Classifier) -> None:
        """A batch, as a list or a tuple, gives a list of as many Scores."""
        for texts in (["Good morning.", "See you later."], ("Good morning.", "See you later.", "Bye.")):
            scores = classifier.classify(texts)
            _check(isinstance(scores, list), f"expected a list, got {type(scores).__name__}")
            _check(len(scores) == len(texts), f"expected {len(texts)} scores, got {len(scores)}")
            _check(all(isinstance(one, Scores) for one in scores), "expected every item to be a Scores")

    def test_scores_do_not_depend_on_the_batch(self, classifier: Classifier) -> None:
        """Order, neighbours and padding do not change what a text scores."""
        texts = ["Good morning.", "You idiot.", "The train leaves at noon from the other platform. " * 5]
        together = classifier.classify(texts)
        _close(classifier.classify(texts[::-1])[::-1], together, self.tolerance)
        _close([classifier.classify([text])[0] for text in texts], together, self.tolerance)

    def test_odd_texts_are_scored(self, classifier: Classifier) -> None:
        """Nothing a string can hold makes it fail, alone or in a batch."""
        for name, text in ODD_TEXTS.items():
            _check(len(classifier.classify([text])) == 1, f"expected one Scores for the text: {name}")
        _check(
            len(classifier.classify(list(ODD_TEXTS.values()))) == len(ODD_TEXTS), "expected one Scores a text"
        )

    def test_threads_get_the_scores_of_their_own_texts(self, classifier: Classifier) -> None:
        """Calls from several threads at once do not mix."""
        texts = [f"Good morning, number {number}." for number in range(8)]
        alone = [classifier.classify([text])[0] for text in texts]
        with ThreadPoolExecutor(4) as pool:
            at_once = list(pool.map(lambda text: classifier.classify([text])[0], texts))
        _close(at_once, alone, self.tolerance)

    def test_a_toxic_text_is_flagged_even_at_the_end_of_a_long_one(self, classifier: Classifier) -> None:
        """No tail goes unseen."""
        if self.toxic_text is not None:
            alone, after = classifier.classify([self.toxic_text, ODD_TEXTS["long"] + self.toxic_text])
            _check(max(alone.computed().values()) >= 0.5, "expected the toxic text to score 0.5 or more")
            _check(max(after.computed().values()) >= 0.5, "expected the toxic tail of a long text to be seen")


class RewriterConformance:
    """Tests that every rewriter must pass; subclasses give a fixture `rewriter`."""

    def test_it_follows_the_protocol(self, rewriter: Rewriter) -> None:
        """It has what the guard calls."""
        _check(isinstance(rewriter, Rewriter), "expected a method rewrite(requests) -> list[list[str]]")

    def test_no_requests_give_no_candidates(self, rewriter: Rewriter) -> None:
        """An empty batch is not an error."""
        _check(rewriter.rewrite([]) == [], "expected rewrite([]) == []")

    def test_each_request_gets_a_list_of_strings(self, rewriter: Rewriter) -> None:
        """A batch gives as many lists of candidates, with context and sampling or without."""
        requests = [
            RewriteRequest(text="You idiot."),
            RewriteRequest(text="You idiot.", context="I asked twice.", n=3, temperature=0.7, seed=7),
        ]
        _candidates(rewriter, requests)

    def test_greedy_rewrites_are_repeatable(self, rewriter: Rewriter) -> None:
        """Temperature 0 gives the same candidates twice."""
        requests = [RewriteRequest(text="What a stupid idea.")]
        _check(rewriter.rewrite(requests) == rewriter.rewrite(requests), "expected the same candidates twice")

    def test_odd_texts_are_taken(self, rewriter: Rewriter) -> None:
        """Nothing a string can hold makes it fail; having no candidate is fine."""
        for text in ODD_TEXTS.values():
            _candidates(rewriter, [RewriteRequest(text=text)])

    def test_threads_are_served(self, rewriter: Rewriter) -> None:
        """Calls from several threads at once each get their own answer."""
        requests = [RewriteRequest(text=f"You idiot, number {number}.") for number in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda request: _candidates(rewriter, [request]), requests))


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words)) or '(?!)'})\b", re.IGNORECASE)


def _check(condition: object, expected: str) -> None:
    """Raise an AssertionError that needs no rewriting by pytest and quotes no text."""
    if not condition:
        raise AssertionError(expected)


def _close(got: Sequence[Scores], expected: Sequence[Scores], tolerance: float) -> None:
    for one, other in zip(got, expected, strict=True):
        values, others = one.computed(), other.computed()
        _check(values.keys() == others.keys(), "expected the same categories for the same text")
        apart = max(abs(values[category] - others[category]) for category in values)
        _check(apart <= tolerance, f"expected scores within {tolerance} of each other, got {apart:.2g} apart")


def _candidates(rewriter: Rewriter, requests: Sequence[RewriteRequest]) -> None:
    found = rewriter.rewrite(requests)
    _check(isinstance(found, list), f"expected a list, got {type(found).__name__}")
    _check(len(found) == len(requests), f"expected {len(requests)} lists of candidates, got {len(found)}")
    for candidates in found:
        _check(isinstance(candidates, list), f"expected a list, got {type(candidates).__name__}")
        _check(all(isinstance(text, str) for text in candidates), "expected candidates to be strings")
