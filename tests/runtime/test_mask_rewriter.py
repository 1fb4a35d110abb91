"""The rewriter without a language model."""

from __future__ import annotations

import pytest

from cpguard.errors import ConfigError
from cpguard.protocols import RewriteRequest
from cpguard.registry import load_rewriter
from cpguard.results import TextSpan
from cpguard.rewriters.mask import MaskRewriter


class Spans:
    """An encoder that finds `idiot` and `stupid`."""

    def toxic_spans(self, texts: list[str]) -> list[list[TextSpan]]:
        words = ("idiot", "stupid")
        found = [sorted((text.find(word), word) for word in words if word in text) for text in texts]
        return [[TextSpan(start=at, end=at + len(word)) for at, word in spans] for spans in found]


def test_toxic_words_are_masked_and_the_rest_stays() -> None:
    rewriter = MaskRewriter(Spans())
    requests = [RewriteRequest(text="You stupid idiot, stop."), RewriteRequest(text="You are unwelcome.")]
    assert rewriter.rewrite(requests) == [["You *** ***, stop."], []]


def test_the_symbol_can_be_chosen() -> None:
    assert MaskRewriter(Spans(), symbol="_").rewrite([RewriteRequest(text="idiot")]) == [["_"]]


def test_the_default_encoder_is_the_embedded_classifier() -> None:
    assert (
        load_rewriter("mask").rewrite([RewriteRequest(text="You are a fucking idiot.")])[0][0].count("***")
        >= 1
    )


def test_it_takes_no_argument() -> None:
    with pytest.raises(ConfigError, match="takes no argument"):
        load_rewriter("mask:x")
