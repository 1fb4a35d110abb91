"""guard.json: what a guard directory says about itself. Training writes it, the runtime reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cpguard._json import read_model
from cpguard.policy import Policy

MANIFEST_NAME = "guard.json"
DEFAULT_PROMPT = "<|im_start|>user\nDetoxify: {source}<|im_end|>\n<|im_start|>assistant\n"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class BaseModelRef(_Strict):
    """The base model an adapter was trained on; another one is refused."""

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Generation(_Strict):
    """How rewrites are decoded."""

    max_new_tokens: int = Field(default=160, ge=1)
    stop: str = "<|im_end|>"


class GuardManifest(_Strict):
    """The contents of guard.json."""

    schema_version: Literal[1] = 1
    base: BaseModelRef
    prompt: str = Field(default=DEFAULT_PROMPT, description="One literal string with one {source}.")
    generation: Generation = Generation()
    policy: Policy = Policy()
    objective: dict[str, float | int | str | bool | None] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    data: list[dict[str, str | int]] = Field(
        default_factory=list, description="Provenance: name, licence, revision, rows of each source."
    )

    def write(self, directory: Path) -> Path:
        """Write guard.json into the directory and return its path; a policy's defaults are left out."""
        path = directory / MANIFEST_NAME
        policy = self.policy.model_dump(mode="json", exclude_defaults=True)
        contents = {**self.model_dump(mode="json"), "policy": policy}
        path.write_text(json.dumps(contents, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, directory: Path) -> GuardManifest:
        """Read guard.json from a guard directory.

        Raises:
            ConfigError: If it is missing, not JSON, or a key is unknown or wrong.
        """
        missing = (
            f"{directory} is not a guard directory: it has no {MANIFEST_NAME}. "
            "Make one with: cpguard train smoke --output DIR"
        )
        return read_model(directory / MANIFEST_NAME, cls, missing=missing)
