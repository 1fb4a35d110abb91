"""`hf:` on a tiny model with random weights: labels, batches and loading are tested, not judgement."""

from __future__ import annotations

import math
import os
import socket
import sys
from fnmatch import fnmatch

import pytest

from cpguard import ConfigError, MissingExtraError
from cpguard.classifiers.hf import HfClassifier, load
from cpguard.errors import BaseModelMissingError
from cpguard.registry import load_classifier
from cpguard.testing import ClassifierConformance

transformers = pytest.importorskip("transformers", reason="needs the extra cpguard[torch]")
torch = pytest.importorskip("torch", reason="needs the extra cpguard[torch]")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "morning", "you", "idiot", "the", "train"]


def save_tokenizer(directory):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(directory)


def save_model(directory, labels, *, problem_type=None, bias=None):
    """Save a random model; with a bias, its logits are that bias whatever the text."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        initializer_range=1.0,  # wide enough that texts score differently
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=24,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        problem_type=problem_type,
    )
    model = transformers.BertForSequenceClassification(config)
    if bias is not None:
        torch.nn.init.zeros_(model.classifier.weight)
        model.classifier.bias.data = torch.tensor(bias)
    model.save_pretrained(directory)
    save_tokenizer(directory)
    return directory


def scores_of(directory, names, bias, problem_type=None, **arguments):
    save_model(directory, names, bias=bias, problem_type=problem_type)
    return HfClassifier(directory, **arguments).classify(["good morning"])[0].computed()


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    directory = save_model(tmp_path_factory.mktemp("hf"), ["neutral", "toxic"])
    return load_classifier(f"hf:{directory}")


class TestRandomWeightsConform(ClassifierConformance):
    """With the fixture `classifier` above."""


def test_two_labels_are_a_softmax(tmp_path):
    scores = scores_of(tmp_path, ["neutral", "toxic"], [0.0, math.log(3)])

    assert scores == pytest.approx({"toxicity": 0.75}, abs=1e-6)


def test_the_toxic_label_is_found_by_its_name_not_its_place(tmp_path):
    scores = scores_of(tmp_path, ["Toxic", "Non-Toxic"], [math.log(3), 0.0])

    assert scores == pytest.approx({"toxicity": 0.75}, abs=1e-6)


def test_label_1_of_two_unnamed_labels_is_toxic(tmp_path):
    scores = scores_of(tmp_path, ["LABEL_0", "LABEL_1"], [0.0, math.log(4)])

    assert scores == pytest.approx({"toxicity": 0.8}, abs=1e-6)


def test_a_single_logit_is_a_sigmoid(tmp_path):
    scores = scores_of(tmp_path, ["LABEL_0"], [math.log(9)])

    assert scores == pytest.approx({"toxicity": 0.9}, abs=1e-6)


def test_a_single_logit_of_another_name_is_not_guessed(tmp_path):
    save_model(tmp_path, ["spam"])

    with pytest.raises(ConfigError, match="cannot tell what these labels mean: spam"):
        HfClassifier(tmp_path)


def test_multi_label_models_give_each_label_its_sigmoid_and_leave_the_rest_uncomputed(tmp_path):
    labels = ["toxicity", "obscene", "identity_hate", "sexual_explicit", "female"]
    logits = [math.log(4), 0.0, math.log(3), -math.log(3), 5.0]

    scores = scores_of(tmp_path, labels, logits, "multi_label_classification")

    assert scores == pytest.approx(
        {"toxicity": 0.8, "profanity": 0.5, "identity_attack": 0.75, "sexually_explicit": 0.25}, abs=1e-6
    )


def test_exclusive_labels_add_up_to_the_toxicity(tmp_path):
    scores = scores_of(tmp_path, ["normal", "hate speech", "offensive"], [math.log(2), 0.0, 0.0])

    assert scores == pytest.approx({"toxicity": 0.5, "identity_attack": 0.25}, abs=1e-6)


def test_without_a_toxicity_label_the_highest_of_the_others_is_the_toxicity(tmp_path):
    labels = ["insult", "threat", "obscene"]

    scores = scores_of(tmp_path, labels, [0.0, math.log(3), math.log(4)])

    assert scores == pytest.approx(
        {"toxicity": 0.8, "insult": 0.5, "threat": 0.75, "profanity": 0.8}, abs=1e-6
    )


def test_unknown_labels_are_named_with_the_way_to_map_them(tmp_path):
    save_model(tmp_path, ["joy", "anger", "toxic"])

    with pytest.raises(ConfigError, match=r"joy, anger \(of: joy, anger, toxic\).*labels=\{'joy'"):
        HfClassifier(tmp_path)


def test_given_labels_decide_what_counts(tmp_path):
    scores = scores_of(
        tmp_path, ["joy", "anger", "contempt"], [math.log(2), 0.0, 0.0], labels={"contempt": "insult"}
    )

    assert scores == pytest.approx({"toxicity": 0.25, "insult": 0.25}, abs=1e-6)


def test_given_labels_must_exist(tmp_path):
    save_model(tmp_path, ["joy", "anger"])

    with pytest.raises(ConfigError, match="no label fury; it has: joy, anger"):
        HfClassifier(tmp_path, labels={"fury": "toxicity"})


def test_given_categories_must_exist(tmp_path):
    save_model(tmp_path, ["joy", "anger"])

    with pytest.raises(ConfigError, match="no such category: rage"):
        HfClassifier(tmp_path, labels={"anger": "rage"})


def test_a_model_without_a_toxic_label_is_refused(tmp_path):
    save_model(tmp_path, ["neutral", "normal"])

    with pytest.raises(ConfigError, match="none of the model's labels is toxic"):
        HfClassifier(tmp_path)


def test_a_regression_is_refused(tmp_path):
    save_model(tmp_path, ["toxicity"], problem_type="regression")

    with pytest.raises(ConfigError, match="regression"):
        HfClassifier(tmp_path)


def test_a_long_text_scores_what_its_highest_window_scores(classifier):
    words = ["good", "you"] * 40 + ["good", "morning"] * 3

    whole = classifier.classify([" ".join(words)])[0].toxicity
    # 24 positions are 22 words a window, neighbours share 6: windows start at words 0, 16, 32, 48 and 64.
    windows = [" ".join(words[start : start + 22]) for start in range(0, 65, 16)]
    scores = [s.toxicity for s in classifier.classify(windows)]

    assert whole == pytest.approx(max(scores), abs=1e-5)
    assert max(scores) > scores[0] + 0.01  # the first window alone would not do


def test_weights_that_are_not_safetensors_are_refused(tmp_path):
    save_model(tmp_path, ["neutral", "toxic"])
    (tmp_path / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")

    with pytest.raises(ConfigError, match="Weights in a pickle are refused"):
        HfClassifier(tmp_path)


def test_a_model_without_a_classification_head_is_refused_rather_than_given_a_random_one(tmp_path):
    save_model(tmp_path, ["LABEL_0", "LABEL_1"])
    transformers.BertModel.from_pretrained(tmp_path).save_pretrained(tmp_path)

    with pytest.raises(ConfigError, match=r"no weights for classifier\.bias, classifier\.weight"):
        HfClassifier(tmp_path)


def test_offline_a_model_that_is_not_cached_is_a_typed_error_with_the_command(monkeypatch):
    monkeypatch.setenv("CPGUARD_OFFLINE", "1")

    with pytest.raises(BaseModelMissingError, match="hf download example/never-cached"):
        load("example/never-cached")


def test_a_missing_argument_says_what_to_write():
    with pytest.raises(ConfigError, match="hf:<id on the hub>"):
        load("")


def test_without_transformers_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'cpguard\[torch\]'"):
        HfClassifier(tmp_path)


def test_loading_leaves_the_environment_alone(tmp_path):
    save_model(tmp_path, ["neutral", "toxic"])
    before = dict(os.environ)

    HfClassifier(tmp_path)

    assert dict(os.environ) == before


def test_a_local_model_is_loaded_and_run_without_the_network(tmp_path, monkeypatch):
    save_model(tmp_path, ["neutral", "toxic"])
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address))

    HfClassifier(tmp_path).classify(["good morning"])

    assert asked == []


def test_when_fetching_fails_the_error_is_typed(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def refuse(*_, **__):
        raise OSError("no route")

    monkeypatch.delenv("CPGUARD_OFFLINE", raising=False)
    monkeypatch.setattr(hub, "snapshot_download", refuse)

    with pytest.raises(BaseModelMissingError, match=r"fetching failed \(OSError\)"):
        load("example/never-cached")


def test_what_is_fetched_is_neither_code_nor_pickle(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    wanted = []

    def fetch(model_id, *, allow_patterns, local_files_only):
        wanted.extend(allow_patterns)
        return str(save_model(tmp_path, ["neutral", "toxic"]))

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    load("example/classifier")

    for name in ("modeling.py", "pytorch_model.bin", "training_args.bin", "model.pkl"):
        assert not any(fnmatch(name, pattern) for pattern in wanted)
