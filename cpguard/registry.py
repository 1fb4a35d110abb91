"""Find a classifier or rewriter by name; built-ins and third parties come through the same door.

A spec is `name` or `name:argument`, e.g. `embedded`, `detoxify:unbiased`, `gguf:/models/a.gguf`.
Third parties declare an entry point in the group `cpguard.classifiers` or `cpguard.rewriters`
whose object is a factory: it takes the argument ("" if there is none) and returns the part.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Literal

from cpguard.errors import ConfigError, CpguardError
from cpguard.protocols import Classifier, Rewriter

Kind = Literal["classifier", "rewriter"]

BUILT_IN: Mapping[Kind, Mapping[str, str]] = {
    "classifier": {
        "embedded": "cpguard.classifiers.embedded:load",
        "detoxify": "cpguard.classifiers.detoxify:load",
        "hf": "cpguard.classifiers.hf:load",
    },
    "rewriter": {
        "embedded": "cpguard.rewriters.embedded:load",
        "gguf": "cpguard.rewriters.gguf:load",
        "mask": "cpguard.rewriters.mask:load",
        "peft": "cpguard.rewriters.peft:load",
    },
}


def available(kind: Kind) -> dict[str, EntryPoint]:
    """Return the registered names of a kind with their entry points; third parties come last."""
    group = f"cpguard.{kind}s"
    built_in = {name: EntryPoint(name, target, group) for name, target in BUILT_IN[kind].items()}
    third_party = {point.name: point for point in entry_points(group=group) if point.name not in built_in}
    return built_in | third_party


def require_known(kind: Kind, spec: str) -> EntryPoint:
    """Return the entry point that a spec names, without loading it.

    Raises:
        ConfigError: If the name is unknown.
    """
    name = spec.partition(":")[0]
    points = available(kind)
    if name not in points:
        near = get_close_matches(name, points, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"unknown {kind} '{name}'. Known: {', '.join(sorted(points))}.{hint}")
    return points[name]


def load_classifier(spec: str) -> Classifier:
    """Return the classifier that a spec names.

    Raises:
        ConfigError: If the name is unknown or its factory returns no Classifier.
    """
    part = _load("classifier", spec)
    if not isinstance(part, Classifier):
        raise ConfigError(f"classifier '{spec}' is a {type(part).__name__}, which has no `classify`")
    return part


def load_rewriter(spec: str) -> Rewriter:
    """Return the rewriter that a spec names.

    Raises:
        ConfigError: If the name is unknown or its factory returns no Rewriter.
    """
    part = _load("rewriter", spec)
    if not isinstance(part, Rewriter):
        raise ConfigError(f"rewriter '{spec}' is a {type(part).__name__}, which has no `rewrite`")
    return part


def _load(kind: Kind, spec: str) -> object:
    point = require_known(kind, spec)
    try:
        factory = point.load()
    except (ImportError, AttributeError) as exc:
        if isinstance(exc, CpguardError):
            raise
        raise ConfigError(f"{kind} '{point.name}' cannot be loaded from {point.value}: {exc}") from exc
    return factory(spec.partition(":")[2])
