from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError

from cpguard_train.objectives.contrastive_perplexity import (
    ContrastivePerplexity,
    contrastive_perplexity_loss,
    mean_by_member,
    token_nll,
)

POSITIVE = torch.tensor([[True, False]])


def loss_of(nll: list[float], positives: int, config: ContrastivePerplexity) -> tuple[float, list[float]]:
    """Return the loss of one anchor and its gradient; the first members are the positives."""
    values = torch.tensor([nll], dtype=torch.float64, requires_grad=True)
    positive = torch.arange(len(nll))[None] < positives
    loss = contrastive_perplexity_loss(values, positive, ~positive, config)
    (gradient,) = torch.autograd.grad(loss, values)
    return loss.item(), gradient[0].tolist()


def test_one_positive_and_one_negative_by_hand() -> None:
    # c = 1, s_pos = 1, s_neg = exp(-(2 - 1) / 0.5) = exp(-2); the likelihood term adds 1.
    loss, gradient = loss_of([1.0, 2.0], 1, ContrastivePerplexity(tau=0.5))
    assert loss == pytest.approx(math.log(1 + math.exp(-2)) + 1.0)
    pull = 2 * math.exp(-2) / (1 + math.exp(-2))  # d/d gap of log(1 + exp(-2 gap)) at 1, negated
    assert gradient == pytest.approx([pull + 1.0, -pull])


def test_two_positives_and_two_negatives_by_hand() -> None:
    # c = 2; d = 1, 1 for positives, 1 and 3 for negatives; tau = 1, alpha = 2, no likelihood term.
    config = ContrastivePerplexity(tau=1.0, alpha=2.0, likelihood=0.0)
    loss, _ = loss_of([1.0, 3.0, 3.0, 5.0], 2, config)
    near, far = math.exp(-1), math.exp(-3)
    assert loss == pytest.approx(-math.log(2 * near / (2 * near + 2 * (near + far))))


def test_the_papers_form_by_hand() -> None:
    # phi is perplexity: e and e^2; c = e; s_neg / s_pos = exp(-(e^2 - e)).
    loss, _ = loss_of([1.0, 2.0], 1, ContrastivePerplexity(variant="paper", alpha=1.1))
    assert loss == pytest.approx(math.log(1 + 1.1 * math.exp(-(math.e**2 - math.e))))


def test_the_reference_codes_form_by_hand() -> None:
    # reference = 1.5; d = .5, .5, 1; z = exp(-d) and + alpha on the negative; divided by |P| + 1 = 3.
    config = ContrastivePerplexity(variant="reference-code", alpha=3.0, tau=1.0)
    loss, _ = loss_of([1.0, 2.0, 2.5], 2, config)
    z = [math.exp(-0.5), math.exp(-0.5), math.exp(-1) + 3.0]
    lse = math.log(sum(map(math.exp, z)))
    assert loss == pytest.approx((2 * lse - z[0] - z[1]) / 3)


def test_the_reference_codes_prototype_is_of_the_whole_batch() -> None:
    config = ContrastivePerplexity(variant="reference-code", alpha=1.0, tau=1.0)
    nll = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    positive = torch.tensor([[True, False], [True, False]])
    loss = contrastive_perplexity_loss(nll, positive, ~positive, config).item()
    expected = []
    for pos, neg in ((1.0, 2.0), (3.0, 4.0)):
        z = [math.exp(-abs(pos - 2.0)), math.exp(-abs(neg - 2.0)) + 1.0]
        expected.append((math.log(math.exp(z[0]) + math.exp(z[1])) - z[0]) / 2)
    assert loss == pytest.approx(sum(expected) / 2)


def test_tau_cancels_in_the_papers_form_and_not_in_ours() -> None:
    nll = [1.0, 1.2, 1.5, 0.9]
    paper = [loss_of(nll, 2, ContrastivePerplexity(variant="paper", tau=tau)) for tau in (0.1, 1.5)]
    assert paper[0][0] == pytest.approx(paper[1][0])
    assert paper[0][1] == pytest.approx(paper[1][1])
    ours = [loss_of(nll, 2, ContrastivePerplexity(tau=tau))[0] for tau in (0.1, 1.5)]
    assert ours[0] != pytest.approx(ours[1])


@pytest.mark.parametrize("variant", ["paper", "reference-code", "cpguard"])
def test_without_the_likelihood_term_only_the_gap_counts(variant: str) -> None:
    config = ContrastivePerplexity.model_validate({"variant": variant, "phi": "nll", "likelihood": 0})
    loss, gradient = loss_of([1.0, 2.0, 2.5, 4.0], 2, config)
    shifted, _ = loss_of([8.0, 9.0, 9.5, 11.0], 2, config)
    assert loss == pytest.approx(shifted)
    assert sum(gradient) == pytest.approx(0.0, abs=1e-9)


