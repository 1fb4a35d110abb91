"""Any sequence classifier in transformers' format: `hf:<id or local path>`.

Weights are read from safetensors only, and no code from a model's repository is run. Labels become
categories by their names, ignoring case, spaces, hyphens and underscores:

| label | category |
|---|---|
| toxic, toxicity, offensive, abusive, abuse, LABEL_1 of two, LABEL_0 of one | toxicity |
| severe_toxic, severe_toxicity | severe_toxicity |
| insult, insulting | insult |
| obscene, obscenity, profane, profanity, vulgar | profanity |
| threat, threatening, violence | threat |
| identity_attack, identity_hate, hate, hateful, hate_speech | identity_attack |
| sexual, sexual_explicit, sexually_explicit | sexually_explicit |
| non_toxic, neutral, clean, safe, normal, ... ; mentions of a group, such as female | none: not toxic |

Another label is an error, unless `labels` says what every label that matters means. Without a label for
toxicity, it is the highest of the others; where the labels exclude each other, it is the sum of all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cpguard._extras import require
from cpguard.classifiers._hub import TOKENIZER_FILES, snapshot
from cpguard.classifiers._torch_batches import TorchBatches
from cpguard.errors import ConfigError
from cpguard.results import CATEGORIES, Category, Scores

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_FILES = (*TOKENIZER_FILES, "config.json", "*.safetensors", "*.safetensors.index.json")
_NAMES: Mapping[Category, str] = {
    "toxicity": "toxic toxicity offensive abusive abuse",
    "severe_toxicity": "severetoxic severetoxicity",
    "insult": "insult insulting",
    "profanity": "obscene obscenity profane profanity vulgar",
    "threat": "threat threatening violence",
    "identity_attack": "identityattack identityhate hate hateful hatespeech",
    "sexually_explicit": "sexual sexualexplicit sexuallyexplicit",
}
CATEGORY_OF_LABEL: Mapping[str, Category] = {
    name: category for category, names in _NAMES.items() for name in names.split()
}
_NOT_TOXIC = """
    nontoxic nottoxic neutral clean safe normal none ok neither nothate nonhate nonhateful nothatespeech
    notoffensive nonoffensive notabusive acceptable appropriate
"""
NOT_TOXIC = frozenset(_NOT_TOXIC.split())
_MENTIONS = """
    male female transgender homosexualgayorlesbian bisexual heterosexual christian jewish muslim hindu
    buddhist atheist black white asian latino psychiatricormentalillness physicaldisability
