"""Which part of a data set a text belongs to: written once, by a hash of the text, for every task.

The same text always lands on the same side, whatever its case, spacing or punctuation and whatever
order a file lists it in. `report` grows from the bottom of the hash range and `dev` from its top, so
that no text is `report` in one data set and `dev` in another.

* train: the guard's own models are fitted on it;
* judge: kept for classifiers that judge the guard from outside, never seen by the guard's models;
* dev: choosing anything (hyperparameters, calibration, thresholds);
* report: scored for published tables only.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection
from typing import Literal, NamedTuple, get_args

Split = Literal["train", "judge", "dev", "report"]
SourceKind = Literal[
    "paradetox",
    "safenlp",
    "jigsaw_wiki",
    "toxic_spans",
    "edos",
    "context_toxicity",
    "rtp",
    "identity_clean",
    "human_ratings",
    "wikitext",
    "lambada",
]

REPORT_GROUPS = frozenset({"women", "muslim", "physical dis"})
"""ToxiGen target groups of which no sentence is trained on or tuned on."""
DEV_GROUPS = frozenset({"latino", "jewish"})
"""ToxiGen target groups that training never sees, to measure generalisation while developing."""


class _Shares(NamedTuple):
    dev: float
    report: float
    judge: float = 0.0  # of what is neither dev nor report


_SHARES: dict[SourceKind, _Shares] = {
    "paradetox": _Shares(dev=0.05, report=0.05),
    "safenlp": _Shares(dev=0.075, report=0.075),
    "jigsaw_wiki": _Shares(dev=0.075, report=0.075, judge=0.25),
    "toxic_spans": _Shares(dev=0.075, report=0.075, judge=0.25),
    "edos": _Shares(dev=0.0, report=0.0, judge=1.0),
    "context_toxicity": _Shares(dev=0.075, report=0.075),
    "rtp": _Shares(dev=0.2, report=0.2),
}
_NOT_A_WORD = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Return the text as compared for identity: NFKC, case-folded words with single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_A_WORD.sub(" ", folded).strip()


def _unit(text: str, salt: str) -> float:
    digest = hashlib.sha256(f"{salt}\n{normalise(text)}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_of(text: str, *, kind: SourceKind, groups: Collection[str] = ()) -> Split:
    """Return the split of a text.

    Args:
        text: The text; for pairs, the source side.
        kind: The data set. Sets that must never be trained on are `report` as a whole.
        groups: The ToxiGen target groups of a safenlp sentence, which decide before the hash does.

    Raises:
        ValueError: If the kind is unknown.
    """
    if kind not in get_args(SourceKind):
        raise ValueError(f"unknown data set {kind!r}; known: {', '.join(get_args(SourceKind))}")
    if kind not in _SHARES or not REPORT_GROUPS.isdisjoint(groups):
        return "report"
    if not DEV_GROUPS.isdisjoint(groups):
        return "dev"
    shares = _SHARES[kind]
    unit = _unit(text, "split")
    if unit < shares.report:
        return "report"
    if unit >= 1.0 - shares.dev:
        return "dev"
    return "judge" if _unit(text, "judge") < shares.judge else "train"
