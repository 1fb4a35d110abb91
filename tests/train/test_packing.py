from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch

from cpguard_train.objectives.contrastive_perplexity import ContrastivePerplexity, contrastive_perplexity_loss
from cpguard_train.packing import Encoded, pack
from cpguard_train.trainer import member_nll

PAD = 0


@pytest.fixture(scope="module")
def model() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)


def random_anchor(rng: Random) -> Encoded:
    def text(low: int, high: int) -> list[int]:
        return [rng.randint(1, 49) for _ in range(rng.randint(low, high))]

    return Encoded(
        text(1, 9),
        [text(1, 7) for _ in range(rng.randint(1, 3))],
        [text(1, 7) for _ in range(rng.randint(0, 3))],
    )


def one_row_a_member(model: Any, anchor: Encoded) -> torch.Tensor:
    """The plain way: each member alone behind its prompt, all logits computed."""
    values = []
    for tokens in anchor.positives + anchor.negatives:
        ids = torch.tensor([anchor.prompt + tokens])
        logprobs = model(ids).logits[0].log_softmax(-1)
        start = len(anchor.prompt)
        scored = [logprobs[start + place - 1, token] for place, token in enumerate(tokens)]
        values.append(-torch.stack(scored).mean())
    return torch.stack(values)


@pytest.mark.parametrize("seed", range(6))
def test_packed_likelihoods_and_gradients_equal_one_row_a_member(model: Any, seed: int) -> None:
    rng = Random(seed)
    anchors = [random_anchor(rng) for _ in range(4)]
    batch = pack(anchors, PAD)
    packed = member_nll(model, batch)
    plain = [one_row_a_member(model, anchor) for anchor in anchors]
    for row, expected in zip(packed, plain, strict=True):
        assert torch.allclose(row[: len(expected)], expected, atol=1e-5)

    config = ContrastivePerplexity()
    parameters = list(model.parameters())
    ours = contrastive_perplexity_loss(packed, batch["positive"], batch["negative"], config)
    losses = []
    for anchor, values in zip(anchors, plain, strict=True):
        positive = (torch.arange(len(values)) < len(anchor.positives))[None]
        losses.append(contrastive_perplexity_loss(values[None], positive, ~positive, config))
    theirs = torch.stack(losses).mean()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-5)
    for left, right in zip(
        torch.autograd.grad(ours, parameters), torch.autograd.grad(theirs, parameters), strict=True
    ):
        assert torch.allclose(left, right, atol=1e-5)


def test_a_longer_neighbour_in_the_batch_changes_no_likelihood(model: Any) -> None:
    anchor = Encoded([5, 6], [[7, 8, 2]], [[9, 2]])
    alone = member_nll(model, pack([anchor], PAD))
    longer = Encoded([1] * 30, [[3] * 40], [[4] * 20, [5] * 9])
    beside = member_nll(model, pack([anchor, longer], PAD))
    assert torch.allclose(alone[0], beside[0, :2], atol=1e-6)


def test_members_do_not_see_each_other(model: Any) -> None:
    first = member_nll(model, pack([Encoded([5, 6], [[7, 8, 2]], [[9, 2]])], PAD))
    second = member_nll(model, pack([Encoded([5, 6], [[7, 8, 2]], [[44, 43, 42, 2]])], PAD))
    assert torch.allclose(first[0, 0], second[0, 0], atol=1e-6)


def test_the_layout_of_a_row() -> None:
    batch = pack([Encoded([10, 11], [[12, 2]], [[13, 14, 2]])], PAD)
    assert batch["input_ids"].tolist() == [[10, 11, 12, 2, 13, 14, 2]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 2, 3, 4]]
    assert batch["predict_from"].tolist() == [1, 2, 1, 4, 5]
    assert batch["targets"].tolist() == [12, 2, 13, 14, 2]
    assert batch["member"].tolist() == [0, 0, 1, 1, 1]
    assert batch["positive"].tolist() == [[True, False]]
    assert batch["negative"].tolist() == [[False, True]]
    assert batch["attention_mask"][0, 0, 5].tolist() == [True, True, False, False, True, True, False]