"""
MENTIONS = frozenset(_MENTIONS.split())


class HfClassifier:
    """Scores texts with a sequence classifier of transformers; categories it lacks stay None."""

    def __init__(
        self, model: str | Path, *, labels: Mapping[str, Category] | None = None, batch_size: int = 32
    ) -> None:
        """Load a model and its tokenizer.

        Args:
            model: A local directory, or an id on the Hugging Face hub (cached, else fetched now).
            labels: Category of each label that matters, overriding the table above; the others are ignored.
            batch_size: Windows of up to 512 tokens a forward pass.

        Raises:
            ConfigError: If it is not a classifier in safetensors, a label or its category is unknown, or
                the outputs are not class scores.
            BaseModelMissingError: If it is not on this machine and cannot or may not be fetched.
            MissingExtraError: If torch or transformers is not installed.
        """
        directory = Path(model) if Path(model).is_dir() else snapshot(str(model), _FILES)
        network, tokenizer = _load(directory)
        names = _label_names(network.config)
        self._columns = _columns(names, labels)
        toxic = {index for columns in self._columns.values() for index in columns}
        self._exclusive = _exclusive(network.config.problem_type, names, toxic)
        if self._exclusive or "toxicity" not in self._columns:
            self._columns["toxicity"] = sorted(toxic)
        self._batches = TorchBatches(network, tokenizer, batch_size=batch_size)

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        """Return one Scores for each text, in order; a long text scores what its highest window does."""
        if not texts:
            return []
        rows = self._batches.highest(texts, self._by_category)
        return [Scores.model_validate(dict(zip(self._columns, row, strict=True))) for row in rows.tolist()]

    def _by_category(self, logits: torch.Tensor) -> torch.Tensor:
        """Return scores of shape (W, categories) for logits of shape (W, labels)."""
        stack: Callable[..., torch.Tensor] = require("torch", extra="torch").stack
        values = logits.float()
        if self._exclusive:
            probabilities = values.softmax(dim=-1)
            parts = [probabilities[:, columns].sum(dim=-1) for columns in self._columns.values()]
        else:
            probabilities = values.sigmoid()
            parts = [probabilities[:, columns].amax(dim=-1) for columns in self._columns.values()]
        return stack(parts, dim=-1).clamp(0.0, 1.0)


def load(argument: str) -> HfClassifier:
    """Return the classifier for `hf:<argument>`; see HfClassifier for what it raises."""
    if not argument:
        raise ConfigError("hf needs a model: hf:<id on the hub> or hf:<local directory>")
    path = Path(argument).expanduser()
    return HfClassifier(path if path.is_dir() else argument)


def _load(directory: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    transformers = require("transformers", extra="torch")
    local: dict[str, bool] = {"trust_remote_code": False, "local_files_only": True}
    try:
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            directory, use_safetensors=True, dtype="float32", output_loading_info=True, **local
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(directory, **local)
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"{directory} cannot be loaded ({type(exc).__name__}); expected a sequence classifier with "
            "config.json, model.safetensors and a tokenizer. Weights in a pickle are refused: "
            "save them as safetensors"
        ) from exc
    if missing := sorted(info["missing_keys"]):
        raise ConfigError(f"{directory} is not a classifier: it has no weights for {', '.join(missing)}")
    return model, tokenizer


def _normal(label: str) -> str:
    return re.sub(r"[\W_]+", "", label.lower())


def _label_names(config: PretrainedConfig) -> list[str]:
    return [
        label for _, label in sorted((int(index), label) for index, label in (config.id2label or {}).items())
    ]


def _columns(names: Sequence[str], labels: Mapping[str, Category] | None) -> dict[Category, list[int]]:
    """Return the label indices of each category."""
    found = ", ".join(names)
    if labels is not None:
        _check_given(labels, names)
        meaning: dict[str, Category | None] = {name: labels.get(name) for name in names}
    else:
        meaning = _meaning(names)
    columns: dict[Category, list[int]] = {}
    for index, name in enumerate(names):
        category = meaning[name]
        if category is not None:
            columns.setdefault(category, []).append(index)
    if not columns:
        raise ConfigError(f"none of the model's labels is toxic: {found}. Say which are with `labels`")
    return columns


def _check_given(labels: Mapping[str, Category], names: Sequence[str]) -> None:
    if missing := sorted(set(labels) - set(names)):
        raise ConfigError(f"the model has no label {', '.join(missing)}; it has: {', '.join(names)}")
    if unknown := sorted(set(labels.values()) - set(CATEGORIES)):
        raise ConfigError(f"no such category: {', '.join(unknown)}. Known: {', '.join(CATEGORIES)}")


def _meaning(names: Sequence[str]) -> dict[str, Category | None]:
    """Return the category of each label by its name; None is not toxic.

    Raises:
        ConfigError: If a name is not in the table.
    """
    normal = [_normal(name) for name in names]
    if normal == ["label0"]:
        return {names[0]: "toxicity"}
    if normal == ["label0", "label1"]:
        return {names[0]: None, names[1]: "toxicity"}
    known = CATEGORY_OF_LABEL.keys() | NOT_TOXIC | MENTIONS
    unknown = [name for name, key in zip(names, normal, strict=True) if key not in known]
    if unknown:
        raise ConfigError(
            f"cannot tell what these labels mean: {', '.join(unknown)} (of: {', '.join(names)}). Say which "
            f"are toxic and leave out the rest: HfClassifier(model, labels={{'{unknown[0]}': 'toxicity'}})"
        )
    return {name: CATEGORY_OF_LABEL.get(key) for name, key in zip(names, normal, strict=True)}


def _exclusive(problem_type: str | None, names: Sequence[str], toxic: set[int]) -> bool:
    """Return whether the labels exclude each other (softmax) rather than stand alone (sigmoid).

    Without a problem_type, they do if there are two, or if one of them is a label that is not toxic.

    Raises:
        ConfigError: If the outputs are a regression, whose scale is unknown.
    """
    if problem_type == "regression":
        raise ConfigError("the model's problem_type is 'regression': its outputs are not class scores")
    if len(names) == 1 or problem_type == "multi_label_classification":
        return False
    others = (name for index, name in enumerate(names) if index not in toxic)
    rest = any(_normal(name) not in MENTIONS for name in others)
    return problem_type == "single_label_classification" or len(names) == 2 or rest
