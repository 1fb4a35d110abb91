"""Fetch a model's files from the Hugging Face hub first, so that loading them needs no network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cpguard._extras import require
from cpguard.errors import BaseModelMissingError

TOKENIZER_FILES = ("tokenizer*", "vocab*", "merges.txt", "*.model", "special_tokens_map.json")


def pulling_forbidden() -> bool:
    """Return whether CPGUARD_OFFLINE=1 forbids fetching anything."""
    return os.environ.get("CPGUARD_OFFLINE") == "1"


def snapshot(model_id: str, patterns: Sequence[str]) -> Path:
    """Return the directory with a model's files, from the hub's cache, else fetched into it.

    transformers alone asks the network for some files even with `local_files_only`; a directory it does not.

    Args:
        model_id: `owner/name` or `name` on the hub.
        patterns: Which files, as globs; leaving out code and pickles means that they are never there.

    Raises:
        BaseModelMissingError: If the files are not cached and cannot or may not be fetched.
        MissingExtraError: If huggingface_hub is not installed.
    """
    hub = require("huggingface_hub", extra="torch")
    offline = pulling_forbidden()
    try:
        return Path(hub.snapshot_download(model_id, allow_patterns=list(patterns), local_files_only=offline))
    except (OSError, ValueError) as exc:
        why = (
            "CPGUARD_OFFLINE=1 forbids fetching it" if offline else f"fetching failed ({type(exc).__name__})"
        )
        raise BaseModelMissingError(
            f"'{model_id}' is neither a local directory nor in the Hugging Face cache, and {why}. "
            f"Run where there is a network: hf download {model_id}"
        ) from exc
