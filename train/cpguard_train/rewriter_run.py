"""Trains a rewriter by a recipe and writes a guard directory."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpguard import models
from cpguard.errors import ConfigError
from cpguard.manifest import MANIFEST_NAME, BaseModelRef, Generation, GuardManifest
from cpguard.protocols import RewriteRequest
from cpguard_train.config import RewriterRecipe
from cpguard_train.data.anchors import Corpus, build_corpus

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Say = Callable[[str], None]
_CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Trained:
    """A trained model with what the guard directory tells about it."""

    model: Any
    tokenizer: Tokenizer
    history: list[dict[str, float]]
    metrics: dict[str, float]


def train_rewriter(recipe: RewriterRecipe, output: Path, *, resume: bool, say: Say) -> Path:
    """Train a rewriter and return its guard directory.

    Args:
        recipe: What to train.
        output: The guard directory; checkpoints lie in it until training is done.
        resume: Whether to go on from the last checkpoint in it.
        say: Receives progress, a line at a time.

    Raises:
        ConfigError: If the directory already has a guard or checkpoints, or the data is not valid.
        BaseModelError: If the base model cannot be found or trusted.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # PEFT imports it; it misses optional kernels
    checkpoints = output / _CHECKPOINTS
    _refuse_overwriting(output, resume=resume)
    base = Path(recipe.base) if recipe.base else models.resolve()
    reference = _reference(base)
    corpus = build_corpus(recipe.data, recipe.seed)
    say(f"{len(corpus.train)} anchors to train on, {len(corpus.dev)} kept out; base {reference.name}")
    trained = _fit(recipe, corpus, base, checkpoints, resume=resume, say=say)
    _write(output, recipe, corpus, trained, base, reference)
    shutil.rmtree(checkpoints, ignore_errors=True)
    _show_example(recipe, trained, output, say)
    return output


def _refuse_overwriting(output: Path, *, resume: bool) -> None:
    if (output / MANIFEST_NAME).exists():
        raise ConfigError(f"{output} already holds a guard; choose another --output")
    if not resume and any((output / _CHECKPOINTS).glob("checkpoint-*")):
        raise ConfigError(
            f"{output} holds checkpoints of an earlier run; add --resume, or choose another --output"
        )
    output.mkdir(parents=True, exist_ok=True)


def _reference(base: Path) -> BaseModelRef:
    if not base.is_file():
        raise ConfigError(
            f"the base model {base} does not exist; leave `base` out or run: cpguard models pull"
        )
    with base.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return BaseModelRef(
        name=models.DEFAULT.name if digest == models.DEFAULT.sha256 else base.stem, sha256=digest
    )


def _fit(
    recipe: RewriterRecipe, corpus: Corpus, base: Path, checkpoints: Path, *, resume: bool, say: Say
) -> Trained:
    from cpguard.rewriters.peft import load_base
    from cpguard_train.evaluation.likelihood import likelihoods
    from cpguard_train.model import add_lora
    from cpguard_train.tokenizer import end_id, read_tokenizer
    from cpguard_train.trainer import Visits, build_trainer

    tokenizer = read_tokenizer(base)
    model = add_lora(load_base(base), recipe.lora, recipe.seed)
    say("base model loaded")
    visits = Visits(corpus.train, tokenizer, recipe)
    trainer = build_trainer(model, visits, recipe, checkpoints, say, end_id(tokenizer))
    go_on = resume and any(checkpoints.glob("checkpoint-*"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT and Trainer warn of what a dequantised GGUF base lacks
        trainer.train(resume_from_checkpoint=go_on or None)
    metrics = likelihoods(model.eval(), corpus.dev, tokenizer, recipe)
    return Trained(model, tokenizer, trainer.state.log_history, metrics)


def _write(
    output: Path,
    recipe: RewriterRecipe,
    corpus: Corpus,
    trained: Trained,
    base: Path,
    reference: BaseModelRef,
) -> None:
    from cpguard_train.export import export_adapter, gguf_heads
    from cpguard_train.model import save_adapter
    from cpguard_train.model_card import write_card
    from cpguard_train.report import write_report

    adapter = save_adapter(trained.model, output / "adapter", reference.name)
    export_adapter(adapter, output / "adapter.gguf", gguf_heads(base))
    trained.tokenizer.save(str(output / "tokenizer.json"))
    manifest = GuardManifest(
        base=reference,
        prompt=recipe.prompt,
        objective=recipe.objective.model_dump(),
        metrics=trained.metrics,
        data=corpus.provenance,
    )
    write_card(manifest, recipe, output)
    write_report(manifest, recipe, trained.history, output)
    manifest.write(output)  # last: a directory with it is complete


def _show_example(recipe: RewriterRecipe, trained: Trained, output: Path, say: Say) -> None:
    from cpguard.rewriters.peft import PeftRewriter

    short = Generation(max_new_tokens=48)
    rewriter = PeftRewriter(trained.model, output / "tokenizer.json", recipe.prompt, short)
    request = [RewriteRequest(text=recipe.example)]
    with trained.model.disable_adapter():
        before = rewriter.rewrite(request)[0][0]
    after = rewriter.rewrite(request)[0][0]
    say(f"\nexample        {recipe.example}")
    say(f"before         {before.splitlines()[0] if before else ''}")
    say(f"after          {after}")
    say(f"\nguard written to {output}. Use it:")
    say(f'  cpguard rewrite --guard {output} "{recipe.example}"')
