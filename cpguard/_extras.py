"""The border to optional dependencies: import one, or say which extra to install."""

from __future__ import annotations

import importlib
from typing import Any

from cpguard.errors import MissingExtraError


def require(module: str, *, extra: str) -> Any:
    """Import an optional module.

    Args:
        module: Dotted name of the module.
        extra: The cpguard extra that installs it.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: If it is not installed; the message has the command that mends it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        missing = exc.name or module
        raise MissingExtraError(
            f"{missing} is not installed, and this needs it. Run: pip install 'cpguard[{extra}]'"
        ) from exc
