"""Contrastive perplexity (CP): Klein and Nabi, ACL 2025, and the form that cpguard trains with.

For an anchor with positives P (the attribute holds: clean, same meaning) and negatives N, let
`nll(x)` be the mean negative log-likelihood of the scored tokens of x, and

    phi(x) = exp(nll(x)) or nll(x)      perplexity (eq. 1) or its logarithm
    c      = mean of phi over P         the prototype of this anchor (eq. 5)
    s(x)   = exp(-d(x) / tau)           d(x) = |phi(x) - c| (eq. 4)
    J      = sum_P s / (sum_P s + alpha * sum_N s)                     (eq. 3 and 6)
    loss   = -log J + likelihood * mean of nll over P                  (eq. 2; `likelihood` 0 there)

Scored tokens: with a prompt (conditional CP) the completion and its end token, else the whole text
and its end token. Without the end token a truncated negative would be a mere prefix of the positive.

What must be known about it:

* In the paper's equations s = exp(-d) / tau, so tau cancels in J, in value and in gradient. Here tau
  is inside the exponent; `variant: paper` keeps the cancelling form, to measure it.
* The paper's |phi - c| is symmetric: a negative more likely than the prototype is pushed to be *more*
  likely still. For a rewriter that is copying, because at the start the toxic source is as likely as
  a good rewrite. `negatives: one-sided` uses d(x) = phi(x) - c for negatives: always pushed away.
* J does not change when all phi shift together: it fixes only the gap. The likelihood term fixes the
  level. With one positive and a detached prototype the positive gets no gradient from J at all.
* Kinship: with |P| = |N| = 1 the one-sided form on nll *is* SimPO (beta = 1/tau, gamma = ln alpha), and
  with the likelihood term CPO-SimPO; a test shows equality with TRL's loss. What remains of CP's own
  is the set of negatives under one logarithm and the prototype as a mean over positives.
* `variant: reference-code` is what the released scripts compute, which is not the paper: nll, one
  prototype for the whole batch, exp(-d)/tau as a softmax *logit*, alpha *added* to the negatives'
  logits, a sum of |P| logarithms divided by |P| + 1. (Their batch mean includes padding; ours never.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from torch import Tensor

Variant = Literal["paper", "reference-code", "cpguard"]
_DEFAULTS: dict[str, dict[str, object]] = {
    "paper": {"phi": "perplexity", "negatives": "symmetric", "likelihood": 0.0},
    "reference-code": {"phi": "nll", "negatives": "symmetric", "likelihood": 0.0, "alpha": 100.0, "tau": 1.0},
    "cpguard": {},
}


class ContrastivePerplexity(BaseModel):
    """Settings of the objective; what is left out takes the variant's own value.

    Attributes:
        variant: Whose formula.
        phi: Perplexity, as the paper writes it, or mean negative log-likelihood in nats.
        tau: Temperature, above 0, in the unit of phi. Without effect in `paper`.
        alpha: Weight of negatives, above 0: multiplies their score; in `reference-code` it is added.
        likelihood: Weight of the likelihood term, at least 0.
        negatives: Distance of negatives: `one-sided` (phi - c) or the paper's `symmetric` |phi - c|.
        detach_prototype: Whether gradients stop at the prototype. The paper does not say; no by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: Variant = "cpguard"
    phi: Literal["perplexity", "nll"] = "nll"
    tau: float = Field(default=0.5, gt=0)
    alpha: float = Field(default=1.0, gt=0)
    likelihood: float = Field(default=1.0, ge=0)
    negatives: Literal["one-sided", "symmetric"] = "one-sided"
    detach_prototype: bool = False

    @model_validator(mode="before")
    @classmethod
    def _variant_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {**_DEFAULTS.get(str(values.get("variant", "cpguard")), {}), **values}

    @model_validator(mode="after")
    def _no_mixture(self) -> ContrastivePerplexity:
        if self.variant != "cpguard" and self.negatives != "symmetric":
            raise ValueError(f"variant '{self.variant}' has symmetric negatives; one-sided needs 'cpguard'")
        return self


def contrastive_perplexity_loss(
    nll: Tensor, positive: Tensor, negative: Tensor, config: ContrastivePerplexity
) -> Tensor:
    """Return the mean loss over the anchors of a batch, a scalar.

    Args:
        nll: Mean negative log-likelihood of each member, in nats, shape (anchors, members).
        positive: Mask of the positives, same shape; at least one in each row.
        negative: Mask of the negatives, same shape. What is in neither mask is padding.
        config: The objective.

    Returns:
        -log J + likelihood * mean nll of the positives, averaged over the anchors.
    """
    contrast = _reference_code if config.variant == "reference-code" else _minus_log_j
    loss = contrast(nll, positive, negative, config)
    if config.likelihood:
        loss = loss + config.likelihood * _mean(nll, positive)
    return loss.mean()


def token_nll(hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
    """Return the negative log-likelihood of each target in nats, shape (tokens,), in fp32.

    Args:
        hidden: Hidden states at the positions that predict the targets, shape (tokens, width).
        head: Output embedding, shape (vocabulary, width).
        targets: Token ids, shape (tokens,).
    """
    logits = (hidden @ head.to(hidden.dtype).T).float()
    return logits.logsumexp(-1) - logits.gather(-1, targets[:, None]).squeeze(-1)


def mean_by_member(values: Tensor, member: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the mean of token values over each member, shape (anchors, members); 0 for padding.

    Args:
        values: One value a scored token, shape (tokens,).
        member: Flat index of the member each token belongs to, shape (tokens,).
        shape: (anchors, members).
    """
    flat = values.new_zeros(shape[0] * shape[1])
    total = flat.index_add(0, member, values)
    count = flat.index_add(0, member, values.new_ones(values.shape))
    return (total / count.clamp(min=1)).reshape(shape)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask, 0.0).sum(-1) / mask.sum(-1)


def _minus_log_j(nll: Tensor, positive: Tensor, negative: Tensor, config: ContrastivePerplexity) -> Tensor:
    """Return -log J for each anchor, shape (anchors,), from logarithms of s so that nothing underflows."""
    phi = nll.exp() if config.phi == "perplexity" else nll
    prototype = _mean(phi, positive)[:, None]
    gap = phi - (prototype.detach() if config.detach_prototype else prototype)
    distance = gap.abs().where(positive, gap) if config.negatives == "one-sided" else gap.abs()
    log_tau = nll.new_tensor(config.tau).log()
    score = -distance - log_tau if config.variant == "paper" else -distance / config.tau
    score = score + negative * nll.new_tensor(config.alpha).log()
    infinity = float("inf")
    numerator = score.masked_fill(~positive, -infinity).logsumexp(-1)
    return score.masked_fill(~(positive | negative), -infinity).logsumexp(-1) - numerator


def _reference_code(nll: Tensor, positive: Tensor, negative: Tensor, config: ContrastivePerplexity) -> Tensor:
    """Return [|P| logsumexp(z) - sum_P z] / (|P| + 1), z = exp(-d)/tau, + alpha on negatives."""
    phi = nll.exp() if config.phi == "perplexity" else nll
    reference = phi[positive].mean()
    if config.detach_prototype:
        reference = reference.detach()
    logits = (-(phi - reference).abs()).exp() / config.tau + negative * config.alpha
    everything = logits.masked_fill(~(positive | negative), -float("inf")).logsumexp(-1)
    count = positive.sum(-1)
    return (count * everything - logits.masked_fill(~positive, 0.0).sum(-1)) / (count + 1)
