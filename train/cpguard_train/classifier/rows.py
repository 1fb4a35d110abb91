"""Training rows of many data sets in one form, each with the labels it has and no others."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from json import loads

from cpguard.results import CATEGORIES
from cpguard_train.classifier.weak import weak_labels
from cpguard_train.data import sources
from cpguard_train.data.splits import Split, split_of

Spans = tuple[tuple[int, int], ...]
UNKNOWN = -1.0
CLEAN = (0.0,) * len(CATEGORIES)
CLEAN_HARD = "clean_hard.jsonl"
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Row:
    """One text and what is known of it.

    Attributes:
        text: The text.
        labels: A probability a category in the order of CATEGORIES; UNKNOWN is masked.
        spans: Toxic stretches in characters, empty for clean; None if nobody marked them (masked).
        source: Name of the data set.
        weight: Factor on the row's loss.
    """

    text: str
    labels: tuple[float, ...]
    spans: Spans | None
    source: str
    weight: float = 1.0


def clean_row(text: str, source: str, weight: float = 1.0) -> Row:
    """Return a row that is 0 in every category and has no toxic token."""
    return Row(text, CLEAN, (), source, weight)


def toxic_row(text: str, source: str, spans: Spans | None = None, **known: float) -> Row:
    """Return a row with toxicity 1, the given labels, weak ones where words tell, the rest unknown."""
    labels: dict[str, float] = {**dict(weak_labels(text).items()), "toxicity": 1.0, **known}
    return Row(text, tuple(labels.get(name, UNKNOWN) for name in CATEGORIES), spans, source)


def sharpen(score: float) -> float:
    """Return a Perspective score pushed away from one half: s^2 / (s^2 + (1 - s)^2).

    The score is a share of readers; the other sets have yes or no. 0.1 becomes 0.012, 0.5 stays.
    """
    return score**2 / (score**2 + (1.0 - score) ** 2)


def deleted_spans(source: str, rewrite: str) -> Spans | None:
    """Return where the words lie that a rewrite took out of its source and changed nothing else.

    Args:
        source: A toxic sentence.
        rewrite: A human rewrite.

    Returns:
        Character stretches of the source, or None if the rewrite is no pure deletion of at most
        five words and 40 %.
    """
    words, kept = list(_WORD.finditer(source.lower())), _WORD.findall(rewrite.lower())
    removed: list[tuple[int, int]] = []
    match = 0
    for word in words:
        if match < len(kept) and kept[match] == word.group():
            match += 1
        elif word.group()[0].isalnum():
            removed.append(word.span())
    if match < len(kept) or not 0 < len(removed) <= min(5, 0.4 * len(words)):
        return None
    return tuple(removed)


def _paradetox(split: Split, rng: random.Random) -> Iterator[Row]:
    for pair in sources.load_paradetox():
        if split_of(pair.source, kind="paradetox") != split:
            continue
        found = (deleted_spans(pair.source, rewrite) for rewrite in pair.rewrites)
        spans = next((item for item in found if item is not None), None)
        yield toxic_row(pair.source, "paradetox", spans)
        yield clean_row(rng.choice(pair.rewrites), "paradetox")


def _safenlp(split: Split) -> Iterator[Row]:
    for item in sources.load_safenlp():
        if split_of(item.text, kind="safenlp", groups=item.groups) != split:
            continue
        if item.hateful:
            yield toxic_row(item.text, "safenlp", identity_attack=1.0)
        else:
            yield clean_row(item.text, "safenlp")


def _jigsaw(split: Split) -> Iterator[Row]:
    for item in sources.load_jigsaw_wiki():
        if split_of(item.text, kind="jigsaw_wiki") == split:
            make = toxic_row if item.toxic else clean_row
            yield make(item.text, "jigsaw_wiki")


def _toxic_spans(split: Split) -> Iterator[Row]:
    for item in sources.load_toxic_spans():
        if split_of(item.text, kind="toxic_spans") == split:
            yield toxic_row(item.text, "toxic_spans", item.spans or None)


def _context(split: Split) -> Iterator[Row]:
    for item in sources.load_context_toxicity():
        if split_of(item.text, kind="context_toxicity") == split:
            make = toxic_row if item.toxic else clean_row
            yield make(item.text, "context_toxicity")


def _rtp(split: Split) -> Iterator[Row]:
    for pair in sources.load_rtp():
        if split_of(pair.prompt.text, kind="rtp") != split:
            continue
        parts = [part for part in (pair.prompt, pair.continuation) if part.scores is not None]
        yield from (_scored(part.text, part.scores or {}) for part in parts)
        if len(parts) == 2:
            first, second = (part.scores or {} for part in parts)
            joined = {name: max(first[name], second[name]) for name in first}
            yield _scored(pair.prompt.text + pair.continuation.text, joined)


def _scored(text: str, scores: Mapping[str, float]) -> Row:
    labels = tuple(sharpen(scores[name]) for name in CATEGORIES)
    return Row(text.strip(), labels, () if max(labels) < 0.1 else None, "rtp")


@cache
def clean_hard_texts() -> tuple[str, ...]:
    """Return the bundled clean sentences that a careless classifier flags; none if not bundled."""
    file = files("cpguard_train.data").joinpath(CLEAN_HARD)
    if not file.is_file():
        return ()
    lines = file.read_text(encoding="utf-8").splitlines()
    return tuple(loads(line)["text"] for line in lines if line.strip())


def load_rows(split: Split, *, seed: int = 0) -> list[Row]:
    """Return the rows of a split over all data sets that the classifier may learn from.

    Raises:
        ConfigError: If CPGUARD_DATA is unset or lacks a data set.
    """
    rng = random.Random(seed)  # noqa: S311
    rows = [
        *_paradetox(split, rng),
        *_safenlp(split),
        *_jigsaw(split),
        *_toxic_spans(split),
        *_context(split),
        *_rtp(split),
    ]
    if split == "train":
        rows += [clean_row(text, "clean_hard") for text in clean_hard_texts()]
    return [row for row in rows if row.text.strip()]


def sampled(rows: Sequence[Row], shares: Mapping[str, float], rng: random.Random) -> list[Row]:
    """Return the rows with each data set taken as often as its share says, in random order.

    Args:
        rows: Rows of many data sets.
        shares: Copies a row by data set, 1.0 where not named; 0.4 keeps each row with chance 0.4.
        rng: Source of chance.
    """
    taken = [row for row in rows for _ in range(_whole_or_one_more(shares.get(row.source, 1.0), rng))]
    rng.shuffle(taken)
    return taken


def _whole_or_one_more(share: float, rng: random.Random) -> int:
    return int(share) + (rng.random() < share - int(share))


def cut(row: Row, limit: int, rng: random.Random) -> Row:
    """Return the row with at most `limit` characters of its text, cut at spaces.

    A row with marked spans keeps the first of them in view; a clean one is cut anywhere; a toxic one
    without marks keeps its beginning, which is where its label most likely holds.
    """
    if len(row.text) <= limit:
        return row
    start = 0
    if row.spans:
        start = max(0, min(row.spans[0][0] - limit // 3, len(row.text) - limit))
    elif row.labels == CLEAN:
        start = rng.randrange(len(row.text) - limit + 1)
    start = row.text.find(" ", start) + 1 if start else 0
    end = row.text.rfind(" ", start, start + limit)
    end = end if end > start else start + limit
    spans = None if row.spans is None else _shifted(row.spans, start, end)
    return replace(row, text=row.text[start:end], spans=spans)


def _shifted(spans: Iterable[tuple[int, int]], start: int, end: int) -> Spans:
    inside = ((max(a, start) - start, min(b, end) - start) for a, b in spans)
    return tuple((a, b) for a, b in inside if a < b)
