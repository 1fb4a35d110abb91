from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue

from cpguard.errors import InputError
from cpguard.messages import open_value
from cpguard.results import GuardResult


def upper(value: object, key: str | None = None) -> Any:
    """Rebuild a value with every text in upper case."""
    opened = open_value(value, key)
    return opened.rebuild([GuardResult(text=text.upper(), changed=True) for text in opened.texts])


def test_a_string_stays_a_string() -> None:
    assert upper("hi") == "HI"


def test_a_message_keeps_everything_but_its_text() -> None:
    message = AIMessage(
        "hi",
        id="m1",
        name="bot",
        tool_calls=[{"name": "f", "args": {"a": "b"}, "id": "t1"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        response_metadata={"model": "x"},
        additional_kwargs={"k": "v"},
    )
    guarded = upper(message)
    assert guarded.content == "HI"
    for name in ("id", "name", "tool_calls", "usage_metadata", "additional_kwargs"):
        assert getattr(guarded, name) == getattr(message, name)
    assert guarded.response_metadata["model"] == "x"
    assert message.content == "hi", "the input is not changed in place"


def test_the_verdict_is_in_the_metadata_without_text() -> None:
    assert upper(AIMessage("secret")).response_metadata["cpguard"] == {
        "changed": True,
        "alert": False,
        "actions": ["allow"],
        "categories": [],
    }


def test_block_content_changes_in_text_blocks_only() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    refusal = {"type": "refusal", "refusal": "no"}
    content = [
        "a",
        {"type": "text", "text": "b", "index": 0, "annotations": [{"start_index": 0}]},
        image,
        refusal,
    ]
    assert upper(AIMessage(content)).content == [
        "A",
        {"type": "text", "text": "B", "index": 0},
        image,
        refusal,
    ]


def test_annotations_stay_where_the_text_did_not_change() -> None:
    block = {"type": "text", "text": "b", "annotations": [{"start_index": 0}]}
    opened = open_value(AIMessage([block]))
    assert opened.rebuild([GuardResult(text="b", changed=False)]).content == [block]


def test_a_chunk_stays_a_chunk() -> None:
    assert isinstance(upper(AIMessageChunk("hi", id="r")), AIMessageChunk)


def test_a_message_without_text_passes() -> None:
    call = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "t"}])
    assert upper(call).tool_calls == call.tool_calls


def test_in_a_list_what_the_model_said_is_guarded_and_the_rest_passes() -> None:
    rest = [SystemMessage("s"), HumanMessage("h"), ToolMessage("t", tool_call_id="1")]
    guarded = upper([*rest, AIMessage("a"), "b"])
    assert guarded[:3] == rest
    assert guarded[3].content == "A"
    assert guarded[4] == "B"


def test_prompt_values_stay_prompt_values() -> None:
    assert upper(StringPromptValue(text="a")).text == "A"
    chat = upper(ChatPromptValue(messages=[HumanMessage("h"), AIMessage("a")]))
    assert [message.content for message in chat.messages] == ["h", "A"]


def test_a_dict_is_guarded_under_its_key_alone() -> None:
    assert upper({"answer": "a", "source": "b"}, key="answer") == {"answer": "A", "source": "b"}


@pytest.mark.parametrize(
    ("value", "key", "named"),
    [
        (None, None, "NoneType"),
        (b"CANARY", None, "bytes"),
        (3, None, "int"),
        (["ok", 3], None, "item 1, a int"),
        ({"a": "CANARY"}, None, "key="),
        ({"a": "CANARY"}, "b", "'b'"),
        ({"a": 3}, "a", "int"),
    ],
)
def test_other_types_are_refused_by_name(value: object, key: str | None, named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        open_value(value, key)
    assert "CANARY" not in str(caught.value)
