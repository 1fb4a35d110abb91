# ruff: noqa: TID253
"""The training loop: seeded, checkpointed, resumable at the step it stopped at."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from cpguard_train.classifier.augment import augmented
from cpguard_train.classifier.batches import Batch, batches
from cpguard_train.classifier.config import ClassifierConfig
from cpguard_train.classifier.losses import losses
from cpguard_train.classifier.model import ToxicityModel
from cpguard_train.classifier.rows import CLEAN, Row, cut

CHECKPOINT = "checkpoint.pt"
_CHARACTERS_PER_TOKEN = 4


@dataclass
class Trainer:
    """What a run needs beside the rows.

    Attributes:
        model: Trained in place; its word embeddings stay frozen, so rare words keep their places.
        tokenizer: Cuts at config.max_tokens.
        config: The recipe.
        folder: Where checkpoints and the log go.
        say: Receives progress, a line at a time.
    """

    model: ToxicityModel
    tokenizer: Tokenizer
    config: ClassifierConfig
    folder: Path
    say: Callable[[str], None] = lambda line: None

    def run(self, rows: Sequence[Row], teacher: Tensor | None = None) -> None:
        """Train on the rows, from the last checkpoint in the folder if there is one.

        Args:
            rows: Training rows.
            teacher: Base embedding of each row, zero where unknown, shape (len(rows), H).
        """
        torch.set_num_threads(self.config.threads)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
        self.model.train()
        plan = list(self._plan(rows))
        total = len(plan)
        optimizer = self._optimizer()
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self._factor(step, total))
        done = self._resume(optimizer, schedule)
        began = time.monotonic()
        for step, batch in enumerate(plan[done:], start=done):
            torch.manual_seed(self.config.seed * 1_000_003 + step)  # dropout is the same after a resume
            values = self._step(batch, optimizer, schedule, teacher)
            if step % 20 == 0 or step + 1 == total:
                self._report(step, total, values, (time.monotonic() - began) / (step + 1 - done))
            if (step + 1) % self.config.checkpoint_every == 0 or step + 1 == total:
                self._save(step + 1, optimizer, schedule)
        self.model.eval()

    def _plan(self, rows: Sequence[Row]) -> Iterator[Batch]:
        """Yield the batches of all epochs; the same every time, which is what makes resuming exact."""
        config = self.config
        joinable = [row for row in rows if row.labels == CLEAN and 20 < len(row.text) < 160]
        limit = config.max_tokens * _CHARACTERS_PER_TOKEN
        for epoch in range(config.epochs):
            rng = random.Random(config.seed * 1000 + epoch)  # noqa: S311
            changed = [
                augmented(cut(row, limit, rng), joinable, rng, disguise=config.disguise, join=config.join)
                for row in rows
            ]
            for batch in batches(changed, self.tokenizer, config.batch_tokens, rng):
                # a row whose text was changed has another meaning than its teacher embedding
                same = [changed[i].text == rows[i].text for i in batch.index.tolist()]
                yield replace(batch, index=torch.where(torch.tensor(same), batch.index, -1))

    def _step(
        self,
        batch: Batch,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LambdaLR,
        teacher: Tensor | None,
    ) -> dict[str, float]:
        config = self.config
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.precision == "bfloat16"):
            outputs = self.model(batch.input_ids, batch.attention_mask)
        target = None
        if teacher is not None:
            target = teacher[batch.index.clamp(min=0)] * (batch.index >= 0).float().unsqueeze(-1)
        parts = losses(outputs, batch, config.weak_weight, target)
        loss = parts.category + config.span_weight * parts.span + config.embedding_weight * parts.embedding
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        return {name: value.item() for name, value in parts._asdict().items()}

    def _optimizer(self) -> torch.optim.Optimizer:
        config = self.config
        encoder = [p for p in self.model.encoder.parameters() if p.requires_grad]
        inside = {id(p) for p in self.model.encoder.parameters()}
        heads = [p for p in self.model.parameters() if id(p) not in inside]
        groups = [
            {"params": encoder, "lr": config.learning_rate},
            {"params": heads, "lr": config.head_learning_rate},
        ]
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay)

    def _factor(self, step: int, total: int) -> float:
        """Return the learning rate's factor: linear warm-up, then cosine to 2 %."""
        warm = max(1, int(self.config.warmup * total))
        if step < warm:
            return (step + 1) / warm
        return 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))

    def _report(self, step: int, total: int, values: dict[str, float], seconds: float) -> None:
        record = {"step": step, "of": total, "seconds_per_step": round(seconds, 3)}
        line = json.dumps(record | {name: round(value, 4) for name, value in values.items()})
        self.say(line)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _save(
        self, step: int, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LambdaLR
    ) -> None:
        state = {
            "step": step,
            "model": self.model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        }
        partial = self.folder / (CHECKPOINT + ".part")
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT)

    def _resume(self, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LambdaLR) -> int:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return 0
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        self.say(f"resuming at step {state['step']}")
        return int(state["step"])


@torch.inference_mode()
def teacher_embeddings(
    model: ToxicityModel, tokenizer: Tokenizer, rows: Sequence[Row], config: ClassifierConfig
) -> Tensor:
    """Return the untrained model's embedding of a random share of the rows, zero for the others.

    Rows longer than config.max_tokens are cut before training, so their embedding is not taken.
    """
    model.eval()
    rng = random.Random(config.seed)  # noqa: S311
    limit = config.max_tokens * _CHARACTERS_PER_TOKEN
    chosen = [
        i for i, row in enumerate(rows) if len(row.text) <= limit and rng.random() < config.teacher_share
    ]
    result = torch.zeros(len(rows), model.encoder.config.hidden_size)
    for batch in batches([rows[i] for i in chosen], tokenizer, 4 * config.batch_tokens, rng):
        numbers = torch.tensor([chosen[i] for i in batch.index.tolist()])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.precision == "bfloat16"):
            result[numbers] = model(batch.input_ids, batch.attention_mask).embedding.float()
    return result
