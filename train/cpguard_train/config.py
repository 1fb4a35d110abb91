"""What a recipe may say: one class a section, unknown keys refused, dotted overrides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from cpguard.errors import ConfigError
from cpguard.manifest import DEFAULT_PROMPT
from cpguard_train.objectives.contrastive_perplexity import ContrastivePerplexity

Raw = dict[str, Any]  # parsed YAML, before validation
_RECIPES = files("cpguard_train") / "recipes"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(_Section):
    """Which anchors.

    Attributes:
        sources: `smoke` (bundled), `paradetox` (read below $CPGUARD_DATA), or the path of a JSONL file.
        repeat: How many times the anchors of a source count; once if not named.
        dev: How many bundled or own anchors are kept out of training, spread over each file.
        identity: Share of anchors, of those trained on, whose source is clean and its own rewrite.
        limit: At most so many anchors before identity anchors are added; none for all.
    """

    sources: tuple[str, ...] = Field(default=("smoke",), min_length=1)
    repeat: dict[str, int] = Field(default_factory=dict)
    dev: int = Field(default=30, ge=0)
    identity: float = Field(default=0.1, ge=0, lt=1)
    limit: int | None = Field(default=None, ge=1)

    @field_validator("repeat")
    @classmethod
    def _known_source(cls, repeat: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        unknown = sorted(set(repeat) - set(info.data.get("sources", ())))
        if unknown or any(times < 1 for times in repeat.values()):
            raise ValueError(f"must name sources, each at least 1 time; not among them: {unknown}")
        return repeat


class Members(_Section):
    """How many members of each anchor one visit uses, drawn without replacement."""

    positives: int = Field(default=2, ge=1)
    negatives: int = Field(default=3, ge=0)


class Lora(_Section):
    """The adapter: rank, scale and dropout, on all linear layers."""

    r: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Training(_Section):
    """How the adapter is optimised (AdamW, linear warm-up, cosine decay to zero).

    Attributes:
        steps: Optimiser steps.
        batch_size: Anchors a forward pass.
        accumulation: Forward passes an optimiser step.
        warmup: Share of the steps that warm up.
        max_tokens: A text longer than this is cut, an anchor's prompt too long for it is refused.
        precision: bf16 computes in bfloat16 under autocast; weights and loss stay fp32.
        checkpoint_every: Steps between checkpoints; the last two are kept.
        log_every: Steps between progress lines.
        report_to: `tensorboard`, `wandb`, `mlflow`, or `none`.
    """

    steps: int = Field(default=400, ge=1)
    batch_size: int = Field(default=8, ge=1)
    accumulation: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    warmup: float = Field(default=0.05, ge=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_tokens: int = Field(default=256, ge=8)
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_every: int = Field(default=50, ge=1)
    log_every: int = Field(default=5, ge=1)
    report_to: Literal["none", "tensorboard", "wandb", "mlflow"] = "none"


class RewriterRecipe(_Section):
    """Everything that decides what adapter comes out."""

    task: Literal["rewriter"] = "rewriter"
    name: str = Field(min_length=1)
    base: str | None = Field(default=None, description="Base model GGUF; none for the embedded default.")
    prompt: str = DEFAULT_PROMPT
    seed: int = 13
    data: Data = Data()
    members: Members = Members()
    objective: ContrastivePerplexity = ContrastivePerplexity()
    lora: Lora = Lora()
    training: Training = Training()
    example: str = Field(default="This is a stupid idea, you idiot.", description="Shown before and after.")

    @field_validator("prompt")
    @classmethod
    def _one_source(cls, prompt: str) -> str:
        if prompt.count("{source}") != 1:
            raise ValueError("must hold {source} exactly once")
        return prompt


def recipe_names() -> list[str]:
    """Return the names of the bundled recipes."""
    return sorted(
        entry.name.removesuffix(".yaml") for entry in _RECIPES.iterdir() if entry.name.endswith(".yaml")
    )


def load_raw(recipe: str, overrides: Sequence[str] = ()) -> Raw:
    """Return a recipe's keys with the overrides put in, not yet validated.

    Args:
        recipe: Name of a bundled recipe, or path of a YAML file.
        overrides: `dotted.key=value`, the value in YAML.

    Raises:
        ConfigError: If there is no such recipe, it is no YAML mapping, or an override has no `=`.
    """
    bundled = _RECIPES / f"{recipe}.yaml"
    if recipe in recipe_names():
        text = bundled.read_text(encoding="utf-8")
    elif Path(recipe).is_file():
        text = Path(recipe).read_text(encoding="utf-8")
    else:
        near = get_close_matches(recipe, recipe_names(), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"no recipe '{recipe}': not a file, nor one of {', '.join(recipe_names())}.{hint}")
    raw = _parse(text, recipe)
    if not isinstance(raw, dict):
        raise ConfigError(f"the recipe '{recipe}' is not a YAML mapping")
    for override in overrides:
        _put(raw, override)
    return raw


def validate(raw: Mapping[str, Any]) -> RewriterRecipe:
    """Return the recipe.

    Raises:
        ConfigError: Names each wrong key, and for an unknown one the nearest valid key.
    """
    try:
        return RewriterRecipe.model_validate(raw)
    except ValidationError as exc:
        raise ConfigError("the recipe is wrong: " + "; ".join(_problems(exc))) from exc


def _parse(text: str, what: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"'{what}' is not valid YAML: {str(exc).splitlines()[0]}") from exc


def _put(raw: Raw, override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"the override '{override}' should be key=value, e.g. training.steps=100")
    *sections, last = key.split(".")
    for section in sections:
        raw = raw.setdefault(section, {})
        if not isinstance(raw, dict):
            raise ConfigError(f"the override '{override}' goes through '{section}', which is no section")
    raw[last] = _parse(value, override)


def _problems(exc: ValidationError) -> Iterator[str]:
    for error in exc.errors(include_url=False):
        path = [str(part) for part in error["loc"]]
        key = ".".join(path)
        if error["type"] != "extra_forbidden":
            yield f"{key}: {error['msg']}"
            continue
        known = _keys(path[:-1])
        near = get_close_matches(path[-1], known, n=1, cutoff=0.4)
        hint = f"did you mean '{'.'.join([*path[:-1], near[0]])}'?" if near else f"known: {', '.join(known)}"
        yield f"unknown key '{key}', {hint}"


def _keys(path: Sequence[str]) -> list[str]:
    """Return the valid keys of the section at a path."""
    section: type[BaseModel] = RewriterRecipe
    for part in path:
        annotation = section.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            section = annotation
    return list(section.model_fields)
