"""Find the text in what a model returned, and put guarded text back without touching anything else.

Supported: str, LangChain messages and chunks (string or block content), lists of those, prompt values,
and dicts whose text lies under a named key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue

from cpguard.errors import InputError
from cpguard.results import GuardResult

EXPECTED = "expected str, a message, a list of those, a prompt value, or a dict with key=... set"


@dataclass(frozen=True)
class Opened:
    """The texts found in a value, and how to rebuild the value around guarded ones.

    Attributes:
        texts: The texts, in order.
        rebuild: Takes one result a text; returns a value of the same type as the input.
    """

    texts: Sequence[str]
    rebuild: Callable[[Sequence[GuardResult]], Any]


def open_value(value: object, key: str | None = None) -> Opened:
    """Return the texts of a value and the way back.

    Args:
        value: What a model, chain or function returned.
        key: For a dict, where its text or message is.

    Raises:
        InputError: If the value is of another type; the message names the type, never the value.
    """
    if isinstance(value, str):
        return Opened([value], lambda results: results[0].text)
    if isinstance(value, BaseMessage):
        return _open_message(value)
    if isinstance(value, list | tuple):
        return _open_sequence(value)
    if isinstance(value, StringPromptValue):
        return Opened([value.text], lambda results: value.model_copy(update={"text": results[0].text}))
    if isinstance(value, ChatPromptValue):
        inner = _open_sequence(value.messages)
        return Opened(
            inner.texts, lambda results: value.model_copy(update={"messages": inner.rebuild(results)})
        )
    if isinstance(value, dict):
        return _open_dict(value, key)
    raise InputError(f"cannot guard a {type(value).__name__}: {EXPECTED}")


def _open_dict(value: dict[Any, Any], key: str | None) -> Opened:
    if key is None:
        raise InputError("cannot guard a dict without knowing its text: set key='...' on the guard")
    if key not in value:
        raise InputError(f"the dict has no key {key!r}, which the guard was told to guard")
    inner = open_value(value[key])
    return Opened(inner.texts, lambda results: {**value, key: inner.rebuild(results)})


def _open_sequence(values: Sequence[object]) -> Opened:
    """Open each string and each AI message; what the model did not say (human, system, tool) passes."""
    opened: list[Opened] = []
    for i, value in enumerate(values):
        if isinstance(value, BaseMessage) and not isinstance(value, AIMessage):
            opened.append(Opened([], lambda _, value=value: value))  # type: ignore[misc]  # bound now
        elif isinstance(value, str | BaseMessage):
            opened.append(open_value(value))
        else:
            raise InputError(f"cannot guard item {i}, a {type(value).__name__}: {EXPECTED}")
    return Opened(
        [text for item in opened for text in item.texts], lambda results: _rebuild_all(opened, results)
    )


def _rebuild_all(opened: Sequence[Opened], results: Sequence[GuardResult]) -> list[Any]:
    rest = iter(results)
    return [item.rebuild([next(rest) for _ in item.texts]) for item in opened]


def _open_message(message: BaseMessage) -> Opened:
    content = message.content
    if isinstance(content, str):
        return Opened([content], lambda results: _with_content(message, results[0].text, results))
    at = [i for i, block in enumerate(content) if _block_text(block) is not None]

    def rebuild(results: Sequence[GuardResult]) -> BaseMessage:
        blocks = list(content)
        for i, result in zip(at, results, strict=True):
            blocks[i] = _with_block_text(blocks[i], result)
        return _with_content(message, blocks, results)

    return Opened([_block_text(content[i]) or "" for i in at], rebuild)


def _block_text(block: str | dict[Any, Any]) -> str | None:
    if isinstance(block, str):
        return block
    text = block.get("text") if block.get("type") == "text" else None
    return text if isinstance(text, str) else None


def _with_block_text(block: str | dict[Any, Any], result: GuardResult) -> str | dict[Any, Any]:
    if isinstance(block, str) or not result.changed:
        return result.text if isinstance(block, str) else block
    kept = {name: value for name, value in block.items() if name != "annotations"}  # offsets no longer hold
    return {**kept, "text": result.text}


def _with_content(message: BaseMessage, content: object, results: Sequence[GuardResult]) -> BaseMessage:
    """Return a copy with new content and the verdict, without text, in response_metadata["cpguard"]."""
    if not isinstance(message, AIMessage):
        return message.model_copy(update={"content": content})
    verdict = {
        "changed": any(result.changed for result in results),
        "alert": any(result.alert for result in results),
        "actions": sorted({result.action for result in results}),
        "categories": sorted({category for result in results for category in result.categories}),
    }
    metadata = {**message.response_metadata, "cpguard": verdict} if results else message.response_metadata
    return message.model_copy(update={"content": content, "response_metadata": metadata})
