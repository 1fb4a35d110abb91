"""DetoxGuard: the guard as a LangChain Runnable, and as plain methods on text."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any, overload

from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import run_in_executor
from pydantic import ConfigDict, Field, PrivateAttr

from cpguard.errors import InputError
from cpguard.loading import ClassifierLike, RewriterLike, ensure_base_model, load_pipeline
from cpguard.messages import Opened, open_value
from cpguard.pipeline import OnError, Pipeline
from cpguard.policy import Policy
from cpguard.results import GuardResult, Verdict

_building = threading.Lock()


class DetoxGuard(RunnableSerializable[Any, Any]):
    """Rewrites toxic text; leaves everything else as it is, byte for byte.

    >>> guard = DetoxGuard()
    >>> guard.detoxify("That is a clear explanation.").changed
    False

    As a Runnable it takes and returns str, messages, lists of them, prompt values, and dicts when `key`
    is set: `chain = llm | DetoxGuard() | StrOutputParser()`. A stream is held until it has been judged.
    Its own runs show callbacks what was released and the size of what came in, never the raw text.

    Args:
        guard: A directory that `cpguard train` wrote; without it the embedded models are used.
        classifier: A registry spec such as `embedded` or `detoxify:unbiased`, an object with `classify`,
            or a function from texts to scores.
        rewriter: A registry spec such as `embedded`, `peft:DIR` or `mask`, an object with `rewrite`,
            or a function from a text to a rewrite.
        policy: Thresholds, actions, fallback chain and limits.
        only_flagged: Rewrite only what the classifier flags; False offers every sentence to the rewriter.
        on_error: When a stage fails: "block" releases a safe text, "raise" raises, "pass" releases
            unjudged text. Flagged text is never released.
        key: For dicts, the key of the text or message to guard.

    Raises:
        ConfigError: If an argument, the directory or its manifest is wrong.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    guard: str | None = None
    classifier: ClassifierLike = Field(default="embedded", repr=False)
    rewriter: RewriterLike | None = Field(default=None, repr=False)
    policy: Policy | None = None
    only_flagged: bool = True
    on_error: OnError = "block"
    key: str | None = None

    _pipeline: Pipeline | None = PrivateAttr(default=None)

    def __init__(self, guard: str | os.PathLike[str] | None = None, **settings: Any) -> None:
        """Check the settings and, if needed and allowed, pull the base model; models load at first use."""
        settings["guard"] = None if guard is None else os.fspath(guard)
        super().__init__(**settings)
        ensure_base_model(self._stages.parts.rewriter)

    @classmethod
    def from_pretrained(cls, guard: str | os.PathLike[str], **settings: Any) -> DetoxGuard:
        """Return the guard in a directory that `cpguard train` wrote."""
        return cls(guard, **settings)

    @overload
    def check(self, text: str) -> Verdict: ...
    @overload
    def check(self, text: list[str]) -> list[Verdict]: ...
    def check(self, text: str | list[str]) -> Verdict | list[Verdict]:
        """Return the verdict on a text, or on each of a list in one pass; nothing is changed.

        Raises:
            InputError: If an argument is not a string.
            ClassifierError: If the classifier fails.
        """
        verdicts = self._stages.check(_texts(text))
        return verdicts[0] if isinstance(text, str) else verdicts

    @overload
    def detoxify(self, text: str) -> GuardResult: ...
    @overload
    def detoxify(self, text: list[str]) -> list[GuardResult]: ...
    def detoxify(self, text: str | list[str]) -> GuardResult | list[GuardResult]:
        """Return the guarded text and what was done to it, for one text or for a list in one pass.

        Raises:
            InputError: If an argument is not a string.
            BlockedError: If the policy's action for a flagged category is `raise`.
            ClassifierError: If the classifier fails and `on_error` is `raise`.
            RewriterError: If the rewriter fails and `on_error` is `raise`.
        """
        results = self._stages.run(_texts(text))
        for result in results:
            if error := self._stages.blocked(result):
                raise error
        return results[0] if isinstance(text, str) else results

    @overload
    async def acheck(self, text: str) -> Verdict: ...
    @overload
    async def acheck(self, text: list[str]) -> list[Verdict]: ...
    async def acheck(self, text: str | list[str]) -> Verdict | list[Verdict]:
        """Return what `check` returns, without blocking the event loop."""
        return await run_in_executor(None, self.check, text)

    @overload
    async def adetoxify(self, text: str) -> GuardResult: ...
    @overload
    async def adetoxify(self, text: list[str]) -> list[GuardResult]: ...
    async def adetoxify(self, text: str | list[str]) -> GuardResult | list[GuardResult]:
        """Return what `detoxify` returns, without blocking the event loop."""
        return await run_in_executor(None, self.detoxify, text)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """Return the input with its text guarded, of the same type."""
        return self._call_with_config(
            lambda _: self._guard_all([input])[0], _summary(input), config, run_type="parser"
        )

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """Return what `invoke` returns, without blocking the event loop."""
        return await run_in_executor(config, self.invoke, input, config)

    def batch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any | None,
    ) -> list[Any]:
        """Return each input with its text guarded; all texts go through the models together."""
        return self._batch_with_config(
            lambda _: self._guard_all(inputs, return_exceptions=return_exceptions),
            [_summary(value) for value in inputs],
            config,
            return_exceptions=return_exceptions,
            run_type="parser",
        )

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any | None,
    ) -> list[Any]:
        """Return what `batch` returns, without blocking the event loop."""

        def run() -> list[Any]:
            return self.batch(inputs, config, return_exceptions=return_exceptions)

        return await run_in_executor(None, run)

    @property
    def _stages(self) -> Pipeline:
        with _building:
            if self._pipeline is None:
                self._pipeline = load_pipeline(
                    self.guard,
                    classifier=self.classifier,
                    rewriter=self.rewriter,
                    policy=self.policy,
                    only_flagged=self.only_flagged,
                    on_error=self.on_error,
                )
            return self._pipeline

    def _guard_all(self, values: Sequence[Any], *, return_exceptions: bool = False) -> list[Any]:
        """Guard several values in one pass; with return_exceptions a failed one is its exception."""
        opened: list[Opened | InputError] = []
        for value in values:
            try:
                opened.append(open_value(value, self.key))
            except InputError as exc:
                if not return_exceptions:
                    raise
                opened.append(exc)
        found = iter(self._stages.run([t for item in opened if isinstance(item, Opened) for t in item.texts]))
        guarded: list[Any] = []
        for item in opened:
            if isinstance(item, InputError):
                guarded.append(item)
                continue
            results = [next(found) for _ in item.texts]
            errors = [error for result in results if (error := self._stages.blocked(result))]
            if errors and not return_exceptions:
                raise errors[0]
            guarded.append(errors[0] if errors else item.rebuild(results))
        return guarded

    def __getstate__(self) -> dict[Any, Any]:
        """Return the state without the models: a copy or an unpickled guard loads its own."""
        state = super().__getstate__()
        return {**state, "__pydantic_private__": {"_pipeline": None}}


def _texts(text: object) -> list[str]:
    if isinstance(text, str):
        return [text]
    if not isinstance(text, list | tuple):
        raise InputError(f"argument 'text' must be str or a list of str, got {type(text).__name__}")
    for i, item in enumerate(text):
        if not isinstance(item, str):
            raise InputError(f"argument 'text' item {i} must be str, got {type(item).__name__}")
    return list(text)


def _summary(value: object) -> str:
    """Return what callbacks see in place of raw input."""
    return f"[{type(value).__name__} to guard]"
