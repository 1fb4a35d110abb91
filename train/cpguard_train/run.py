"""The one entry of training: finds the recipe, and hands it to the task that it names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cpguard.errors import ConfigError
from cpguard_train.config import load_raw, validate


def run(
    recipe: str,
    output: Path,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train what a recipe describes and return the directory it was written to.

    Args:
        recipe: Name of a bundled recipe, or path of a YAML file.
        output: Directory to write.
        overrides: `dotted.key=value`, the value in YAML.
        resume: Whether to go on from the last checkpoint in the output directory.
        say: Receives progress, a line at a time.

    Raises:
        ConfigError: If the recipe, an override, the data or the output directory is wrong.
        BaseModelError: If the base model cannot be found or trusted.
    """
    raw = load_raw(recipe, overrides)
    task = raw.get("task")
    if task == "rewriter":
        from cpguard_train.rewriter_run import train_rewriter

        return train_rewriter(validate(raw), output, resume=resume, say=say)
    if task == "classifier":
        from cpguard_train.classifier import config as classifier_config
        from cpguard_train.classifier import run as classifier_run

        return classifier_run.run(classifier_config.validate(raw), output, say=say)
    raise ConfigError(f"the recipe '{recipe}' has task '{task}'; it should be rewriter or classifier")
