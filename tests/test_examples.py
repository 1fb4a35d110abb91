"""Every example runs, offline, and no insult of its input comes out."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
INSULTS = re.compile(r"\b(?:idiot|stupid|moron|shitty|fucking|damn|shut up|jerk|fool)\b", re.I)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs_and_prints_clean_text(
    example: Path, base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out
    assert printed.strip()
    assert not INSULTS.search(printed)
