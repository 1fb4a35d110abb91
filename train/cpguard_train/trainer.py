"""The optimisation loop: HF Trainer with the contrastive-perplexity loss on packed anchors."""

# ruff: noqa: TID253
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cpguard.errors import ConfigError
from cpguard_train.config import Members, RewriterRecipe, Training
from cpguard_train.data.schema import Anchor
from cpguard_train.objectives.contrastive_perplexity import (
    ContrastivePerplexity,
    contrastive_perplexity_loss,
    mean_by_member,
    token_nll,
)
from cpguard_train.packing import Encoded, pack
from cpguard_train.tokenizer import BEGIN, end_id

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Visits(Dataset[Encoded]):
    """Which anchor is seen when, and with which members: a function of the seed and the visit alone.

    A resumed run therefore continues exactly where it stopped, whatever the number of workers.
    """

    def __init__(self, anchors: Sequence[Anchor], tokenizer: Tokenizer, recipe: RewriterRecipe) -> None:
        self._anchors, self._tokenizer, self._recipe = anchors, tokenizer, recipe
        self._order: dict[int, list[int]] = {}

    def __len__(self) -> int:
        training = self._recipe.training
        return training.steps * training.batch_size * training.accumulation

    def __getitem__(self, visit: int) -> Encoded:
        epoch, place = divmod(visit, len(self._anchors))
        if epoch not in self._order:
            order = list(range(len(self._anchors)))
            Random(f"{self._recipe.seed}:{epoch}").shuffle(order)  # noqa: S311
            self._order[epoch] = order
        anchor = self._anchors[self._order[epoch][place]]
        rng = Random(f"{self._recipe.seed}:{visit}")  # noqa: S311
        return encode(draw(anchor, self._recipe.members, rng), self._tokenizer, self._recipe)


def draw(anchor: Anchor, members: Members, rng: Random) -> Anchor:
    """Return the anchor with at most the wanted number of members of each kind."""
    positives = rng.sample(anchor.positives, min(members.positives, len(anchor.positives)))
    negatives = rng.sample(anchor.negatives, min(members.negatives, len(anchor.negatives)))
    return anchor.model_copy(update={"positives": tuple(positives), "negatives": tuple(negatives)})


def encode(anchor: Anchor, tokenizer: Tokenizer, recipe: RewriterRecipe) -> Encoded:
    """Return the token ids of an anchor: conditional on its prompt if it has a source.

    Raises:
        ConfigError: If the prompt alone is longer than `training.max_tokens`.
    """
    limit = recipe.training.max_tokens
    text = BEGIN if anchor.source is None else recipe.prompt.replace("{source}", anchor.source)
    prompt = tokenizer.encode(text, add_special_tokens=False).ids
    if len(prompt) > limit:
        raise ConfigError(
            f"the prompt of anchor '{anchor.id}' has {len(prompt)} tokens, more than "
            f"training.max_tokens ({limit}); raise it or shorten the source"
        )
    end = end_id(tokenizer)

    def ids(member: str) -> list[int]:
        return [*tokenizer.encode(member, add_special_tokens=False).ids[:limit], end]

    return Encoded(prompt, [ids(text) for text in anchor.positives], [ids(text) for text in anchor.negatives])


def member_nll(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Return the mean NLL of every member, shape (anchors, members), with logits only where scored.

    Args:
        model: A causal language model, or its PEFT wrapper.
        batch: What `pack` returned.
    """
    language_model: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    hidden = language_model.get_decoder()(
        input_ids=batch["input_ids"],
        position_ids=batch["position_ids"],
        attention_mask=batch["attention_mask"],
        use_cache=False,
    ).last_hidden_state
    scored = hidden.reshape(-1, hidden.shape[-1])[batch["predict_from"]]
    values = token_nll(scored, language_model.get_output_embeddings().weight, batch["targets"])
    anchors, members = batch["positive"].shape
    return mean_by_member(values, batch["member"], (anchors, members))


class ContrastiveTrainer(Trainer):
    """HF Trainer whose loss is contrastive perplexity over packed anchors."""

    def __init__(self, *args: Any, objective: ContrastivePerplexity, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._objective = objective
        # The loss is a mean over anchors: accumulated batches are averaged, not weighted by tokens.
        self.model_accepts_loss_kwargs = False
        self.phi: dict[str, float] = {}

    def compute_loss(self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Return the loss of a batch, and note the mean NLL of positives and negatives."""
        del args, kwargs
        # The Trainer's own autocast wraps model.forward, which scoring only at labels goes around.
        with torch.autocast(inputs["targets"].device.type, torch.bfloat16, enabled=self.args.bf16):
            nll = member_nll(model, inputs)
        positive, negative = inputs["positive"], inputs["negative"]
        loss = contrastive_perplexity_loss(nll, positive, negative, self._objective)
        detached = nll.detach()
        self.phi = {"nll_positives": detached[positive].mean().item()}
        if negative.any():
            self.phi["nll_negatives"] = detached[negative].mean().item()
        return loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log the loss together with the likelihoods behind it."""
        super().log({**logs, **self.phi} if "loss" in logs else logs, *args, **kwargs)

    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> SequentialSampler:
        del args, kwargs
        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]


class Progress(TrainerCallback):
    """One line every few steps: step, loss, likelihoods, pace, and when it will be done."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began = 0.0
        self._first = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock; a resumed run counts from where it stopped."""
        self._began, self._first = time.monotonic(), state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Say how far the run is."""
        if not logs or "loss" not in logs:
            return
        pace = (time.monotonic() - self._began) / max(1, state.global_step - self._first)
        left = round(pace * (state.max_steps - state.global_step))
        negatives = f" / negatives {logs['nll_negatives']:.2f}" if "nll_negatives" in logs else ""
        self._say(
            f"step {state.global_step}/{state.max_steps}  loss {logs['loss']:.3f}  "
            f"nll positives {logs['nll_positives']:.2f}{negatives}  "
            f"{pace:.2f} s/step  {left // 60}:{left % 60:02d} left"
        )


def build_trainer(
    model: nn.Module,
    visits: Visits,
    recipe: RewriterRecipe,
    directory: Path,
    say: Callable[[str], None],
    pad_id: int,
) -> ContrastiveTrainer:
    """Return the trainer of a recipe; checkpoints go to the directory."""
    trainer = ContrastiveTrainer(
        model=model,
        args=_arguments(recipe.training, recipe.seed, directory),
        train_dataset=visits,
        data_collator=lambda batch: pack(batch, pad_id),
        objective=recipe.objective,
        callbacks=[Progress(say)],
    )
    # Trainer adds its own progress bar and printer, which would say the same twice.
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ in {"ProgressCallback", "PrinterCallback"}:
            trainer.remove_callback(callback)
    return trainer


def _arguments(training: Training, seed: int, directory: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(directory),
        max_steps=training.steps,
        per_device_train_batch_size=training.batch_size,
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.learning_rate,
        warmup_steps=round(training.warmup * training.steps),
        lr_scheduler_type="cosine",
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=training.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=seed,
        data_seed=seed,
        logging_steps=training.log_every,
        logging_first_step=True,
        save_steps=training.checkpoint_every,
        save_total_limit=2,
        report_to=training.report_to,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
