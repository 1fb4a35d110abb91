"""Loaders for the public data sets that the models are trained and measured on.

The texts are never part of this project: they are read from the folder that the environment variable
CPGUARD_DATA names. Each loader yields frozen records; `PROVENANCE` has the licence and the checksum
of the very file that the shipped models were trained on.
"""

from __future__ import annotations

import ast
import csv
import html
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cpguard.errors import ConfigError

DATA_VARIABLE = "CPGUARD_DATA"
RTP_CATEGORIES = (
    "toxicity",
    "severe_toxicity",
    "insult",
    "profanity",
    "threat",
    "identity_attack",
    "sexually_explicit",
)


@dataclass(frozen=True)
class Provenance:
    """Where a data set comes from, under which licence, and which file it is.

    Attributes:
        origin: Repository of the publisher.
        licence: SPDX-like identifiers.
        path: File below the data folder.
        sha256: Checksum of that file.
    """

    origin: str
    licence: str
    path: str
    sha256: str


PROVENANCE: dict[str, Provenance] = {
    "paradetox": Provenance(
        "s-nlp/paradetox@d97b17d",
        "CC0-1.0 (hub card: openrail++)",
        "paradetox/paradetox.tsv",
        "7fe128246ae42fc665abd7fee7cfbc3b63308460a444c8434a0312868c1f686e",
    ),
    "safenlp": Provenance(
        "microsoft/SafeNLP",
        "MIT, CDLA-Permissive-2.0",
        "safenlp/toxiGen.json",
        "42863b997f545833b8c9bfe7fc950aeaccc274d49f7386384db147face745fc3",
    ),
    "jigsaw_wiki": Provenance(
        "Jigsaw Wikipedia comments, balanced copy",
        "CC-BY-SA-3.0 (comments), CC0-1.0 (labels)",
        "jigsaw_wiki/labelled.csv",
        "ed555e1ce2cf67611afa7f624bc0679bf57b83fc39ece13f4cc54b21829cc9fc",
    ),
    "toxic_spans": Provenance(
        "ipavlopoulos/toxic_spans",
        "CC0-1.0",
        "toxic_spans/tsd_train.csv",
        "b538ea2d64ed7c306ff8f010a25a5286bef6ce61d469042482ba64efc1ddd6cd",
    ),
    "context_toxicity": Provenance(
        "ipavlopoulos/context_toxicity",
        "Apache-2.0",
        "context_toxicity/gn.csv",
        "def84ddcff46dfd628e3d37c9c81b9cb81d7cf35e82197212a5758c0d24fb667",
    ),
    "identity_clean": Provenance(
        "conversationai/unintended-ml-bias-analysis",
        "CC-BY-4.0",
        "identity_clean/train_third.tsv",
        "159b280b37e2afa8e6d782a248e5c30c1f01651c5e5036da1a8961e2b49ab05c",
    ),
    "rtp": Provenance(
        "allenai/real-toxicity-prompts (a cut used by GXimingLu/Quark)",
        "Apache-2.0",
        "rtp/val_even_rows.jsonl",
        "db608bf73253214413c1676f8ced053cda71875839fe30e4636098027b9274ff",
    ),
    "human_ratings": Provenance(
        "s-nlp/detox (EMNLP 2021)",
        "none stated: evaluation only",
        "human_ratings/emnlp21_mean.tsv",
        "9f9b7020fa37e56a95d3ae80004f7737c1a58bebd4528568f52856395cb11e43",
    ),
    "wikitext": Provenance(
        "WikiText-103 validation",
        "CC-BY-SA-3.0",
        "wikitext/wiki.valid.tokens",
        "9aee9f52d6e77de6c7751fc5e7c44287db3ec0eaf15477098acc6b93c1c4250b",
    ),
}


@dataclass(frozen=True)
class ParaDetoxRow:
    """A toxic sentence and its human rewrites, without those that equal the source."""

    source: str
    rewrites: tuple[str, ...]


@dataclass(frozen=True)
class SafeNlpRow:
    """A ToxiGen sentence, whether it is hateful, and the groups it is about."""

    text: str
    hateful: bool
    groups: tuple[str, ...]


@dataclass(frozen=True)
class LabelledText:
    """A text and whether people called it toxic."""

    text: str
    toxic: bool


@dataclass(frozen=True)
class SpanRow:
    """A comment and its toxic stretches as (start, end) characters; none if annotators saw none."""

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ScoredText:
    """A text with Perspective scores in [0, 1] by category; None where the set has no score."""

    text: str
    scores: dict[str, float] | None


@dataclass(frozen=True)
class RtpRow:
    """A prompt and its natural continuation, each scored apart."""

    prompt: ScoredText
    continuation: ScoredText


@dataclass(frozen=True)
class HumanRating:
    """A rewrite with mean human votes in [0, 1] for style (clean), meaning and fluency."""

    original: str
    rewritten: str
    style: float
    meaning: float
    fluency: float


def data_file(name: str) -> Path:
    """Return the file of a data set.

    Args:
        name: A key of PROVENANCE.

    Raises:
        ConfigError: If CPGUARD_DATA is unset, or has no such file.
    """
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        raise ConfigError(
            f"{DATA_VARIABLE} is not set: it must name the folder that holds {PROVENANCE[name].path} "
            f"and the other data sets. Run: export {DATA_VARIABLE}=/path/to/data"
        )
    path = Path(folder) / PROVENANCE[name].path
    if not path.is_file():
        raise ConfigError(
            f"{path} does not exist; {DATA_VARIABLE} must name the folder that holds "
            f"{PROVENANCE[name].path}, from {PROVENANCE[name].origin}"
        )
    return path


