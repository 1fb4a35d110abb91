"""Odd input through the real embedded models: each row says what must come out."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cpguard import DetoxGuard, InputError

TOXIC = "You stupid idiot, the meeting starts at 3 pm."


@pytest.fixture(scope="module")
def guard(base_model: Path) -> DetoxGuard:
    return DetoxGuard()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t \r\n",
        "\x00",
        "The total\x00 is 3.",
        "A lone \ud800 surrogate.",
        "שלום, מה שלומך היום?",
        "مرحبا، كيف حالك اليوم؟",
        "👩‍👩‍👧 went to 🏖️ today 👍🏽",
        "Zero\u200bwidth let\u200dters are fine.",
        "Das ist eine freundliche Nachricht.",
        "这是一条友好的消息。",
        "L33t sp34k is fun.",
        "```\nkill -9 1\n```",
        '{"status": "killed", "children": ["a", "b"]}',
        "https://example.com/a?b=c#d",
        "\ufeffByte order mark.",
        "a" * 3000,
    ],
)
def test_harmless_odd_text_comes_back_byte_for_byte(guard: DetoxGuard, text: str) -> None:
    result = guard.detoxify(text)
    assert result.text == text
    assert not result.changed


@pytest.mark.parametrize(
    "text",
    [
        TOXIC,
        TOXIC.upper(),
        "You stu\u200bpid idi\u200bot, the meeting starts at 3 pm.",
        f"\x00{TOXIC}",
        f"\ud800 {TOXIC}",
        f"😀 {TOXIC} 😀",
        f"שלום. {TOXIC}",
        "You 1d10t, you fucking m0ron.",
    ],
)
def test_toxic_text_in_disguise_is_flagged_and_what_is_released_scores_clean(
    guard: DetoxGuard, text: str
) -> None:
    result = guard.detoxify(text)
    assert result.changed
    assert not guard.check(result.text).flagged


@pytest.mark.parametrize("wrong", [None, b"bytes", 3, 2.5, {"text": TOXIC}, object(), [TOXIC, None]])
def test_wrong_types_are_named_and_the_guard_is_usable_afterwards(guard: DetoxGuard, wrong: Any) -> None:
    with pytest.raises(InputError, match="argument 'text'") as caught:
        guard.detoxify(wrong)
    assert "meeting" not in str(caught.value)
    assert guard.detoxify(TOXIC).changed


@pytest.mark.slow
def test_a_megabyte_of_text_is_judged_within_bounds(guard: DetoxGuard) -> None:
    text = "".join(f"Paragraph {i} says that shipment {i * 7} left on day {i % 31}. " for i in range(19_000))[
        :1_000_000
    ]
    guard.check("warm up")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    result = guard.detoxify(text + TOXIC)
    seconds = time.perf_counter() - start
    unit = 1024 if sys.platform != "darwin" else 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    assert result.changed
    assert result.text.startswith(text[:999_000])
    assert grown < 500e6
    assert seconds < 60, "20 s on two idle cores; more leaves room for a busy machine"
