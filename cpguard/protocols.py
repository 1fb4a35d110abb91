"""What a classifier, a rewriter and an encoder must be able to do; nothing else is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cpguard.results import Scores, TextSpan


class RewriteRequest(BaseModel):
    """One flagged segment to rewrite.

    Attributes:
        text: The segment, without surrounding white space.
        context: The text before it, already guarded; may be empty.
        n: How many candidates are wanted, at least 1.
        temperature: 0 asks for the single most likely rewrite; above 0 asks for samples.
        seed: Seed of the sampling.
    """

    model_config = ConfigDict(frozen=True)

    text: str = Field(repr=False)
    context: str = Field(default="", repr=False)
    n: int = Field(default=1, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    seed: int = 0


@runtime_checkable
class Classifier(Protocol):
    """Scores texts for toxicity."""

    def classify(self, texts: Sequence[str]) -> list[Scores]:
        """Return one Scores for each text, in order."""
        ...


@runtime_checkable
class Rewriter(Protocol):
    """Proposes non-toxic rewrites of toxic segments."""

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        """Return the candidates for each request, best first; an empty list means none."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Embeds texts and finds toxic words: what verification and masking need beside scores."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit-length embeddings of shape (len(texts), D)."""
        ...

    def toxic_spans(self, texts: Sequence[str]) -> list[list[TextSpan]]:
        """Return the character spans that make each text toxic, in order, not overlapping."""
        ...