def _read(name: str) -> str:
    return data_file(name).read_text(encoding="utf-8", errors="replace")


def _csv(name: str, delimiter: str = ",") -> Iterator[list[str]]:
    with data_file(name).open(encoding="utf-8", errors="replace", newline="") as file:
        yield from csv.reader(file, delimiter=delimiter)


def _records(name: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    rows = _csv(name, delimiter)
    header = next(rows)
    for row in rows:
        yield dict(zip(header, row, strict=False))


def load_paradetox() -> list[ParaDetoxRow]:
    """Return the ParaDetox pairs: sources lower-cased and space-tokenised, rewrites as people wrote them."""
    rows = []
    for record in list(_csv("paradetox", "\t"))[1:]:
        source, *rewrites = (" ".join(cell.split()) for cell in record)
        kept = tuple(dict.fromkeys(text for text in rewrites if text and text != source))
        if source and kept:
            rows.append(ParaDetoxRow(source, kept))
    return rows


def load_safenlp() -> list[SafeNlpRow]:
    """Return the cleaned ToxiGen sentences without spreadsheet escapes and duplicates."""
    seen: dict[str, SafeNlpRow] = {}
    for row in json.loads(_read("safenlp")):
        text = re.sub(r"\s+", " ", html.unescape(row["text"].replace("_x000D_", " "))).strip(" -")
        groups = tuple(dict.fromkeys(row["target_groups"]))
        if text and text not in seen:
            seen[text] = SafeNlpRow(text, row["label"] == "hate", groups)
    return list(seen.values())


def load_jigsaw_wiki() -> list[LabelledText]:
    """Return Wikipedia comments, half of them toxic (a balanced copy: not the base rate in the wild)."""
    return [LabelledText(text, label == "1") for text, label in _csv("jigsaw_wiki")]


def load_toxic_spans() -> list[SpanRow]:
    """Return comments judged toxic, with the stretches that annotators marked."""
    return [
        SpanRow(row["text"], _stretches(ast.literal_eval(row["spans"]), row["text"]))
        for row in _records("toxic_spans")
    ]


def _stretches(offsets: list[int], text: str) -> tuple[tuple[int, int], ...]:
    """Return character offsets as half-open stretches without white space at their ends."""
    stretches: list[tuple[int, int]] = []
    for offset in sorted(set(offsets)):
        if stretches and stretches[-1][1] == offset:
            stretches[-1] = (stretches[-1][0], offset + 1)
        else:
            stretches.append((offset, offset + 1))
    trimmed = []
    for start, end in stretches:
        piece = text[start:end]
        lead = len(piece) - len(piece.lstrip())
        if piece.strip():
            trimmed.append((start + lead, start + len(piece.rstrip())))
    return tuple(trimmed)


def load_context_toxicity() -> list[LabelledText]:
    """Return Wikipedia talk-page comments, 0.6 % of them toxic."""
    return [LabelledText(row["text"], row["label"] == "1") for row in _records("context_toxicity")]


def load_identity_clean() -> list[str]:
    """Return clean sentences that mention identities: for false alarms only, never for training."""
    return [row["comment"] for row in _records("identity_clean", "\t") if row["is_toxic"] == "0"]


def load_rtp() -> list[RtpRow]:
    """Return RealToxicityPrompts rows with the Perspective scores of prompt and continuation."""
    return [
        RtpRow(_scored(row["prompt"]), _scored(row["continuation"]))
        for row in map(json.loads, _read("rtp").splitlines())
    ]


def _scored(part: dict[str, str | float | None]) -> ScoredText:
    scores: dict[str, float] = {}
    for category in RTP_CATEGORIES:
        value = part[category]
        if not isinstance(value, float | int):
            return ScoredText(str(part["text"]), None)
        scores[category] = float(value)
    return ScoredText(str(part["text"]), scores)


def load_wikitext() -> list[str]:
    """Return WikiText-103 validation paragraphs, detokenised, without headings: for false alarms only."""
    lines = (line.strip() for line in _read("wikitext").split("\n"))
    return [detokenise(line) for line in lines if line and not line.startswith("=")]


def load_human_ratings() -> list[HumanRating]:
    """Return 600 rewrites with human votes: for checking automatic judges only."""
    return [
        HumanRating(
            original=row["original"],
            rewritten=row["rewritten"],
            style=float(row["style"]),
            meaning=float(row["meaning"]),
            fluency=float(row["fluency"]),
        )
        for row in _records("human_ratings", "	")
    ]


def detokenise(text: str) -> str:
    """Return space-tokenised text with the spacing people use: `don 't go , ok ?` gives `don't go, ok?`."""
    text = re.sub(r" @([-.,])@ ", r"\1", text)
    text = re.sub(r"\s+([.,!?;:%)\]}]|n't\b|'(?:s|t|re|ve|ll|d|m)\b)", r"\1", text)
    text = re.sub(r"([(\[{$#])\s+", r"\1", text)
    text = re.sub(r'"\s+([^"]*?)\s+"', r'"\1"', text)
    return re.sub(r"[ \t]+", " ", text).strip()
