from __future__ import annotations

from pathlib import Path

from cpguard.manifest import BaseModelRef, GuardManifest
from cpguard_train.config import RewriterRecipe
from cpguard_train.model_card import add_quality, write_card

MANIFEST = GuardManifest(
    base=BaseModelRef(name="tiny-base", sha256="ab" * 32),
    metrics={"dev_wins": 0.75},
    data=[{"name": "ours", "origin": "us", "licence": "CC0-1.0", "anchors": 12}],
)


def value(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}


RESULT = {
    "sets": {
        "some_set": {
            "sources": 20,
            "rewriter": {
                "clean_bag_of_words": value(0.9),
                "clean_own_classifier": value(0.8),
                "similarity": value(0.7),
                "clean_and_similar_bag_of_words": value(0.6),
                "copies": value(0.1),
                "length_ratio": value(1.0),
                "empty": 0,
            },
        }
    }
}


def test_the_card_says_base_data_measures_recipe_and_limits(tmp_path: Path) -> None:
    card = write_card(MANIFEST, RewriterRecipe(name="mine"), tmp_path).read_text(encoding="utf-8")
    for part in (
        "# mine",
        "ab" * 32,
        "| dev_wins | 0.75 |",
        "| ours | us | CC0-1.0 |",
        "tau: 0.5",
        "## Limits",
    ):
        assert part in card
    assert "Detoxify: {source}<|im_end|>" in card


def test_quality_is_put_in_once_and_replaced_when_measured_again(tmp_path: Path) -> None:
    write_card(MANIFEST, RewriterRecipe(name="mine"), tmp_path)
    add_quality(tmp_path, RESULT)
    path = add_quality(tmp_path, RESULT)
    card = path.read_text(encoding="utf-8")
    assert card.count("some set, 20 sentences:") == 1
    assert "| rewriter | 0.90 [0.80, 1.00] | 0.80 [0.70, 0.90] | 0.70 [0.60, 0.80] |" in card
    assert card.index("### Quality") < card.index("## Data") < card.index("## Limits")
