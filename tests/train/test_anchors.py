from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from cpguard.errors import ConfigError
from cpguard_train.config import Data
from cpguard_train.data.anchors import build_corpus, identity_anchors, keep_out, with_source
from cpguard_train.data.schema import Anchor, write_anchors


def anchors(count: int) -> list[Anchor]:
    return [
        Anchor(id=f"a{n}", source=f"you idiot {n}", positives=(f"you, number {n}, are wrong about it all",))
        for n in range(count)
    ]


def test_the_source_is_the_first_negative_unless_it_is_a_positive() -> None:
    anchor = Anchor(id="a", source="s", positives=("p",), negatives=("n", "s"))
    assert with_source(anchor).negatives == ("s", "n")
    clean = Anchor(id="a", source="p", positives=("p",))
    assert with_source(clean) == clean


def test_what_is_kept_out_is_spread_over_the_file() -> None:
    train, dev = keep_out(anchors(10), 2)
    assert [anchor.id for anchor in dev] == ["a2", "a7"]
    assert len(train) == 8
    assert keep_out(anchors(3), 0) == (anchors(3), [])


def test_identity_anchors_come_back_as_they_are_and_contrast_with_damage() -> None:
    for anchor in identity_anchors(anchors(5), 20, Random(0)):
        assert anchor.positives == (anchor.source,)
        assert anchor.source not in anchor.negatives
        assert anchor.group == "identity"


def test_a_corpus_repeats_limits_adds_identity_and_keeps_dev_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    write_anchors(anchors(12), path)
    config = Data(sources=(str(path),), dev=2, identity=0.25, repeat={str(path): 2}, limit=15)
    corpus = build_corpus(config, seed=3)
    identity = [anchor for anchor in corpus.train if anchor.group == "identity"]
    assert len(corpus.train) - len(identity) == 15
    assert len(identity) == 5
    kept = {anchor.id for anchor in corpus.dev}
    assert len(kept) == 2
    assert not kept & {anchor.id for anchor in corpus.train}
    assert corpus.provenance == [
        {"name": "mine.jsonl", "origin": "local file", "licence": "not stated", "anchors": 10},
        {
            "name": "identity (clean texts, and rewrites of the above)",
            "origin": "cpguard",
            "licence": "Apache-2.0",
            "anchors": 5,
        },
    ]
    assert build_corpus(config, seed=3) == corpus


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.jsonl does not exist"):
        build_corpus(Data(sources=(str(tmp_path / "none.jsonl"),)), seed=1)
