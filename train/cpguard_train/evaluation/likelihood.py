"""What a rewriter finds likely on anchors it was not trained on."""

# ruff: noqa: TID253
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from cpguard_train.config import RewriterRecipe
from cpguard_train.data.schema import Anchor
from cpguard_train.packing import pack
from cpguard_train.tokenizer import end_id
from cpguard_train.trainer import encode, member_nll

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_BATCH = 8
_MOST = 200


def likelihoods(
    model: Any, anchors: Sequence[Anchor], tokenizer: Tokenizer, recipe: RewriterRecipe
) -> dict[str, float]:
    """Return mean NLL in nats of positives and negatives, and how often the contrast is won.

    `dev_wins` is the share of anchors whose likeliest positive is likelier than every negative. At most
    200 anchors are looked at; none gives no metrics.
    """
    chosen = [anchor for anchor in anchors if anchor.negatives][:_MOST]
    positives, negatives, wins = [], [], []
    for start in range(0, len(chosen), _BATCH):
        encoded = [encode(anchor, tokenizer, recipe) for anchor in chosen[start : start + _BATCH]]
        batch = pack(encoded, end_id(tokenizer))
        with torch.inference_mode():
            nll = member_nll(model, {key: value.to(model.device) for key, value in batch.items()}).cpu()
        positive, negative = batch["positive"], batch["negative"]
        positives += nll[positive].tolist()
        negatives += nll[negative].tolist()
        far = float("inf")
        best = nll.masked_fill(~positive, far).min(-1).values
        wins += (best < nll.masked_fill(~negative, far).min(-1).values).tolist()
    if not chosen:
        return {}
    return {
        "dev_nll_positives": round(sum(positives) / len(positives), 4),
        "dev_nll_negatives": round(sum(negatives) / len(negatives), 4),
        "dev_wins": round(sum(wins) / len(wins), 4),
    }
