"""Mask the toxic words and keep the rest: the rewriter that needs no language model."""

from __future__ import annotations

from collections.abc import Sequence

from cpguard.errors import ConfigError
from cpguard.fallback import mask
from cpguard.protocols import Encoder, RewriteRequest

DEFAULT_MASK = "***"


class MaskRewriter:
    """Proposes each text with its toxic words masked; nothing where no single word is toxic."""

    def __init__(self, encoder: Encoder | None = None, *, symbol: str = DEFAULT_MASK) -> None:
        """Remember the parts.

        Args:
            encoder: Finds the toxic words; None is the embedded classifier, loaded at the first request.
            symbol: Replaces each toxic span.
        """
        self._encoder = encoder
        self._symbol = symbol

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        """Return one masked text for each request, or none."""
        if self._encoder is None:
            self._encoder = _embedded_encoder()
        texts = [request.text for request in requests]
        spans = self._encoder.toxic_spans(texts)
        return [
            [mask(text, found, self._symbol)] if found else []
            for text, found in zip(texts, spans, strict=True)
        ]


def load(argument: str) -> MaskRewriter:
    """Return the rewriter; it takes no argument.

    Raises:
        ConfigError: If there is an argument.
    """
    if argument:
        raise ConfigError("'mask' takes no argument")
    return MaskRewriter()


def _embedded_encoder() -> Encoder:
    from cpguard.registry import load_classifier

    encoder = load_classifier("embedded")
    if not isinstance(encoder, Encoder):
        raise ConfigError("the embedded classifier is not an Encoder; the installation is damaged")
    return encoder
