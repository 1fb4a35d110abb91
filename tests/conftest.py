"""Shared fixtures: no network but loopback, and the real models where they have been pulled."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_socket

from cpguard import models
from cpguard.errors import BaseModelMissingError
from cpguard.policy import Policy
from cpguard.repair import Parts
from cpguard.testing import FakeClassifier, FakeEncoder, FakeRewriter


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid pulling and every connection but to this machine."""
    monkeypatch.setenv("CPGUARD_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def base_model() -> Path:
    """The base model's GGUF file; tests that need it skip where it has not been pulled."""
    try:
        return models.resolve()
    except BaseModelMissingError:
        pytest.skip("the base model is not on this machine; run: cpguard models pull")


class FakeModel(FakeClassifier):
    """A classifier that is also an encoder, as the embedded one is."""

    def __init__(self) -> None:
        super().__init__()
        encoder = FakeEncoder()
        self.embed = encoder.embed
        self.toxic_spans = encoder.toxic_spans


@pytest.fixture
def classifier() -> FakeModel:
    return FakeModel()


@pytest.fixture
def rewriter() -> FakeRewriter:
    return FakeRewriter(lambda text: text.replace("You idiot, t", "T").replace("stupid", "unwise"))


@pytest.fixture
def parts(classifier: FakeModel, rewriter: FakeRewriter) -> Parts:
    return Parts(classifier, rewriter, classifier, Policy())
