"""cpguard: guardrail middleware that rewrites toxic LLM output instead of refusing it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpguard.decorator import detoxify
    from cpguard.errors import (
        BaseModelError,
        BaseModelMissingError,
        BlockedError,
        ClassifierError,
        ConfigError,
        CpguardError,
        InputError,
        MissingExtraError,
        RewriterError,
    )
    from cpguard.guard import DetoxGuard
    from cpguard.policy import Policy
    from cpguard.protocols import Classifier, Encoder, Rewriter, RewriteRequest
    from cpguard.results import GuardResult, Scores, SegmentResult, TextSpan, Verdict

_HOME = {
    "BaseModelError": "errors",
    "BaseModelMissingError": "errors",
    "BlockedError": "errors",
    "Classifier": "protocols",
    "ClassifierError": "errors",
    "ConfigError": "errors",
    "CpguardError": "errors",
    "DetoxGuard": "guard",
    "Encoder": "protocols",
    "GuardResult": "results",
    "InputError": "errors",
    "MissingExtraError": "errors",
    "Policy": "policy",
    "RewriteRequest": "protocols",
    "Rewriter": "protocols",
    "RewriterError": "errors",
    "Scores": "results",
    "SegmentResult": "results",
    "TextSpan": "results",
    "Verdict": "results",
    "detoxify": "decorator",
}

__all__ = [
    "BaseModelError",
    "BaseModelMissingError",
    "BlockedError",
    "Classifier",
    "ClassifierError",
    "ConfigError",
    "CpguardError",
    "DetoxGuard",
    "Encoder",
    "GuardResult",
    "InputError",
    "MissingExtraError",
    "Policy",
    "RewriteRequest",
    "Rewriter",
    "RewriterError",
    "Scores",
    "SegmentResult",
    "TextSpan",
    "Verdict",
    "__version__",
    "detoxify",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first touched (PEP 562), so that `import cpguard` stays light."""
    if name == "__version__":
        from importlib.metadata import version

        return version("cpguard")
    if name in _HOME:
        return getattr(import_module(f"cpguard.{_HOME[name]}"), name)
    raise AttributeError(f"module 'cpguard' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
