"""The classifier recipe: every knob of a training run, unknown keys refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cpguard.errors import ConfigError


class ClassifierConfig(BaseModel):
    """Settings of one training run of the embedded classifier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["classifier"] = "classifier"
    seed: int = 13
    epochs: int = Field(default=2, ge=1)
    max_rows: int | None = Field(default=None, ge=1, description="Cap on training rows, for quick trials.")
    max_tokens: int = Field(default=96, ge=8, le=512, description="Longest training text, in tokens.")
    batch_tokens: int = Field(default=2048, ge=64, description="Padded tokens in one batch.")
    learning_rate: float = Field(default=1.5e-4, gt=0)
    head_learning_rate: float = Field(default=1e-3, gt=0)
    warmup: float = Field(default=0.06, ge=0, le=1, description="Share of the steps.")
    weight_decay: float = Field(default=0.01, ge=0)
    span_weight: float = Field(default=0.5, ge=0)
    embedding_weight: float = Field(
        default=2.0, ge=0, description="Factor on 1 - cosine to the base's embedding."
    )
    weak_weight: float = Field(
        default=0.5, ge=0, description="Loss factor of the categories beside toxicity."
    )
    teacher_share: float = Field(
        default=0.3, ge=0, le=1, description="Share of rows embedded by the base model."
    )
    disguise: float = Field(default=0.12, ge=0, le=1)
    join: float = Field(default=0.08, ge=0, le=1)
    group_weight: float = Field(default=1.5, gt=0, description="Loss factor of the ToxiGen rows.")
    source_shares: dict[str, float] = Field(
        default_factory=dict, description="Share of a data set's rows that is used; 2.0 means each twice."
    )
    dev_false_positive_rate: float = Field(
        default=0.04, gt=0, lt=1, description="Clean dev texts that the toxicity threshold may flag."
    )
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    threads: int = Field(default=2, ge=1)
    checkpoint_every: int = Field(default=200, ge=1, description="Steps between checkpoints.")


def validate(raw: Mapping[str, object]) -> ClassifierConfig:
    """Return the settings of a parsed recipe.

    Raises:
        ConfigError: If a key is unknown or wrong.
    """
    try:
        return ClassifierConfig.model_validate(dict(raw))
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        raise ConfigError(f"the classifier recipe is wrong: {problems}") from exc
