"""A canary in the guarded text must not show up in anything but the released text."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from cpguard import CpguardError, DetoxGuard, Policy, RewriteRequest, Scores
from cpguard.testing import FakeRewriter

CANARY = "xyzzycanary"
TEXT = f"You idiot {CANARY}, go home."


class Leaky:
    """A third-party part that quotes its input in every error."""

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        raise ValueError(f"cannot score {list(texts)!r}")

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        raise ValueError(f"cannot rewrite {[request.text for request in requests]!r}")


def everything(error: BaseException) -> str:
    """The message of an error and of all it carries along."""
    seen, queue = [], [error]
    while queue:
        current = queue.pop()
        seen.append(repr(current) + str(current) + repr(getattr(current, "result", "")))
        queue += [linked for linked in (current.__cause__, current.__context__) if linked is not None]
    return "".join(seen)


@pytest.mark.parametrize(
    "settings",
    [
        {"classifier": Leaky()},
        {"rewriter": Leaky()},
        {"policy": Policy(actions={"toxicity": "raise"})},
        {"policy": Policy(actions={"toxicity": "drop"})},
        {"rewriter": FakeRewriter({})},
    ],
)
@pytest.mark.parametrize("on_error", ["block", "raise"])
def test_no_error_log_or_repr_shows_the_text(
    settings: dict[str, Any],
    on_error: str,
    classifier: Any,
    rewriter: FakeRewriter,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    guard = DetoxGuard(**{"classifier": classifier, "rewriter": rewriter, "on_error": on_error, **settings})
    shown = ""
    with caplog.at_level(logging.DEBUG):
        try:
            result = guard.detoxify(TEXT)
            shown = repr(result) + str(result.error) + repr(guard)
            shown += result.model_copy(update={"text": ""}).model_dump_json()
        except CpguardError as exc:
            shown = everything(exc)
    captured = capsys.readouterr()
    assert CANARY not in shown + caplog.text + captured.out + captured.err
