"""Every exception cpguard raises.

CpguardError
├── ConfigError (ValueError)            a setting, policy, manifest or argument is wrong
├── InputError (TypeError)              the text to guard is not of a supported type
├── MissingExtraError (ImportError)     an optional dependency is not installed
├── BaseModelError                      a base model could not be found, fetched or trusted
│   └── BaseModelMissingError           it has not been pulled yet
├── ClassifierError                     a classifier failed, or returned the wrong shape
├── RewriterError                       a rewriter failed, or returned the wrong shape
└── BlockedError                        the policy says `raise`; carries the GuardResult

Messages say what happened, what was expected and the command that mends it. They never contain
the text being guarded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpguard.results import GuardResult


class CpguardError(Exception):
    """Base of all errors raised by cpguard."""


class ConfigError(CpguardError, ValueError):
    """A setting, policy, manifest or argument is wrong."""


class InputError(CpguardError, TypeError):
    """The value to guard is not of a supported type."""


class MissingExtraError(CpguardError, ImportError):
    """An optional dependency is not installed."""


class BaseModelError(CpguardError):
    """A base model could not be found, fetched or trusted."""


class BaseModelMissingError(BaseModelError):
    """A base model is needed but has not been pulled to this machine."""


class ClassifierError(CpguardError):
    """A classifier failed or returned something that is not one Scores per text."""


class RewriterError(CpguardError):
    """A rewriter failed or returned something that is not a list of candidates per request."""


class BlockedError(CpguardError):
    """The policy's action for a flagged category is `raise`.

    Attributes:
        result: What was judged and why. Its text is the block message, not the flagged text.
    """

    def __init__(self, result: GuardResult) -> None:
        flagged = ", ".join(result.categories) or "flagged"
        super().__init__(f"the policy raises on: {flagged}")
        self.result = result
