"""Run a transformers sequence classifier over texts of any length: batches, dynamic padding, windows.

Shared by the `detoxify` and `hf` classifiers. A text longer than the model's limit is cut into windows
that overlap, and a text scores what its highest window scores, so no tail goes unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cpguard._extras import require
from cpguard.errors import ClassifierError, ConfigError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_TOKENS = 512
"""Longest window in tokens; a model with fewer positions gets shorter ones."""


class TorchBatches:
    """A model and its tokenizer, ready to score texts on the CPU or the device the model is on."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        batch_size: int = 32,
        overlap: int = 64,
    ) -> None:
        """Put the model in evaluation mode and fix the window length.

        Args:
            model: A sequence classifier.
            tokenizer: Its tokenizer; must be one of the `tokenizers` library, which makes windows.
            batch_size: Windows a forward pass, at least 1.
            overlap: Tokens that neighbouring windows share.

        Raises:
            ConfigError: If the tokenizer cannot make windows or pad.
        """
        if not tokenizer.is_fast:
            raise ConfigError(
                f"{type(tokenizer).__name__} cannot cut long texts into windows; "
                "save a tokenizer.json with the model"
            )
        if tokenizer.pad_token is None:
            raise ConfigError(f"{type(tokenizer).__name__} has no padding token; set one and save it again")
        self._torch = require("torch", extra="torch")
        self._model = model
        self._model.train(mode=False)
        self._tokenizer = tokenizer
        self._batch_size = batch_size
        self._window = _window_length(model, tokenizer)
        self._overlap = min(overlap, self._window // 4)

    def highest(
        self, texts: Sequence[str], score: Callable[[torch.Tensor], torch.Tensor]
    ) -> NDArray[np.float64]:
        """Return each text's scores: the highest over its windows.

        Args:
            texts: N texts of any length.
            score: Maps logits of shape (W, L) to scores of shape (W, C), higher is more toxic.

        Returns:
            Scores. Shape (N, C).

        Raises:
            ClassifierError: If the tokenizer or the model fails; the message has no text in it.
        """
        try:
            return self._highest(texts, score)
        except (RuntimeError, ValueError, TypeError, IndexError) as exc:
            problem = f"the torch classifier failed on a batch of {len(texts)} texts: {type(exc).__name__}"
        raise ClassifierError(problem)  # outside the handler: the cause may quote the text

    def _highest(
        self, texts: Sequence[str], score: Callable[[torch.Tensor], torch.Tensor]
    ) -> NDArray[np.float64]:
        windows, owners = self._windows(texts)
        by_length = sorted(range(len(windows)), key=lambda index: len(windows[index]), reverse=True)
        rows: list[torch.Tensor] = [self._torch.empty(0)] * len(windows)
        for start in range(0, len(by_length), self._batch_size):
            batch = by_length[start : start + self._batch_size]
            scores = score(self._logits([windows[index] for index in batch]))
            for index, row in zip(batch, scores, strict=True):
                rows[index] = row
        stacked = self._torch.stack(rows)  # (W, C)
        best = self._torch.full((len(texts), stacked.shape[1]), -self._torch.inf)  # (N, C)
        index = self._torch.tensor(owners)[:, None].expand_as(stacked)
        best.scatter_reduce_(0, index, stacked.cpu().float(), reduce="amax")
        result: NDArray[np.float64] = best.double().numpy()
        return result

    def _windows(self, texts: Sequence[str]) -> tuple[list[list[int]], list[int]]:
        """Return the token ids of all windows, and the index of the text each came from."""
        # The Rust tokenizers refuse lone surrogates.
        encodable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encoded = self._tokenizer(
            encodable,
            truncation=True,
            max_length=self._window,
            stride=self._overlap,
            return_overflowing_tokens=True,
        )
        return encoded["input_ids"], list(encoded["overflow_to_sample_mapping"])

    def _logits(self, windows: list[list[int]]) -> torch.Tensor:
        padded = self._tokenizer.pad({"input_ids": windows}, padding="longest", return_tensors="pt")
        inputs = {name: padded[name].to(self._model.device) for name in ("input_ids", "attention_mask")}
        with self._torch.inference_mode():
            logits: torch.Tensor = self._model(**inputs).logits  # (W, L)
        return logits


def _window_length(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    positions: int = getattr(model.config, "max_position_embeddings", MAX_TOKENS)
    if "roberta" in model.config.model_type:
        positions -= 2  # RoBERTa numbers positions from the padding id + 1
    return min(positions, tokenizer.model_max_length, MAX_TOKENS)
