"""The classifier that ships: what a user can count on, on the very files in the package."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from cpguard.classifiers.embedded import BUNDLED, EmbeddedClassifier, load
from cpguard.errors import ClassifierError, ConfigError, InputError
from cpguard.protocols import Classifier, Encoder
from cpguard.results import CATEGORIES

CLEAN = [
    "Have a lovely day!",
    "The meeting is at ten, in room 204.",
    "How do I kill a process in Linux?",
    "My grandmother is a proud Muslim woman from Leeds.",
    "The doctor said the breast scan showed no cancer.",
    "Photosynthesis turns light, water and carbon dioxide into sugar.",
]
TOXIC = [
    "you idiot",
    "This is fucking stupid.",
    "Shut up, nobody cares what a moron like you thinks.",
    "You are a pathetic loser and everyone hates you.",
    "What a piece of shit this update is.",
]


@pytest.fixture(scope="module")
def classifier():
    return EmbeddedClassifier()


def flagged(classifier, text):
    (scores,) = classifier.classify([text])
    return any(value >= classifier.thresholds[name] for name, value in scores.computed().items())


def marked(classifier, text):
    return [text[span.start : span.end] for span in classifier.toxic_spans([text])[0]]


def test_it_is_a_classifier_and_an_encoder(classifier):
    assert isinstance(classifier, Classifier)
    assert isinstance(classifier, Encoder)
    assert set(classifier.thresholds) == set(CATEGORIES)


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_is_not_flagged(classifier, text):
    assert not flagged(classifier, text)


@pytest.mark.parametrize("text", TOXIC)
def test_toxic_text_is_flagged(classifier, text):
    assert flagged(classifier, text)


@pytest.mark.parametrize(
    "text", ["you st\u200bupid id\u200biot", "YOU IDIOT", "you ｉｄｉｏｔ", "you idi\u043et", "you id1ot"]
)
def test_disguised_words_are_seen(classifier, text):
    assert flagged(classifier, text)


def test_categories_mean_what_they_say(classifier):
    threat, profane, insult = classifier.classify(
        ["I will find you and kill you.", "What the fuck is this shit?", "You are such an idiot."]
    )
    assert threat.threat > max(profane.threat, insult.threat)
    assert profane.profanity > max(threat.profanity, insult.profanity)
    assert insult.insult > max(profane.insult, threat.insult)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b", "\x00"])
def test_text_without_words_scores_zero(classifier, text):
    (scores,) = classifier.classify([text])
    assert set(scores.computed().values()) == {0.0}
    assert classifier.toxic_spans([text]) == [[]]
    assert np.linalg.norm(classifier.embed([text])[0]) == pytest.approx(1.0, abs=1e-3)


def test_no_text_gives_no_result(classifier):
    assert classifier.classify([]) == []
    assert classifier.toxic_spans([]) == []
    assert len(classifier.embed([])) == 0


@pytest.mark.parametrize(
    "text", ["\ud800\udc00\ud800", "مرحبا كيف حالك", "😀😀😀", "x" * 5000, "你好，世界", "a\x00b"]
)
def test_odd_text_is_scored_like_any_other(classifier, text):
    assert len(classifier.analyse([text])) == 1
    for span in classifier.toxic_spans([text])[0]:
        assert 0 <= span.start < span.end <= len(text)


def test_a_wrong_item_is_named_by_its_place(classifier):
    with pytest.raises(InputError, match=r"texts\[1\] must be a str, got bytes"):
        classifier.classify(["fine", b"bytes"])
    assert len(classifier.classify(["still usable"])) == 1


@pytest.mark.parametrize("place", [0, 2_500, 4_999])
def test_toxicity_anywhere_in_a_long_text_is_seen(classifier, place):
    words = ("The river runs past the old mill and on to the sea. " * 500).split()[:5000]
    words.insert(place, "You fucking idiot, shut up!")
    text = " ".join(words)
    (analysis,) = classifier.analyse([text])
    assert analysis.scores.toxicity >= classifier.thresholds["toxicity"]
    assert "fucking" in [text[span.start : span.end] for span in analysis.spans]


def test_a_long_clean_text_is_not_flagged(classifier):
    assert not flagged(classifier, "The river runs past the old mill and on to the sea. " * 100)


def test_marks_are_whole_words_of_the_original_text(classifier):
    text = "😀 Well, y\u200bou st\u200bupid idiots 😀 made a good point."
    found = marked(classifier, text)
    assert "idiots" in found
    assert "st\u200bupid" in found
    assert not {"point", "good", "made", "Well"} & set(found)


def test_marks_are_in_order_and_do_not_overlap(classifier):
    spans = classifier.toxic_spans(["Shut up you stupid idiot. " * 40])[0]
    assert all(a.end <= b.start for a, b in pairwise(spans))


def test_a_batch_gives_what_single_calls_give(classifier):
    texts = CLEAN + TOXIC + ["", "a longer text that makes the others be padded " * 4]
    together = classifier.analyse(texts)
    for text, one in zip(texts, together, strict=True):
        (alone,) = classifier.analyse([text])
        for name in CATEGORIES:
            assert getattr(alone.scores, name) == pytest.approx(getattr(one.scores, name), abs=1e-3)
        assert float(alone.embedding @ one.embedding) > 0.9999
        assert alone.spans == one.spans


def test_order_and_repeats_are_kept(classifier):
    first, second, third = classifier.classify(["you idiot", "good morning", "you idiot"])
    assert first == third
    assert first.toxicity > second.toxicity


def test_embeddings_are_close_for_close_meanings(classifier):
    cat, kitten, tax = classifier.embed(
        ["The cat sleeps on the sofa.", "A kitten is napping on the couch.", "Taxes are due in April."]
    )
    assert cat @ kitten > 0.6 > 0.4 > cat @ tax
    assert np.linalg.norm(cat) == pytest.approx(1.0, abs=1e-3)


def test_removing_an_insult_keeps_most_of_the_meaning(classifier):
    source, rewrite, other = classifier.embed(
        ["The report is late again, you idiot.", "The report is late again.", "I like green apples."]
    )
    assert source @ rewrite > 0.6 > source @ other


def test_threads_share_one_model_and_agree():
    fresh = EmbeddedClassifier()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fresh.classify(["you idiot", "good day"]), range(16)))
    assert all(scores == found[0] for scores in found)


def test_it_can_be_copied_and_pickled(classifier):
    for twin in (copy.deepcopy(classifier), pickle.loads(pickle.dumps(classifier))):
        assert twin.folder == classifier.folder
        assert twin.thresholds == classifier.thresholds


def test_nothing_is_loaded_before_the_first_text():
    code = (
        "import sys; from cpguard.classifiers.embedded import load; load('');"
        "print(sorted({'onnxruntime', 'tokenizers', 'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_without_a_classifier_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is not a classifier folder"):
        load(str(tmp_path))


def test_a_wrong_key_in_the_config_is_named(tmp_path):
    config = json.loads((BUNDLED / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"treshold": 1}))
    with pytest.raises(ConfigError, match="treshold: Extra inputs"):
        load(str(tmp_path))


def test_a_broken_model_file_is_reported_without_contents(tmp_path):
    (tmp_path / "config.json").write_text((BUNDLED / "config.json").read_text())
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ClassifierError, match=r"cannot load model\.onnx"):
        load(str(tmp_path)).classify(["text"])
