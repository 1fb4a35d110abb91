"""README cannot lie: its Python blocks run, and print what it says they print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)


@pytest.mark.parametrize(("code", "printed"), BLOCK.findall(README))
def test_a_python_block_runs_and_prints_what_follows_it(
    code: str, printed: str, base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == printed


def test_the_readme_has_blocks_with_output() -> None:
    assert sum(bool(printed) for _, printed in BLOCK.findall(README)) >= 2


def test_the_numbers_are_those_of_the_committed_results() -> None:
    script = Path(__file__).parent.parent / "benchmarks" / "readme_numbers.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
