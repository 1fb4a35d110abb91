"""The bundled classifier: one ONNX encoder gives category scores, toxic words and an embedding."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cpguard._json import read_model
from cpguard.classifiers.normalise import Normalised, normalise
from cpguard.classifiers.windows import Window, batches, words_around
from cpguard.errors import ClassifierError, InputError
from cpguard.results import CATEGORIES, Category, Scores, TextSpan

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BUNDLED = Path(__file__).parent.parent / "assets" / "toxicity-en"
CONFIG_NAME = "config.json"
MODEL_NAME = "model.onnx"
TOKENIZER_NAME = "tokenizer.json"
_KINDS_OF_TOXICITY: tuple[Category, ...] = ("severe_toxicity", "insult", "identity_attack")


class Calibration(BaseModel):
    """Platt scaling: probability = sigmoid(scale * logit + bias)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float = Field(gt=0)
    bias: float


class EmbeddedConfig(BaseModel):
    """The contents of config.json, beside the model and its tokenizer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=1, ge=1, le=1)
    max_tokens: int = Field(default=128, ge=8, description="Tokens in a window, special ones included.")
    overlap: int = Field(default=16, ge=0, description="Tokens that two windows of one text share.")
    calibration: Mapping[Category, Calibration]
    thresholds: Mapping[Category, float]
    span_threshold: float = Field(gt=0, lt=1)

    @classmethod
    def read(cls, folder: Path) -> EmbeddedConfig:
        """Read config.json from a classifier folder.

        Raises:
            ConfigError: If it is missing, not JSON, or a key is unknown, missing or wrong.
        """
        missing = (
            f"{folder} is not a classifier folder: it has no readable {CONFIG_NAME}. "
            "Reinstall cpguard, or name a folder that `cpguard train toxicity-en` wrote"
        )
        return read_model(folder / CONFIG_NAME, cls, missing=missing)


class _Engine(NamedTuple):
    session: Any
    tokenizer: Tokenizer
    first: int  # id of the token before a text
    last: int  # id of the token after it
    process: int  # an ONNX session does not survive a fork


@dataclass(frozen=True)
class Analysis:
    """Everything that one pass tells about a text.

    Attributes:
        scores: Calibrated probability a category; all 0 for a text without words.
        embedding: Unit-length vector of shape (D,).
        spans: Toxic words by characters of the text, in order, not overlapping.
    """

    scores: Scores
    embedding: NDArray[np.float32]
    spans: tuple[TextSpan, ...]


class EmbeddedClassifier:
    """Scores, embeds and marks toxic words with a local ONNX model; a Classifier and an Encoder.

    Nothing is loaded before the first text. Instances may be shared between threads.

    Attributes:
        thresholds: Score from which each category is flagged, chosen on development data.
    """

    def __init__(self, folder: Path = BUNDLED, *, threads: int | None = None) -> None:
        """Set up a classifier.

        Args:
            folder: Has model.onnx, tokenizer.json and config.json.
            threads: Threads of one pass; all cores that this process may use if None.

        Raises:
            ConfigError: If the folder has no valid config.json.
        """
        self.folder = folder
        self.config = EmbeddedConfig.read(folder)
        self.thresholds: Mapping[Category, float] = dict(self.config.thresholds)
        self._threads = threads
        self._engine: _Engine | None = None
        self._lock = Lock()
        calibration = [self.config.calibration[category] for category in CATEGORIES]
        self._scale = np.array([item.scale for item in calibration], dtype=np.float32)
        self._bias = np.array([item.bias for item in calibration], dtype=np.float32)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.folder, self._threads)

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        """Return calibrated scores of each text, the highest over its windows.

        Raises:
            InputError: If an item is not a string.
            ClassifierError: If the model cannot be loaded or run.
        """
        return [analysis.scores for analysis in self.analyse(texts)]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit-length embeddings of shape (len(texts), D).

        Raises:
            InputError: If an item is not a string.
            ClassifierError: If the model cannot be loaded or run.
        """
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        return np.stack([analysis.embedding for analysis in self.analyse(texts)])

    def toxic_spans(self, texts: Sequence[str]) -> list[list[TextSpan]]:
        """Return the words of each text that make it toxic, by characters of that very text.

        Raises:
            InputError: If an item is not a string.
            ClassifierError: If the model cannot be loaded or run.
        """
        return [list(analysis.spans) for analysis in self.analyse(texts)]

    def warm(self) -> None:
        """Load the model now instead of with the first text.

        Raises:
            ClassifierError: If the model cannot be loaded.
        """
        self._loaded()

    def analyse(self, texts: Sequence[str]) -> list[Analysis]:
        """Return scores, embedding and toxic words of each text from one pass; equal texts run once.

        Raises:
            InputError: If an item is not a string.
            ClassifierError: If the model cannot be loaded or run.
        """
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputError(f"texts[{index}] must be a str, got {type(text).__name__}")
        unique = list(dict.fromkeys(texts))
        if not unique:
            return []
        engine = self._loaded()
        prepared = [normalise(text) for text in unique]
        windows = self._windows(engine, prepared)
        logits, spans, embeddings = self._run(engine, windows)
        rows: list[list[int]] = [[] for _ in unique]
        for number, window in enumerate(windows):
            rows[window.text].append(number)
        results = {
            text: self._joined(
                item, [windows[i] for i in row], logits[row], [spans[i] for i in row], embeddings[row]
            )
            for text, item, row in zip(unique, prepared, rows, strict=True)
        }
        return [results[text] for text in texts]

    def _windows(self, engine: _Engine, texts: Sequence[Normalised]) -> list[Window]:
        encodings = engine.tokenizer.encode_batch([item.text for item in texts], add_special_tokens=False)
        size = self.config.max_tokens - 2
        return [
            window
            for number, encoding in enumerate(encodings)
            for window in Window.cut(number, encoding.ids, encoding.offsets, size, self.config.overlap)
        ]

    def _run(
        self, engine: _Engine, windows: Sequence[Window]
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]], NDArray[np.float32]]:
        """Return category logits (N, 7), token probabilities a window, and embeddings (N, D)."""
        first, last = engine.first, engine.last
        logits: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(windows)
        spans = list(logits)
        embeddings = list(logits)
        for batch in batches(windows):
            longest = max(len(windows[i].ids) for i in batch) + 2
            ids = np.zeros((len(batch), longest), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, number in enumerate(batch):
                tokens = [first, *windows[number].ids, last]
                ids[row, : len(tokens)] = tokens
                mask[row, : len(tokens)] = 1
            outputs = _forward(engine.session, ids, mask)
            for row, number in enumerate(batch):
                logits[number] = outputs[0][row]
                spans[number] = _sigmoid(outputs[1][row, 1 : 1 + len(windows[number].ids)])
                embeddings[number] = outputs[2][row]
        return np.stack(logits), spans, np.stack(embeddings)

    def _joined(
        self,
        text: Normalised,
        windows: Sequence[Window],
        logits: NDArray[np.float32],
        spans: Sequence[NDArray[np.float32]],
        embeddings: NDArray[np.float32],
    ) -> Analysis:
        """Return one answer from the windows of a text."""
        values = cap_by_toxicity(_sigmoid(logits * self._scale + self._bias)).max(axis=0)
        wordless = not windows[0].ids
        scores = {name: 0.0 if wordless else float(v) for name, v in zip(CATEGORIES, values, strict=True)}
        mean = embeddings.mean(axis=0)
        hits = [
            offset
            for window, probabilities in zip(windows, spans, strict=True)
            for offset, probability in zip(window.offsets, probabilities.tolist(), strict=True)
            if probability >= self.config.span_threshold
        ]
        found = [text.original(start, end) for start, end in words_around(text.text, hits)]
        return Analysis(
            Scores(**scores),
            (mean / max(float(np.linalg.norm(mean)), 1e-6)).astype(np.float32),
            tuple(TextSpan(start=start, end=end) for start, end in found),
        )

    def _loaded(self) -> _Engine:
        engine = self._engine
        if engine is not None and engine.process == os.getpid():
            return engine
        with self._lock:
            if self._engine is None or self._engine.process != os.getpid():
                self._engine = _load_engine(self.folder, self._threads)
            return self._engine


def _rebuild(folder: Path, threads: int | None) -> EmbeddedClassifier:
    return EmbeddedClassifier(folder, threads=threads)


def _load_engine(folder: Path, threads: int | None) -> _Engine:
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _cores()
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # shapes differ from call to call
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(folder / MODEL_NAME), options, providers=["CPUExecutionProvider"]
        )
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_NAME))
    except Exception as exc:
        raise ClassifierError(
            f"cannot load {MODEL_NAME} and {TOKENIZER_NAME} from {folder}: {type(exc).__name__}. "
            "Reinstall cpguard, or export the classifier again"
        ) from exc
    tokenizer.no_padding()
    tokenizer.no_truncation()
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    return _Engine(session, tokenizer, first or 0, last or 0, os.getpid())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _forward(session: Any, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    try:
        outputs: list[NDArray[np.float32]] = session.run(
            ["logits", "span_logits", "embedding"], {"input_ids": ids, "attention_mask": mask}
        )
    except Exception as exc:  # noqa: BLE001  (onnxruntime has no base class of its own; its texts may quote data)
        raise ClassifierError(f"the embedded classifier failed: {type(exc).__name__}") from None
    return outputs


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1.0 / (1.0 + np.exp(-np.clip(values, -30.0, 30.0)))).astype(np.float32)


def cap_by_toxicity(values: NDArray[Any]) -> NDArray[Any]:
    """Return scores (N, 7) in which no insult, identity attack or severe toxicity exceeds toxicity.

    Those three are toxic by definition; profanity, threats and explicit words need not be.
    """
    capped = values.copy()
    for category in _KINDS_OF_TOXICITY:
        column = CATEGORIES.index(category)
        capped[:, column] = np.minimum(values[:, column], values[:, 0])
    return capped


def load(argument: str) -> EmbeddedClassifier:
    """Return the classifier in a folder, or the bundled one for an empty argument.

    Raises:
        ConfigError: If the folder has no valid config.json.
    """
    return EmbeddedClassifier(Path(argument) if argument else BUNDLED)
