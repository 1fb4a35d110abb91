from __future__ import annotations

from pathlib import Path

import pytest

from cpguard.errors import ConfigError
from cpguard_train.config import load_raw, recipe_names, validate


def test_every_bundled_rewriter_recipe_is_valid() -> None:
    assert {"smoke", "detox-en"} <= set(recipe_names())
    assert validate(load_raw("smoke")).data.sources == ("smoke",)
    assert validate(load_raw("detox-en")).objective.negatives == "one-sided"


def test_overrides_reach_into_sections_and_are_yaml() -> None:
    raw = load_raw("smoke", ["training.steps=7", "objective.variant=paper", "objective.negatives=symmetric"])
    recipe = validate({**raw, "lora": {"r": 4}})
    assert recipe.training.steps == 7
    assert recipe.objective.phi == "perplexity"
    assert recipe.lora.r == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.step=7", "unknown key 'training.step', did you mean 'training.steps'?"),
        ("objectve.tau=1", "unknown key 'objectve', did you mean 'objective'?"),
        ("lora.zzz=1", "unknown key 'lora.zzz', known: r, alpha, dropout"),
        ("training.steps=0", "training.steps: Input should be greater than or equal to 1"),
        ("data.repeat={other: 2}", "data.repeat: Value error, must name sources"),
        ("prompt=hello", "prompt: Value error, must hold {source} exactly once"),
    ],
)
def test_a_wrong_key_or_value_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(load_raw("smoke", [override]))
    assert message in str(caught.value)


@pytest.mark.parametrize("override", ["training.steps", "=5", "seed.x=1", "training.steps=[1"])
def test_an_override_that_cannot_be_put_in_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match=r"override|YAML"):
        load_raw("smoke", [override.replace("seed.x", "name.x")])


def test_a_recipe_may_be_a_file_and_an_unknown_one_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("task: rewriter\nname: mine\n", encoding="utf-8")
    assert validate(load_raw(str(path))).name == "mine"
    path.write_text("- a list\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not a YAML mapping"):
        load_raw(str(path))
    with pytest.raises(ConfigError, match="Did you mean 'smoke'"):
        load_raw("smok")
