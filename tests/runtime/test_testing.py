"""The fakes are parts like any other, and the conformance classes catch parts that are not."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest

from cpguard import Encoder, RewriteRequest, Scores, TextSpan
from cpguard.testing import (
    ClassifierConformance,
    FakeClassifier,
    FakeEncoder,
    FakeRewriter,
    RewriterConformance,
)


class TestFakeClassifierConforms(ClassifierConformance):
    toxic_text = "You idiot."

    @pytest.fixture
    def classifier(self):
        return FakeClassifier()


class TestFakeRewriterWithATableConforms(RewriterConformance):
    @pytest.fixture
    def rewriter(self):
        return FakeRewriter({"You idiot.": "I disagree."})


class TestFakeRewriterWithAFunctionConforms(RewriterConformance):
    @pytest.fixture
    def rewriter(self):
        return FakeRewriter(str.upper)


def test_the_fake_classifier_scores_whole_words_whatever_their_case():
    classifier = FakeClassifier(["darn"], category="profanity", score=0.8)

    assert classifier.classify(["Darn it", "darning", ""]) == [
        Scores(toxicity=0.8, profanity=0.8),
        Scores(toxicity=0.0, profanity=0.0),
        Scores(toxicity=0.0, profanity=0.0),
    ]


def test_the_fake_classifier_counts_calls_and_texts():
    classifier = FakeClassifier()
    classifier.classify(["a", "b"])
    classifier.classify(["c"])

    assert (classifier.calls, classifier.texts) == (2, ["a", "b", "c"])


def test_a_fake_classifier_without_words_finds_all_clean():
    assert FakeClassifier([]).classify(["idiot", ""]) == [Scores(toxicity=0.0)] * 2


def test_the_fake_rewriter_answers_by_its_table_and_counts():
    rewriter = FakeRewriter({"a": "b", "c": ["d", "e"]})
    requests = [RewriteRequest(text=text) for text in "acx"]

    assert rewriter.rewrite(requests) == [["b"], ["d", "e"], []]
    assert (rewriter.calls, rewriter.requests) == (1, requests)


def test_the_fake_encoder_embeds_words():
    encoder = FakeEncoder()
    same, order, part, other = encoder.embed(["a cat sat", "Sat a cat!", "a cat ran", "dogs bark loudly"])

    assert isinstance(encoder, Encoder)
    assert same.dtype == np.float32
    assert same @ order == pytest.approx(1.0)
    assert same @ part == pytest.approx(2 / 3)
    assert same @ other == pytest.approx(0.0)
    assert np.linalg.norm(encoder.embed(["", "…"]), axis=1) == pytest.approx(1.0)


def test_the_fake_encoder_finds_its_words():
    spans = FakeEncoder(["darn"]).toxic_spans(["Oh darn, darn.", "fine"])

    assert spans == [[TextSpan(start=3, end=7), TextSpan(start=9, end=13)], []]


class Broken:
    """A classifier that breaks one promise, chosen by name."""

    def __init__(self, fault):
        self.fault = fault
        self.seen = itertools.count()
        self.last = ""
        self.barrier = threading.Barrier(2)

    def classify(self, texts):
        texts = list(texts)
        faults = {
            "returns a tuple": lambda: (Scores(toxicity=0.0),) * len(texts),
            "returns numbers": lambda: [0.5] * len(texts),
            "forgets one": lambda: [Scores(toxicity=0.0)] * (len(texts) - 1),
            "fails on no texts": lambda: [Scores(toxicity=0.0)] * max(len(texts), 1),
            "drifts": lambda: [Scores(toxicity=next(self.seen) % 7 / 10) for _ in texts],
            "depends on the batch": lambda: [Scores(toxicity=min(1.0, len(texts) / 10)) for _ in texts],
            "depends on the place": lambda: [Scores(toxicity=i / len(texts)) for i in range(len(texts))],
            "chokes on surrogates": lambda: [Scores(toxicity=len(text.encode()) and 0.0) for text in texts],
            "reads only the start": lambda: [Scores(toxicity=float("idiot" in text[:512])) for text in texts],
        }
        return faults[self.fault]()


@pytest.mark.parametrize(
    ("fault", "test"),
    [
        ("returns a tuple", "test_each_text_gets_one_scores"),
        ("returns numbers", "test_each_text_gets_one_scores"),
        ("forgets one", "test_each_text_gets_one_scores"),
        ("fails on no texts", "test_no_texts_give_no_scores"),
        ("drifts", "test_scores_do_not_depend_on_the_batch"),
        ("depends on the batch", "test_scores_do_not_depend_on_the_batch"),
        ("depends on the place", "test_scores_do_not_depend_on_the_batch"),
        ("chokes on surrogates", "test_odd_texts_are_scored"),
        ("reads only the start", "test_a_toxic_text_is_flagged_even_at_the_end_of_a_long_one"),
    ],
)
def test_a_broken_classifier_fails_its_conformance_test(fault, test):
    class Case(ClassifierConformance):
        toxic_text = "You idiot."

    with pytest.raises((AssertionError, UnicodeEncodeError)):
        getattr(Case(), test)(Broken(fault))


class Shared:
    """A classifier that keeps the current texts on itself: two threads at once get each other's."""

    def __init__(self):
        self.texts = []

    def classify(self, texts):
        self.texts = texts
        threading.Event().wait(0.01)
        return [Scores(toxicity=int(text.rstrip(".").split()[-1]) / 10) for text in self.texts]


def test_a_classifier_that_mixes_threads_fails_its_conformance_test():
    with pytest.raises(AssertionError, match="apart"):
        ClassifierConformance().test_threads_get_the_scores_of_their_own_texts(Shared())


@pytest.mark.parametrize("answer", [[["a"]], [[], [], []], ["a", "b"], [[1], []], ([], [])])
def test_a_broken_rewriter_fails_its_conformance_test(answer):
    class Rewriter:
        def rewrite(self, requests):
            return answer

    with pytest.raises(AssertionError, match="expected"):
        RewriterConformance().test_each_request_gets_a_list_of_strings(Rewriter())


def test_a_part_without_its_method_fails_its_conformance_test():
    with pytest.raises(AssertionError, match="classify"):
        ClassifierConformance().test_it_follows_the_protocol(object())
    with pytest.raises(AssertionError, match="rewrite"):
        RewriterConformance().test_it_follows_the_protocol(object())


def test_it_imports_without_pytest():
    code = "import sys; sys.modules['pytest'] = None; import cpguard.testing"

    subprocess.run([sys.executable, "-c", code], check=True)
