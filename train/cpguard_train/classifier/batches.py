# ruff: noqa: TID253
"""Turn rows into padded batches of similar length, with masks for every label that is unknown."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from cpguard_train.classifier.rows import UNKNOWN, Row


@dataclass(frozen=True)
class Batch:
    """B texts of at most T tokens.

    Attributes:
        input_ids: Token ids, (B, T), int64; 0 is padding.
        attention_mask: 1 for tokens, (B, T), int64.
        labels: Probability a category or UNKNOWN, (B, 7).
        span_labels: 1 for toxic tokens, 0 for others, UNKNOWN where masked, (B, T).
        weight: Factor a row, (B,).
        index: Position of each row in the list that the batches were made from, (B,).
    """

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    span_labels: Tensor
    weight: Tensor
    index: Tensor


def load_tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    """Return the tokenizer of a model folder, cutting at max_tokens and never padding."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def token_span_labels(encoding: Encoding, spans: Sequence[tuple[int, int]] | None) -> list[float]:
    """Return 1.0 for tokens that touch a toxic stretch, 0.0 for other words, UNKNOWN for special tokens.

    Everything is UNKNOWN where nobody marked the text.
    """
    if spans is None:
        return [UNKNOWN] * len(encoding.ids)
    return [
        UNKNOWN if special else float(any(a < end and start < b for a, b in spans))
        for (start, end), special in zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
    ]


def by_length(lengths: Sequence[int], batch_tokens: int, rng: random.Random) -> list[list[int]]:
    """Return row numbers in batches of at most batch_tokens padded tokens, batches in random order."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], rng.random()))
    batches: list[list[int]] = [[]]
    for number in order:
        # sorted: the row at hand is the longest so far
        if batches[-1] and (len(batches[-1]) + 1) * lengths[number] > batch_tokens:
            batches.append([])
        batches[-1].append(number)
    rng.shuffle(batches)
    return [batch for batch in batches if batch]


def collate(rows: Sequence[Row], encodings: Sequence[Encoding], index: Sequence[int]) -> Batch:
    """Return the padded batch of these rows."""
    longest = max(len(encoding.ids) for encoding in encodings)

    def padded(values: Sequence[Sequence[float]], fill: float, kind: torch.dtype) -> Tensor:
        return torch.tensor([[*row, *([fill] * (longest - len(row)))] for row in values], dtype=kind)

    spans = [token_span_labels(e, row.spans) for e, row in zip(encodings, rows, strict=True)]
    return Batch(
        padded([e.ids for e in encodings], 0, torch.int64),
        padded([e.attention_mask for e in encodings], 0, torch.int64),
        torch.tensor([row.labels for row in rows], dtype=torch.float32),
        padded(spans, UNKNOWN, torch.float32),
        torch.tensor([row.weight for row in rows], dtype=torch.float32),
        torch.tensor(list(index), dtype=torch.int64),
    )


def batches(
    rows: Sequence[Row], tokenizer: Tokenizer, batch_tokens: int, rng: random.Random
) -> Iterator[Batch]:
    """Yield the rows once, in random batches of similar length."""
    encodings = tokenizer.encode_batch([row.text for row in rows])
    for numbers in by_length([len(e.ids) for e in encodings], batch_tokens, rng):
        yield collate([rows[i] for i in numbers], [encodings[i] for i in numbers], numbers)
