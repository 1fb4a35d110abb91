"""Anchors to tensors: all members of an anchor share one row, and the prompt is computed once.

A row is the prompt followed by each member's tokens. Every member sees the prompt and itself, nothing
else, and its positions go on from the prompt's end: the numbers are those of one row a member, at a
fraction of the work. Padding is seen by nobody and never scored.
"""

# ruff: noqa: TID253
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Encoded:
    """Token ids of an anchor.

    Attributes:
        prompt: What every member is conditioned on; at least one token.
        positives: Tokens of each positive, end token included.
        negatives: Tokens of each negative, end token included.
    """

    prompt: list[int] = field(repr=False)
    positives: list[list[int]] = field(repr=False)
    negatives: list[list[int]] = field(repr=False)


def pack(batch: Sequence[Encoded], pad_id: int) -> dict[str, Tensor]:
    """Return the tensors of a batch of A anchors with rows of T tokens and at most M members.

    Args:
        batch: The anchors.
        pad_id: Token id that fills rows up.

    Returns:
        input_ids (A, T); position_ids (A, T); attention_mask, bool (A, 1, T, T), true where a query
        (row) sees a key (column); for every scored token: predict_from, the flat index of the position
        that predicts it, targets, its id, and member, its flat member index; positive and negative,
        bool (A, M).
    """
    rows = [_Row(anchor) for anchor in batch]
    width = max(len(row.ids) for row in rows)
    count = max(len(row.members) for row in rows)
    scored = [
        (index * width + source, target, index * count + member)
        for index, row in enumerate(rows)
        for source, target, member in row.scored
    ]
    predict_from, targets, member = torch.tensor(scored, dtype=torch.long).T
    owner = torch.tensor([row.owner + [_PADDING] * (width - len(row.owner)) for row in rows])
    kinds = torch.tensor([row.kinds + [0] * (count - len(row.kinds)) for row in rows])
    return {
        "input_ids": torch.tensor([row.ids + [pad_id] * (width - len(row.ids)) for row in rows]),
        "position_ids": torch.tensor([row.places + [0] * (width - len(row.places)) for row in rows]),
        "attention_mask": _visible(owner),
        "predict_from": predict_from,
        "targets": targets,
        "member": member,
        "positive": kinds == 1,
        "negative": kinds == -1,
    }


_PROMPT, _PADDING = -1, -2


class _Row:
    """One anchor laid out: ids, positions, which member owns each token, and what is scored."""

    def __init__(self, anchor: Encoded) -> None:
        start = len(anchor.prompt)
        self.members = anchor.positives + anchor.negatives
        self.kinds = [1] * len(anchor.positives) + [-1] * len(anchor.negatives)
        self.ids = list(anchor.prompt)
        self.places = list(range(start))
        self.owner = [_PROMPT] * start
        self.scored: list[tuple[int, int, int]] = []
        for index, tokens in enumerate(self.members):
            offset = len(self.ids)
            for position, token in enumerate(tokens):
                source = offset + position - 1 if position else start - 1
                self.scored.append((source, token, index))
            self.ids += tokens
            self.places += range(start, start + len(tokens))
            self.owner += [index] * len(tokens)


def _visible(owner: Tensor) -> Tensor:
    """Return the mask (A, 1, T, T): earlier tokens of the prompt and of one's own member."""
    width = owner.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    same = owner[:, :, None] == owner[:, None, :]
    prompt = (owner == _PROMPT)[:, None, :] & (owner != _PADDING)[:, :, None]
    return ((same | prompt) & causal)[:, None]
