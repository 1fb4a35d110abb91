"""@detoxify: guard what a function returns or yields."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast, overload

from cpguard.errors import ConfigError
from cpguard.guard import DetoxGuard

P = ParamSpec("P")
R = TypeVar("R")


@overload
def detoxify(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def detoxify(
    *, guard: DetoxGuard | None = None, key: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def detoxify(
    function: Callable[P, R] | None = None,
    /,
    *,
    guard: DetoxGuard | None = None,
    key: str | None = None,
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the function with its output guarded; works bare or with arguments.

    Functions and coroutine functions may return str, messages, lists of those, or a dict (with `key`).
    Generators and async generators may yield str or message chunks; they are held until judged, and
    what is released is released after the wrapped generator has ended.

    >>> @detoxify
    ... def answer(question: str) -> str:
    ...     return f"You asked: {question}"

    Args:
        function: The function, when used without parentheses.
        guard: The guard to use; by default one DetoxGuard shared by all decorated functions, made at
            the first call.
        key: For functions that return a dict, the key of the text.

    Raises:
        ConfigError: If what is decorated is not callable.
    """
    if function is None:
        return lambda decorated: _wrap(decorated, guard, key)
    return _wrap(function, guard, key)


def _wrap(function: Callable[P, R], guard: DetoxGuard | None, key: str | None) -> Callable[P, R]:
    if not callable(function):
        raise ConfigError(
            f"@detoxify needs a function, got {type(function).__name__}; use @detoxify(guard=...)"
        )

    def chosen() -> DetoxGuard:
        found = guard or _default_guard()
        return found if key is None else found.model_copy(update={"key": key})

    return cast("Callable[P, R]", _kind(function)(function, chosen))


def _kind(function: Callable[..., Any]) -> Callable[[Callable[..., Any], Callable[[], DetoxGuard]], Any]:
    if inspect.isasyncgenfunction(function):
        return _async_generator
    if inspect.iscoroutinefunction(function):
        return _coroutine
    return _generator if inspect.isgeneratorfunction(function) else _function


def _function(function: Callable[..., Any], chosen: Callable[[], DetoxGuard]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return chosen().invoke(function(*args, **kwargs))

    return guarded


def _coroutine(function: Callable[..., Any], chosen: Callable[[], DetoxGuard]) -> Callable[..., Any]:
    @wraps(function)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        return await chosen().ainvoke(await function(*args, **kwargs))

    return guarded


def _generator(function: Callable[..., Any], chosen: Callable[[], DetoxGuard]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with closing(function(*args, **kwargs)) as raw:
            yield from chosen().transform(raw)

    return guarded


def _async_generator(function: Callable[..., Any], chosen: Callable[[], DetoxGuard]) -> Callable[..., Any]:
    @wraps(function)
    async def guarded(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async with aclosing(function(*args, **kwargs)) as raw:
            async for piece in chosen().atransform(raw):
                yield piece

    return guarded


@lru_cache(maxsize=1)
def _default_guard() -> DetoxGuard:
    return DetoxGuard()
