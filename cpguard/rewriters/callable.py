"""Use any function as a rewriter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cpguard._callables import call, require_sync_callable
from cpguard.errors import RewriterError
from cpguard.protocols import RewriteRequest

_SIGNATURE = "fn(text: str) -> str | None | list[str]"


class CallableRewriter:
    """A rewriter made of a function from a text to a rewrite, several candidates, or None for none.

    >>> rewriter = CallableRewriter(lambda text: text.replace("stupid", "unwise"))
    >>> rewriter.rewrite([RewriteRequest(text="That is stupid.")])
    [['That is unwise.']]
    """

    def __init__(self, function: Callable[[str], str | Sequence[str] | None]) -> None:
        """Wrap a function.

        Raises:
            ConfigError: If it is not callable, or async.
        """
        require_sync_callable(function, role="rewriter", signature=_SIGNATURE)
        self._function = function

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        """Return the candidates for each request, best first; an empty list means none.

        Raises:
            RewriterError: If the function raises, or returns anything else.
        """
        return [
            _candidates(call(self._function, request.text, role="rewriter", error=RewriterError))
            for request in requests
        ]


def _candidates(returned: object) -> list[str]:
    if returned is None:
        return []
    if isinstance(returned, str):
        return [returned]
    if isinstance(returned, (list, tuple)) and all(isinstance(candidate, str) for candidate in returned):
        return list(returned)
    raise RewriterError(f"the rewriter function must be like {_SIGNATURE}, got {type(returned).__name__}")
