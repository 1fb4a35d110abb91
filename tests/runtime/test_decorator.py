from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from cpguard import ConfigError, DetoxGuard, detoxify
from cpguard.testing import FakeClassifier, FakeRewriter

TOXIC = "Sure. You idiot, the build broke."
CLEAN = "Sure. The build broke."


@pytest.fixture
def guard(classifier: FakeClassifier, rewriter: FakeRewriter) -> DetoxGuard:
    return DetoxGuard(classifier=classifier, rewriter=rewriter)


@pytest.fixture
def default(guard: DetoxGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the fake guard the one that a bare @detoxify uses."""
    monkeypatch.setattr("cpguard.decorator._default_guard", lambda: guard)


@pytest.mark.usefixtures("default")
def test_a_bare_decorator_guards_a_function_and_keeps_its_signature() -> None:
    @detoxify
    def answer(question: str, *, times: int = 1) -> str:
        """Answer."""
        return TOXIC * times

    assert answer("?", times=1) == CLEAN
    assert (answer.__name__, answer.__doc__) == ("answer", "Answer.")
    assert list(inspect.signature(answer).parameters) == ["question", "times"]


async def test_a_coroutine_function_stays_one(guard: DetoxGuard) -> None:
    @detoxify(guard=guard)
    async def answer() -> str:
        return TOXIC

    assert inspect.iscoroutinefunction(answer)
    assert await answer() == CLEAN


def test_a_generator_releases_only_judged_text(guard: DetoxGuard) -> None:
    @detoxify(guard=guard)
    def tokens() -> Iterator[str]:
        yield from ["Sure. You id", "iot, the", " build broke."]

    assert inspect.isgeneratorfunction(tokens)
    assert "".join(tokens()) == CLEAN


async def test_an_async_generator_releases_only_judged_text(guard: DetoxGuard) -> None:
    @detoxify(guard=guard)
    async def tokens() -> AsyncIterator[str]:
        for piece in ["Sure. You id", "iot, the", " build broke."]:
            yield piece

    assert inspect.isasyncgenfunction(tokens)
    assert "".join([piece async for piece in tokens()]) == CLEAN


def test_an_empty_generator_stays_empty(guard: DetoxGuard) -> None:
    @detoxify(guard=guard)
    def tokens() -> Iterator[str]:
        yield from ()

    assert list(tokens()) == []


def test_a_generator_that_fails_releases_nothing_and_is_closed(guard: DetoxGuard) -> None:
    closed = []

    @detoxify(guard=guard)
    def tokens() -> Iterator[str]:
        try:
            yield "You idiot, "
            raise ConnectionError
        finally:
            closed.append(True)

    with pytest.raises(ConnectionError):
        next(tokens())
    assert closed == [True]


def test_messages_and_dict_fields_are_guarded(guard: DetoxGuard) -> None:
    @detoxify(guard=guard)
    def message() -> AIMessage:
        return AIMessage(TOXIC, id="m")

    @detoxify(guard=guard, key="answer")
    def record() -> dict[str, Any]:
        return {"answer": TOXIC, "n": 3}

    assert (message().content, message().id) == (CLEAN, "m")
    assert record() == {"answer": CLEAN, "n": 3}


def test_methods_and_partials_are_guarded(guard: DetoxGuard) -> None:
    class Bot:
        @detoxify(guard=guard)
        def say(self, text: str) -> str:
            return text

    assert Bot().say(TOXIC) == CLEAN
    assert detoxify(guard=guard)(partial(str, TOXIC))() == CLEAN


@pytest.mark.parametrize("wrong", ["text", 3])
def test_what_is_no_function_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="needs a function"):
        detoxify(wrong)
