"""Build a pipeline from names, paths or objects; models are shared between guards and loaded when needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from cpguard import models
from cpguard.errors import BaseModelError, ConfigError
from cpguard.manifest import GuardManifest
from cpguard.pipeline import OnError, Pipeline
from cpguard.policy import Policy
from cpguard.protocols import Classifier, Encoder, Rewriter, RewriteRequest
from cpguard.registry import load_classifier, load_rewriter, require_known
from cpguard.repair import Parts

ClassifierLike = str | Classifier | Callable[[Sequence[str]], Any]
RewriterLike = str | Rewriter | Callable[[str], Any]

logger = logging.getLogger("cpguard")
_shared_classifier = lru_cache(maxsize=8)(load_classifier)
_shared_rewriter = lru_cache(maxsize=8)(load_rewriter)


class LazyRewriter:
    """A rewriter that is loaded at the first request, so that a guard which never rewrites never pays."""

    def __init__(self, spec: str) -> None:
        """Remember the registry spec; nothing is loaded or checked yet."""
        self.spec = spec

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        """Return the candidates for each request."""
        return _shared_rewriter(self.spec).rewrite(requests)


def load_pipeline(
    guard: str | os.PathLike[str] | None = None,
    *,
    classifier: ClassifierLike = "embedded",
    rewriter: RewriterLike | None = None,
    policy: Policy | None = None,
    only_flagged: bool = True,
    on_error: OnError = "block",
) -> Pipeline:
    """Return the pipeline for a guard directory, or for the embedded default.

    Args:
        guard: A directory that `cpguard train` wrote: gives the rewriter and the policy not set here.
        classifier: A registry spec, an object with `classify`, or a function from texts to scores.
        rewriter: A registry spec, an object with `rewrite`, or a function from a text to rewrites.
        policy: Thresholds, actions and limits.
        only_flagged: Rewrite only flagged segments.
        on_error: What happens when a stage fails.

    Raises:
        ConfigError: If a spec, the directory or its manifest is wrong.
    """
    if guard is not None:
        directory = Path(guard).expanduser()
        policy = policy or GuardManifest.read(directory).policy
        rewriter = rewriter or f"embedded:{directory.resolve()}"
    judge = _classifier(classifier)
    parts = Parts(
        classifier=judge,
        rewriter=_rewriter(rewriter or "embedded"),
        encoder=judge if isinstance(judge, Encoder) else _embedded_encoder(),
        policy=(policy or Policy()).with_defaults(getattr(judge, "thresholds", {})),
    )
    return Pipeline(parts, only_flagged=only_flagged, on_error=on_error)


def ensure_base_model(rewriter: Rewriter) -> None:
    """Pull the base model that an embedded rewriter needs, unless it is here or pulling is forbidden.

    What goes wrong is logged with its mend and not raised: the guard still judges, and the fallback
    chain stands in for the rewriter.
    """
    if not isinstance(rewriter, LazyRewriter) or not rewriter.spec.startswith("embedded"):
        return
    try:
        models.resolve()
    except BaseModelError:
        try:
            models.pull(progress=logger.warning)
        except BaseModelError as exc:
            logger.warning("flagged text will be masked, not rewritten: %s", exc)


def _classifier(given: ClassifierLike) -> Classifier:
    if isinstance(given, str):
        return _shared_classifier(given)
    if isinstance(given, Classifier):
        return given
    from cpguard.classifiers.callable import CallableClassifier

    return CallableClassifier(given)


def _rewriter(given: RewriterLike) -> Rewriter:
    if isinstance(given, str):
        require_known("rewriter", given)
        return LazyRewriter(given)
    if isinstance(given, Rewriter):
        return given
    from cpguard.rewriters.callable import CallableRewriter

    return CallableRewriter(given)


def _embedded_encoder() -> Encoder:
    encoder = _shared_classifier("embedded")
    if not isinstance(encoder, Encoder):
        raise ConfigError("the embedded classifier is not an Encoder; the installation is damaged")
    return encoder
