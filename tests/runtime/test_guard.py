from __future__ import annotations

import asyncio
import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda

from cpguard import BlockedError, ConfigError, DetoxGuard, InputError, Policy
from cpguard.testing import FakeClassifier, FakeRewriter

TOXIC = "Sure. You idiot, the build broke."
CLEAN = "Sure. The build broke."


@pytest.fixture
def guard(classifier: FakeClassifier, rewriter: FakeRewriter) -> DetoxGuard:
    return DetoxGuard(classifier=classifier, rewriter=rewriter)


def test_detoxify_takes_one_text_or_a_list(guard: DetoxGuard) -> None:
    assert guard.detoxify(TOXIC).text == CLEAN
    assert [result.text for result in guard.detoxify([TOXIC, "Hi."])] == [CLEAN, "Hi."]
    assert guard.detoxify([]) == []


def test_check_says_what_is_flagged_and_changes_nothing(guard: DetoxGuard, rewriter: FakeRewriter) -> None:
    assert guard.check(TOXIC).flagged
    assert [verdict.flagged for verdict in guard.check([TOXIC, "Hi."])] == [True, False]
    assert rewriter.calls == 0


async def test_the_async_twins_return_the_same(guard: DetoxGuard) -> None:
    assert (await guard.adetoxify(TOXIC)).text == CLEAN
    assert (await guard.acheck([TOXIC]))[0].flagged
    assert await guard.ainvoke(TOXIC) == CLEAN
    assert await guard.abatch([TOXIC, "Hi."]) == [CLEAN, "Hi."]


async def test_the_event_loop_keeps_running_while_the_guard_works(rewriter: FakeRewriter) -> None:
    import time

    guard = DetoxGuard(classifier=lambda texts: (time.sleep(0.2), [0.0] * len(texts))[1], rewriter=rewriter)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    await guard.adetoxify("Hi.")
    ticking.cancel()
    assert ticks > 5


def test_a_chain_gives_clean_text(guard: DetoxGuard) -> None:
    chain = FakeListChatModel(responses=[TOXIC]) | guard | StrOutputParser()
    assert chain.invoke("?") == CLEAN


def test_a_chains_batch_is_one_classifier_call(guard: DetoxGuard, classifier: FakeClassifier) -> None:
    chain = FakeListChatModel(responses=["Fine.", "Good.", "Well."]) | guard | StrOutputParser()
    assert chain.batch(["a", "b", "c"]) == ["Fine.", "Good.", "Well."]
    assert classifier.calls == 1


def test_batch_gives_the_same_as_invoke(guard: DetoxGuard) -> None:
    inputs: list[Any] = [TOXIC, AIMessage(TOXIC), ["a", TOXIC], "", "You idiot! " * 3]
    assert guard.batch(inputs) == [guard.invoke(value) for value in inputs]


def test_one_bad_input_in_a_batch_is_its_own_exception_when_asked(guard: DetoxGuard) -> None:
    first, second, third = guard.batch([TOXIC, None, "Hi."], return_exceptions=True)
    assert (first, third) == (CLEAN, "Hi.")
    assert isinstance(second, InputError)
    with pytest.raises(InputError, match="NoneType"):
        guard.batch([TOXIC, None])


def test_raise_is_for_the_input_that_deserves_it(classifier: FakeClassifier, rewriter: FakeRewriter) -> None:
    guard = DetoxGuard(classifier=classifier, rewriter=rewriter, policy=Policy(actions={"toxicity": "raise"}))
    fine, blocked = guard.batch(["Hi.", TOXIC], return_exceptions=True)
    assert fine == "Hi."
    assert isinstance(blocked, BlockedError)
    with pytest.raises(BlockedError, match="toxicity"):
        guard.invoke(TOXIC)
    with pytest.raises(BlockedError):
        guard.detoxify(TOXIC)


def test_a_stream_is_held_until_it_is_judged(guard: DetoxGuard) -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage(TOXIC)]))
    pieces = list((model | guard | StrOutputParser()).stream("?"))
    assert "".join(pieces) == CLEAN
    assert list(guard.transform(iter(["You id", "iot, the build", " broke."]))) == ["The build broke."]


async def test_an_async_stream_is_held_until_it_is_judged(guard: DetoxGuard) -> None:
    async def chunks() -> Any:
        for piece in ("You id", "iot, the build", " broke."):
            yield AIMessageChunk(piece, id="r1")

    pieces = [piece async for piece in guard.atransform(chunks())]
    assert "".join(piece.text for piece in pieces) == "The build broke."
    assert pieces[0].id == "r1"


def test_an_upstream_error_releases_nothing(guard: DetoxGuard) -> None:
    def chunks() -> Any:
        yield "You idiot, "
        raise ConnectionError

    released = []
    with pytest.raises(ConnectionError):
        released.extend(guard.transform(chunks()))
    assert released == []


class Recorder(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.seen.append(repr(inputs))

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.seen.append(repr(outputs))

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.seen.append(repr(error))


def test_callbacks_of_the_guard_never_see_raw_text(guard: DetoxGuard) -> None:
    recorder = Recorder()
    guard.invoke(TOXIC, {"callbacks": [recorder]})
    guard.batch([TOXIC, AIMessage(TOXIC)], {"callbacks": [recorder]})
    assert len(recorder.seen) == 6
    assert "idiot" not in "".join(recorder.seen)


def test_a_dict_is_guarded_under_its_key(classifier: FakeClassifier, rewriter: FakeRewriter) -> None:
    guard = DetoxGuard(classifier=classifier, rewriter=rewriter, key="answer")
    chain = RunnableLambda(lambda question: {"question": question, "answer": TOXIC}) | guard
    assert chain.invoke("Why?") == {"question": "Why?", "answer": CLEAN}


@pytest.mark.parametrize("text", [None, b"bytes", 3, {"a": 1}, ["ok", None], ("ok", b"x")])
def test_wrong_types_are_refused_and_the_guard_stays_usable(guard: DetoxGuard, text: Any) -> None:
    for method in (guard.detoxify, guard.check):
        with pytest.raises(InputError, match=r"argument 'text'"):
            method(text)
    assert guard.detoxify(TOXIC).text == CLEAN


def test_functions_serve_as_classifier_and_rewriter(classifier: FakeClassifier) -> None:
    guard = DetoxGuard(classifier=classifier, rewriter=lambda text: "The build broke.")
    assert guard.detoxify("You idiot, the build broke.").text == "The build broke."


@pytest.mark.parametrize(
    "settings",
    [
        {"classifier": "embeded"},
        {"rewriter": "no-such"},
        {"classifier": "embedded", "guard": "/no/such/directory"},
        {"on_error": "ignore"},
        {"unknown": 1},
        {"policy": {"thresholds": {"insult": 2}}},
    ],
)
def test_wrong_settings_are_refused_at_construction(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):  # ConfigError and pydantic's ValidationError are both one
        DetoxGuard(**settings)


def test_a_path_that_is_no_guard_directory_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cpguard train"):
        DetoxGuard(tmp_path)


def test_a_guard_can_be_copied_and_pickled_without_its_models() -> None:
    guard = DetoxGuard(rewriter="mask", on_error="raise")
    for twin in (copy.deepcopy(guard), pickle.loads(pickle.dumps(guard)), guard.model_copy()):
        assert (twin.rewriter, twin.on_error) == ("mask", "raise")


def test_the_repr_shows_settings_and_no_model() -> None:
    assert "DetoxGuard" in repr(DetoxGuard(rewriter="mask"))
