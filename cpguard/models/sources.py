"""Where a base model may already be on this machine; nothing here touches the network."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

from cpguard.errors import BaseModelError
from cpguard.models import cache
from cpguard.models.spec import BaseModelSpec


def explicit(spec: BaseModelSpec) -> Path | None:
    """Return the file that CPGUARD_BASE_MODEL names.

    Raises:
        BaseModelError: If it is set and there is no such file.
    """
    given = os.environ.get("CPGUARD_BASE_MODEL")
    if not given:
        return None
    path = Path(given).expanduser()
    if not path.is_file():
        raise BaseModelError(
            f"CPGUARD_BASE_MODEL names {path}, which is no file; unset it or set it to the GGUF file of "
            f"{spec.name}"
        )
    return path


def installed(spec: BaseModelSpec) -> Path | None:
    """Return the file in an installed package, found without importing the package."""
    found = importlib.util.find_spec(spec.package)
    for location in (found.submodule_search_locations or ()) if found else ():
        path = Path(location).parent / spec.member
        if path.is_file():
            return path
    return None


def cached(spec: BaseModelSpec) -> Path | None:
    """Return the file in our cache."""
    path = cache.path_of(spec)
    return path if path.is_file() else None


LOCAL: dict[str, Callable[[BaseModelSpec], Path | None]] = {
    "CPGUARD_BASE_MODEL": explicit,
    "installed package": installed,
    "cache": cached,
}
"""In the order in which they are asked."""
