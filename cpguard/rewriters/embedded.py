"""The default rewriter: a guard directory, by default the bundled one, on the best engine there is."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

from cpguard.errors import RewriterError
from cpguard.protocols import Rewriter
from cpguard.rewriters.gguf import BUNDLED, GgufRewriter
from cpguard.rewriters.llama_cpp import import_engine
from cpguard.rewriters.mask import MaskRewriter

_TORCH = ("torch", "transformers", "peft", "gguf")


def load(argument: str) -> Rewriter:
    """Return the rewriter of a guard directory: llama.cpp, else torch, else masking with a warning.

    Args:
        argument: A guard directory; empty is the bundled one.

    Raises:
        ConfigError: If the directory is no guard or its base model is unknown.
        BaseModelError: If the base model is missing or damaged.
    """
    directory = Path(argument).expanduser() if argument else BUNDLED
    try:
        import_engine()
    except RewriterError as exc:
        return _without_llama_cpp(directory, exc)
    return GgufRewriter(directory)


def torch_available() -> bool:
    """Return whether what the `peft` rewriter needs is installed; imports nothing."""
    return all(importlib.util.find_spec(module) for module in _TORCH)


def _without_llama_cpp(directory: Path, reason: RewriterError) -> Rewriter:
    if torch_available():
        from cpguard.rewriters.peft import load as load_peft

        return load_peft(str(directory))
    warnings.warn(
        f"toxic text will be masked, not rewritten: {reason}. Or run: pip install 'cpguard[torch]'",
        RuntimeWarning,
        stacklevel=2,
    )
    return MaskRewriter()
