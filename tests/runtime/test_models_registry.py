"""What the registry says about base models."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpguard import models
from cpguard.errors import ConfigError


def test_the_default_is_the_pinned_file() -> None:
    assert models.DEFAULT.size == 98_362_432
    assert models.DEFAULT.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert models.registry[models.DEFAULT.name] is models.DEFAULT


def test_an_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'smollm2-135m-instruct-q4_1'"):
        models.find("smollm2-135m-instruct")


def test_the_base_model_on_this_machine_is_the_pinned_one(base_model: Path) -> None:
    assert models.verify() == base_model
