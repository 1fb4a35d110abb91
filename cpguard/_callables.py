"""Call a user's function without letting the text it was given into an error."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable
from typing import TypeVar

from cpguard.errors import ConfigError, CpguardError

T = TypeVar("T")
R = TypeVar("R")


def require_sync_callable(function: object, *, role: str, signature: str) -> None:
    """Check that an object is callable and not a coroutine or generator function.

    Args:
        function: What the user gave.
        role: What it is to be, for the message: "classifier" or "rewriter".
        signature: What it should look like, for the message.

    Raises:
        ConfigError: If it is not callable, or calling it gives a coroutine or generator.
    """
    if not callable(function):
        raise ConfigError(
            f"a {role} function must be callable like {signature}, got {type(function).__name__}"
        )
    target = function.func if isinstance(function, functools.partial) else function
    for candidate in (target, type(target).__call__):
        if inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate):
            raise ConfigError(
                f"a {role} function must be a plain function like {signature}, not async; "
                "the guard calls it in a worker thread, so blocking calls are fine there"
            )
        if inspect.isgeneratorfunction(candidate):
            raise ConfigError(f"a {role} function must return its result like {signature}, not yield it")


def call(function: Callable[[T], R], argument: T, *, role: str, error: type[CpguardError]) -> R:
    """Return function(argument); what it raises becomes `error`, naming the place but not the text.

    Raises:
        CpguardError: Of the given type. An error of cpguard's own passes as it is.
    """
    try:
        return function(argument)
    except CpguardError:
        raise
    except Exception as exc:  # noqa: BLE001  a user's function may raise anything
        place = traceback.extract_tb(exc.__traceback__)[-1]
        problem = (
            f"the {role} function raised {type(exc).__name__} at {place.filename}:{place.lineno}; "
            "its message is withheld because it may quote the text"
        )
    raise error(problem)  # outside the handler, so that the cause does not travel along as context
