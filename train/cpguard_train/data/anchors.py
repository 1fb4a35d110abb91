"""The anchors that a recipe names, and where they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from random import Random

from cpguard.errors import ConfigError
from cpguard_train.config import Data
from cpguard_train.data.negatives import lose_meaning
from cpguard_train.data.paradetox import paradetox_anchors
from cpguard_train.data.schema import Anchor, read_anchors
from cpguard_train.data.sources import PROVENANCE


@dataclass(frozen=True)
class Corpus:
    """Anchors to train on, anchors kept out, and the provenance of both."""

    train: list[Anchor]
    dev: list[Anchor]
    provenance: list[dict[str, str | int]]


def build_corpus(config: Data, seed: int) -> Corpus:
    """Return the anchors of a recipe, shuffled, with identity anchors among them.

    Raises:
        ConfigError: If a source is missing or not valid.
    """
    corpus = Corpus([], [], [])
    for source in config.sources:
        anchors, dev = _load(source, config.dev, seed)
        for _ in range(config.repeat.get(source, 1)):
            corpus.train.extend(with_source(anchor) for anchor in anchors)
        corpus.dev.extend(dev)
        corpus.provenance.append(_provenance(source, len(anchors)))
    rng = Random(seed)  # noqa: S311
    rng.shuffle(corpus.train)
    del corpus.train[config.limit or len(corpus.train) :]
    wanted = round(len(corpus.train) * config.identity / (1 - config.identity))
    corpus.train.extend(identity_anchors(corpus.train, wanted, rng))
    if wanted:
        corpus.provenance.append(_ours("identity (clean texts, and rewrites of the above)", wanted))
    rng.shuffle(corpus.train)
    return corpus


def with_source(anchor: Anchor) -> Anchor:
    """Return the anchor with its source as the first negative: copying is the mistake to unlearn."""
    if anchor.source is None or anchor.source in anchor.positives:
        return anchor
    negatives = tuple(dict.fromkeys((anchor.source, *anchor.negatives)))
    return anchor.model_copy(update={"negatives": negatives})


def identity_anchors(anchors: Sequence[Anchor], count: int, rng: Random) -> list[Anchor]:
    """Return anchors whose source is clean and should come back as it is.

    Args:
        anchors: Their positives are one half of the clean texts; the bundled clean texts, which look
            toxic to a careless model, the other.
        count: How many to return.
        rng: Draws them.
    """
    lines = (files("cpguard_train") / "data" / "clean_hard.jsonl").read_text(encoding="utf-8").splitlines()
    bundled = [json.loads(line)["text"] for line in lines]
    return [
        _identity(
            f"identity-{number}", rng.choice(rng.choice(anchors).positives if number % 2 else bundled), rng
        )
        for number in range(count)
    ]


def _identity(name: str, text: str, rng: Random) -> Anchor:
    damaged = {lost for _ in range(3) if (lost := lose_meaning(text, rng))}
    return Anchor(id=name, group="identity", source=text, positives=(text,), negatives=tuple(sorted(damaged)))


def _load(source: str, dev: int, seed: int) -> tuple[list[Anchor], list[Anchor]]:
    if source == "paradetox":
        return paradetox_anchors(seed), paradetox_anchors(seed, split="dev")
    if source == "smoke":
        with as_file(files("cpguard_train") / "data" / "smoke.jsonl") as path:
            anchors = read_anchors(path)
    else:
        anchors = read_anchors(Path(source))
    if dev >= len(anchors):
        raise ConfigError(f"data.dev is {dev}, but '{source}' has {len(anchors)} anchors; none would be left")
    return keep_out(anchors, dev)


def keep_out(anchors: list[Anchor], count: int) -> tuple[list[Anchor], list[Anchor]]:
    """Return the anchors to train on and those kept out, which are spread evenly over the file.

    Args:
        anchors: More than `count` of them.
        count: How many to keep out.
    """
    places = {(2 * number + 1) * len(anchors) // (2 * count) for number in range(count)}
    train = [anchor for place, anchor in enumerate(anchors) if place not in places]
    return train, [anchors[place] for place in sorted(places)]


def _provenance(source: str, rows: int) -> dict[str, str | int]:
    if source in PROVENANCE:
        known = PROVENANCE[source]
        return {
            "name": source,
            "origin": known.origin,
            "licence": known.licence,
            "sha256": known.sha256,
            "anchors": rows,
        }
    if source == "smoke":
        return _ours(source, rows)
    return {"name": Path(source).name, "origin": "local file", "licence": "not stated", "anchors": rows}


def _ours(name: str, rows: int) -> dict[str, str | int]:
    return {"name": name, "origin": "cpguard", "licence": "Apache-2.0", "anchors": rows}
