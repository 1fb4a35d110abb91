"""Detoxify's checkpoints as classifiers: `detoxify:original|unbiased|multilingual` and `detoxify:<path>`.

The detoxify package fetches configurations at construction and unpickles checkpoints freely. Here a
checkpoint is read with `weights_only=True` onto a model whose shape is written below, and the tokenizer
is taken from the checkpoint's folder, else from the Hugging Face cache or hub. Only loading may fetch.
"""

from __future__ import annotations

import pickle  # for the name of one exception; nothing is unpickled with it
import urllib.error
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from cpguard._extras import require
from cpguard.classifiers._hub import TOKENIZER_FILES, pulling_forbidden, snapshot
from cpguard.classifiers._torch_batches import TorchBatches
from cpguard.errors import BaseModelError, BaseModelMissingError, ConfigError
from cpguard.results import Category, Scores

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CATEGORY_OF_CLASS: Mapping[str, Category] = {
    "toxic": "toxicity",
    "toxicity": "toxicity",
    "severe_toxic": "severe_toxicity",
    "severe_toxicity": "severe_toxicity",
    "obscene": "profanity",
    "insult": "insult",
    "threat": "threat",
    "identity_hate": "identity_attack",
    "identity_attack": "identity_attack",
    "sexual_explicit": "sexually_explicit",
}
"""What detoxify calls a class, and what cpguard calls it."""


class Architecture(NamedTuple):
    """A pretrained architecture: the prefix of its transformers classes and its published shape."""

    prefix: str
    shape: Mapping[str, int | float | str]


_ROBERTA: Mapping[str, int | float | str] = {
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
ARCHITECTURES: Mapping[str, Architecture] = {
    "bert-base-uncased": Architecture("Bert", {"vocab_size": 30522}),
    "roberta-base": Architecture("Roberta", {**_ROBERTA, "vocab_size": 50265}),
    "xlm-roberta-base": Architecture("XLMRoberta", {**_ROBERTA, "vocab_size": 250002}),
    "albert-base-v2": Architecture(
        "Albert",
        {
            "vocab_size": 30000,
            "hidden_size": 768,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "hidden_act": "gelu_new",
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
        },
    ),
}
"""By the `model_type` in a checkpoint; what is not written is the default of the class in transformers."""

_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model")


class _Layout(BaseModel):
    """The parts of a checkpoint's configuration that are read."""

    model_type: str
    num_classes: int = Field(ge=1)
    classes: list[str] = Field(min_length=1)

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any]) -> _Layout:
        config = checkpoint["config"]
        return cls(**config["arch"]["args"], classes=config["dataset"]["args"]["classes"])


class DetoxifyClassifier:
    """Scores texts with a detoxify checkpoint; categories it was not trained on stay None."""

    def __init__(self, checkpoint: Path, *, batch_size: int = 32) -> None:
        """Load a checkpoint.

        Args:
            checkpoint: A file in detoxify's layout. Beside it may lie tokenizer files, and a config.json
                if its shape is not the published one.
            batch_size: Windows of up to 512 tokens a forward pass.

        Raises:
            ConfigError: If it is not a detoxify checkpoint, or holds anything but tensors and plain data.
            BaseModelMissingError: If no tokenizer is found and none may be fetched.
            MissingExtraError: If torch or transformers is not installed.
        """
        layout, state = _read(checkpoint)
        if layout.model_type not in ARCHITECTURES:
            raise ConfigError(
                f"{checkpoint} is built on '{layout.model_type}'; known: {', '.join(sorted(ARCHITECTURES))}"
            )
        self._columns: list[tuple[Category, int]] = [
            (CATEGORY_OF_CLASS[name], column)
            for column, name in enumerate(layout.classes)
            if name in CATEGORY_OF_CLASS
        ]
        if "toxicity" not in dict(self._columns):
            raise ConfigError(f"{checkpoint} has no toxicity class; it has: {', '.join(layout.classes)}")
        model = _model(checkpoint, layout, state)
        tokenizer = _tokenizer(checkpoint, layout, model.config.vocab_size)
        self._batches = TorchBatches(model, tokenizer, batch_size=batch_size)

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        """Return one Scores for each text, in order; a long text scores what its highest window does."""
        if not texts:
            return []
        # The unbiased checkpoints have more outputs than classes: identity mentions, which are not toxic.
        probabilities = self._batches.highest(texts, lambda logits: logits.float().sigmoid())
        return [
            Scores.model_validate({category: row[column] for category, column in self._columns})
            for row in probabilities.tolist()
        ]