def test_one_positive_and_a_detached_prototype_leave_the_positive_without_gradient() -> None:
    config = ContrastivePerplexity(detach_prototype=True, likelihood=0.0)
    _, gradient = loss_of([1.0, 2.0], 1, config)
    assert gradient[0] == 0.0
    assert gradient[1] < 0.0


def test_symmetric_distance_makes_a_likely_negative_likelier_and_one_sided_does_not() -> None:
    likely_negative = [2.0, 1.5]
    symmetric = ContrastivePerplexity(negatives="symmetric", likelihood=0.0)
    _, gradient = loss_of(likely_negative, 1, symmetric)
    assert gradient[1] > 0.0  # a descent step lowers the negative's NLL: the flaw
    _, gradient = loss_of(likely_negative, 1, ContrastivePerplexity(likelihood=0.0))
    assert gradient[1] < 0.0  # it raises it


@pytest.mark.parametrize("negatives", ["one-sided", "symmetric"])
def test_huge_distances_neither_overflow_nor_lose_the_loss(negatives: str) -> None:
    config = ContrastivePerplexity.model_validate({"negatives": negatives, "likelihood": 0, "tau": 0.1})
    loss, gradient = loss_of([1.0, 1e4, 2e4], 2, config)
    assert math.isfinite(loss)
    assert all(map(math.isfinite, gradient))
    far, _ = loss_of([0.0, 2e4, 1e4 - 1.0], 2, config)
    # c = 1e4, d = 1e4 for both positives; the negative is 1 below c
    closest = 10.0 if negatives == "one-sided" else -10.0
    assert far == pytest.approx(closest + 1e5 - math.log(2))


def test_padding_members_change_nothing() -> None:
    config = ContrastivePerplexity(alpha=1.3)
    nll = torch.tensor([[1.0, 2.0, 123.0]])
    positive = torch.tensor([[True, False, False]])
    negative = torch.tensor([[False, True, False]])
    padded = contrastive_perplexity_loss(nll, positive, negative, config)
    plain = contrastive_perplexity_loss(nll[:, :2], POSITIVE, ~POSITIVE, config)
    assert padded.item() == pytest.approx(plain.item())


def test_an_anchor_without_negatives_has_the_likelihood_term_alone() -> None:
    loss, gradient = loss_of([1.0, 2.0], 2, ContrastivePerplexity(likelihood=0.5))
    assert loss == pytest.approx(0.75)
    assert gradient == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize(("tau", "alpha"), [(0.5, 1.0), (0.4, 1.6)])
def test_one_against_one_equals_trls_simpo(tau: float, alpha: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    cpo = pytest.importorskip("trl.experimental.cpo")
    trainer = SimpleNamespace(
        alpha=0.0,
        beta=1 / tau,
        simpo_gamma=math.log(alpha),
        loss_type="simpo",
        label_smoothing=0.0,
        accelerator=SimpleNamespace(device="cpu"),
    )
    chosen = torch.tensor([-1.1, -2.0, -0.3], dtype=torch.float64, requires_grad=True)
    rejected = torch.tensor([-1.4, -0.5, -3.0], dtype=torch.float64, requires_grad=True)
    theirs = cpo.CPOTrainer.cpo_loss(trainer, chosen, rejected)[0].mean()
    config = ContrastivePerplexity(tau=tau, alpha=alpha, likelihood=0.0)
    nll = -torch.stack([chosen, rejected], dim=1)
    ours = contrastive_perplexity_loss(nll, POSITIVE.expand(3, 2), ~POSITIVE.expand(3, 2), config)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    for left, right in zip(
        torch.autograd.grad(ours, (chosen, rejected)),
        torch.autograd.grad(theirs, (chosen, rejected)),
        strict=True,
    ):
        assert torch.allclose(left, right, atol=1e-6)


def test_variants_bring_their_own_settings() -> None:
    assert ContrastivePerplexity(variant="paper").phi == "perplexity"
    assert ContrastivePerplexity(variant="paper").likelihood == 0.0
    assert ContrastivePerplexity(variant="reference-code").alpha == 100.0
    assert ContrastivePerplexity().negatives == "one-sided"
    with pytest.raises(ValidationError, match="symmetric negatives"):
        ContrastivePerplexity(variant="paper", negatives="one-sided")


def test_token_nll_is_minus_log_softmax_at_the_target() -> None:
    hidden = torch.tensor([[1.0, 0.0]])
    head = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    expected = math.log(math.e + 1 + 1 / math.e) - 0.0
    assert token_nll(hidden, head, torch.tensor([1])).item() == pytest.approx(expected)


def test_mean_by_member_averages_each_members_own_tokens() -> None:
    values = torch.tensor([1.0, 3.0, 5.0])
    means = mean_by_member(values, torch.tensor([0, 0, 2]), (2, 2))
    assert means.tolist() == [[2.0, 0.0], [5.0, 0.0]]
