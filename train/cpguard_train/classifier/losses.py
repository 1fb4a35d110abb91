# ruff: noqa: TID253
"""The three parts of the classifier's loss, each over what is known and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from cpguard_train.classifier.batches import Batch
from cpguard_train.classifier.model import Outputs
from cpguard_train.classifier.rows import UNKNOWN


class Losses(NamedTuple):
    """Scalars, each a mean over known entries."""

    category: Tensor
    span: Tensor
    embedding: Tensor


def masked_cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean of the binary cross entropy in nats over labels that are not UNKNOWN.

    Args:
        logits: Any shape.
        labels: Probabilities or UNKNOWN, of the same shape.
        weight: Broadcastable to that shape.
    """
    known = (labels != UNKNOWN).to(logits.dtype) * weight
    each = cross_entropy(logits, labels.clamp(min=0.0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1.0)


def losses(outputs: Outputs, batch: Batch, weak_weight: float, teacher: Tensor | None) -> Losses:
    """Return the parts of the loss for a batch.

    Args:
        outputs: The model's answers.
        batch: The labels.
        weak_weight: Factor on the categories beside toxicity, whose labels are softer.
        teacher: Unit-length base embeddings (B, H), zero rows where unknown; None if there are none.
    """
    factor = torch.full((batch.labels.shape[-1],), weak_weight)
    factor[0] = 1.0
    weight = batch.weight.unsqueeze(-1)
    category = masked_cross_entropy(outputs.logits.float(), batch.labels, weight * factor)
    span = masked_cross_entropy(outputs.span_logits.float(), batch.span_labels, weight)
    embedding = torch.zeros(())
    if teacher is not None:
        known = (teacher.norm(dim=-1) > 0).float()
        distance = 1.0 - (outputs.embedding.float() * teacher).sum(dim=-1)
        embedding = (distance * known).sum() / known.sum().clamp(min=1.0)
    return Losses(category, span, embedding)