def load(argument: str) -> DetoxifyClassifier:
    """Return the classifier for `detoxify:<argument>`: a model of the detoxify package, or a path.

    Raises:
        ConfigError: If the argument is neither, or the file is not a detoxify checkpoint.
        BaseModelMissingError: If something would have to be fetched and CPGUARD_OFFLINE=1 forbids it.
        BaseModelError: If fetching fails.
        MissingExtraError: If the extra for it is not installed.
    """
    path = Path(argument).expanduser()
    return DetoxifyClassifier(path if argument and path.is_file() else _published(argument or "original"))


def _published(name: str) -> Path:
    """Return the path of a published checkpoint, fetched into torch.hub's cache if it is not there."""
    urls: Mapping[str, str] = require("detoxify.detoxify", extra="detoxify").MODEL_URLS
    if name not in urls:
        near = get_close_matches(name, urls, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"detoxify:{name} is neither a file nor one of: {', '.join(urls)}.{hint}")
    hub = require("torch", extra="torch").hub
    path = Path(hub.get_dir()) / "checkpoints" / urls[name].rsplit("/", 1)[-1]
    if path.is_file():
        return path
    if pulling_forbidden():
        raise BaseModelMissingError(
            f"the checkpoint of detoxify:{name} is not at {path}, and CPGUARD_OFFLINE=1 forbids fetching it. "
            f"Put the file of {urls[name]} there, or unset CPGUARD_OFFLINE"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # The hash in the published names is of an earlier save of the same weights: it cannot be checked.
        hub.download_url_to_file(urls[name], str(path))
    except (urllib.error.URLError, OSError) as exc:
        raise BaseModelError(f"cannot fetch {urls[name]} to {path}: {exc}") from exc
    return path


def _read(checkpoint: Path) -> tuple[_Layout, dict[str, torch.Tensor]]:
    torch = require("torch", extra="torch")
    try:
        loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as exc:
        raise ConfigError(
            f"{checkpoint} was refused: a checkpoint may hold tensors and plain data only, never code"
        ) from exc
    except (OSError, EOFError, RuntimeError) as exc:
        raise ConfigError(f"{checkpoint} cannot be read; delete it and fetch it again") from exc
    try:
        return _Layout.of(loaded), dict(loaded["state_dict"])
    except (KeyError, TypeError, ValueError, ValidationError) as exc:
        raise ConfigError(
            f"{checkpoint} is not a detoxify checkpoint: expected config.arch.args, "
            "config.dataset.args.classes and state_dict"
        ) from exc


def _model(checkpoint: Path, layout: _Layout, state: dict[str, torch.Tensor]) -> PreTrainedModel:
    transformers = require("transformers", extra="torch")
    prefix, shape = ARCHITECTURES[layout.model_type]
    config_class = getattr(transformers, f"{prefix}Config")
    beside = checkpoint.with_name("config.json")
    config = config_class.from_json_file(beside) if beside.is_file() else config_class(**shape)
    config.num_labels = layout.num_classes
    model: PreTrainedModel = getattr(transformers, f"{prefix}ForSequenceClassification")(config)
    # A buffer that transformers saved until 2023 and now computes.
    weights = {name: tensor for name, tensor in state.items() if not name.endswith(".position_ids")}
    try:
        model.load_state_dict(weights)
    except RuntimeError as exc:
        raise ConfigError(
            f"the weights in {checkpoint} do not have the shape of {layout.model_type}; if that is right, "
            "put the model's config.json beside it"
        ) from exc
    return model


def _tokenizer(checkpoint: Path, layout: _Layout, size: int) -> PreTrainedTokenizerBase:
    """Return the tokenizer beside the checkpoint, else the published one; it must have `size` tokens."""
    transformers = require("transformers", extra="torch")
    tokenizer_class = getattr(transformers, f"{ARCHITECTURES[layout.model_type].prefix}Tokenizer")
    beside = any(checkpoint.with_name(name).is_file() for name in _VOCABULARIES)
    source = checkpoint.parent if beside else snapshot(layout.model_type, TOKENIZER_FILES)
    tokenizer: PreTrainedTokenizerBase = tokenizer_class.from_pretrained(source, local_files_only=True)
    # transformers makes an all-but-empty tokenizer of missing files, and then every word is unknown.
    if len(tokenizer) != size:
        raise ConfigError(
            f"the tokenizer in {source} has {len(tokenizer)} tokens, the model in {checkpoint} {size}; "
            f"put the tokenizer.json of {layout.model_type} beside the checkpoint"
        )
    return tokenizer
