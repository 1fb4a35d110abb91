"""ParaDetox as anchors: cleaned, cased, with three kinds of negatives and things that must be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from cpguard_train.data.augment import attach, keeper, learn_case, natural, plain
from cpguard_train.data.negatives import learn_toxic_words, lose_meaning, put_back, removed_words
from cpguard_train.data.schema import Anchor
from cpguard_train.data.sources import ParaDetoxRow, load_paradetox
from cpguard_train.data.splits import Split, normalise, split_of

_NATURAL, _PLAIN = 0.7, 0.15  # shares of styles; the rest stays lower-cased and space-tokenised
_KEEPER = 0.12
_SHORTEST = 0.35
_MAX_POSITIVES = 3


@dataclass(frozen=True)
class Lexicon:
    """What the corpus itself says about words: which are taken out, and which are written with capitals."""

    toxic: frozenset[str]
    case: Mapping[str, str]


def load_rows(split: Split) -> list[ParaDetoxRow]:
    """Return the rows of a split, split by source."""
    return [row for row in load_paradetox() if split_of(row.source, kind="paradetox") == split]


def learn_lexicon(rows: Sequence[ParaDetoxRow]) -> Lexicon:
    """Return the lexicon of some rows; give it training rows only."""
    toxic = learn_toxic_words((row.source, row.rewrites) for row in rows)
    return Lexicon(toxic, learn_case(text for row in rows for text in row.rewrites))


def clean_rewrites(row: ParaDetoxRow, toxic: frozenset[str]) -> list[str]:
    """Return the rewrites worth learning from, those that reword before those that only delete.

    Dropped: copies of the source but for case and punctuation, rewrites that keep a word which people
    otherwise take out, and rewrites that keep hardly any of the length.
    """
    words = len(normalise(row.source).split())
    kept = [
        text
        for text in row.rewrites
        if normalise(text) != normalise(row.source)
        and not toxic.intersection(normalise(text).split())
        and len(normalise(text).split()) >= _SHORTEST * words
    ]
    return sorted(kept, key=lambda text: is_deletion(row.source, text))


def is_deletion(source: str, rewrite: str) -> bool:
    """Return whether a rewrite has no word that the source has not."""
    return not removed_words(rewrite, source)


def paradetox_anchors(seed: int, *, split: Split = "train") -> list[Anchor]:
    """Return the anchors of a split, in an order drawn from the seed.

    A row with a rewrite that rewords comes twice, in two styles, because deletions are over a third of
    the corpus and a model shown them as they are learns to delete.

    Raises:
        ConfigError: If the data folder is not there.
    """
    lexicon = learn_lexicon(load_rows("train"))
    anchors: list[Anchor] = []
    for number, row in enumerate(load_rows(split)):
        rewrites = clean_rewrites(row, lexicon.toxic)
        if rewrites:
            times = 1 if is_deletion(row.source, rewrites[0]) else 2
            anchors += _anchors(f"paradetox-{number}", row.source, rewrites, lexicon, times, seed)
    Random(seed).shuffle(anchors)  # noqa: S311
    return anchors


def _anchors(
    name: str, source: str, rewrites: list[str], lexicon: Lexicon, times: int, seed: int
) -> Iterator[Anchor]:
    for turn in range(times):
        rng = Random(f"{seed}:{name}:{turn}")  # noqa: S311
        source_, *texts = _styled([source, *rewrites[:_MAX_POSITIVES]], lexicon, rng)
        made = put_back(source_, texts[0], lexicon.toxic, rng), lose_meaning(texts[0], rng)
        negatives = [source_, *(text for text in made if text)]
        if rng.random() < _KEEPER:
            kept, at_end = keeper(rng), rng.random() < 0.7
            dropped = texts[0]
            source_, *texts = (attach(text, kept, at_end=at_end) for text in (source_, *texts))
            negatives = [attach(text, kept, at_end=at_end) for text in negatives[:2]] + [dropped]
        yield Anchor(
            id=f"{name}-{turn}",
            group="paradetox",
            source=source_,
            positives=tuple(dict.fromkeys(texts)),
            negatives=tuple(dict.fromkeys(text for text in negatives if text not in texts)),
        )


def _styled(texts: list[str], lexicon: Lexicon, rng: Random) -> list[str]:
    """Return a source and its rewrites in one style."""
    draw = rng.random()
    if draw < _NATURAL:
        styled = [natural(text, lexicon.case) for text in texts]
    elif draw < _NATURAL + _PLAIN:
        styled = [plain(text) for text in texts]
    else:
        styled = [texts[0], *(plain(text) for text in texts[1:])]
    return [styled[0], *(_same_ending(styled[0], text) for text in styled[1:])]


def _same_ending(source: str, rewrite: str) -> str:
    """Return the rewrite with a full stop at its end if, and only if, the source ends a sentence."""
    ended = source.endswith((".", "!", "?"))
    if ended and rewrite[-1:].isalnum():
        return f"{rewrite}."
    return rewrite if ended else rewrite.removesuffix(".")
