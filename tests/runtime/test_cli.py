from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cpguard.cli import VERBS, cli
from cpguard.errors import ConfigError, InputError
from cpguard.pipeline import Pipeline
from cpguard.repair import Parts

TOXIC = "Sure. You idiot, the build broke."
CLEAN = "Sure. The build broke."


@pytest.fixture
def run(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command line on fake models."""
    monkeypatch.setattr("cpguard.loading.load_pipeline", lambda *_, **__: Pipeline(parts))

    def invoke(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(cli, arguments, input=stdin, catch_exceptions=False)

    return invoke


def test_rewrite_prints_the_guarded_text(run: Any) -> None:
    result = run("rewrite", TOXIC)
    assert (result.exit_code, result.stdout) == (0, CLEAN + "\n")


def test_rewrite_reads_files_and_standard_input_and_keeps_their_newlines(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(TOXIC + "\n\n", encoding="utf-8")
    assert run("rewrite", str(file)).stdout == CLEAN + "\n\n"
    assert run("rewrite", "-", stdin=TOXIC).stdout == CLEAN + "\n"
    assert run("rewrite", str(file), "Hi.").stdout == CLEAN + "\n\nHi.\n"


def test_rewrite_edits_one_field_of_json_lines(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"id": 1, "reply": TOXIC, "é": "ü"}) + "\n\n", encoding="utf-8")
    result = run("rewrite", str(file), "--field", "reply")
    assert json.loads(result.stdout) == {"id": 1, "reply": CLEAN, "é": "ü"}
    assert "ü" in result.stdout


def test_json_output_is_one_result_a_text_and_holds_no_input(run: Any) -> None:
    lines = run("rewrite", "--json", TOXIC, "Hi.").stdout.splitlines()
    first, second = map(json.loads, lines)
    assert (first["text"], first["action"], second["changed"]) == (CLEAN, "rewrite", False)
    assert "idiot" not in lines[0]


def test_check_exits_with_one_when_something_is_flagged(run: Any) -> None:
    flagged, clean = run("check", TOXIC, "Hi."), run("check", "Hi.")
    assert (flagged.exit_code, clean.exit_code) == (1, 0)
    assert flagged.stdout.splitlines()[0].startswith("flagged  toxicity 0.99")
    assert "characters: 6-33" in flagged.stdout
    assert clean.stdout.startswith("clean")
    assert json.loads(run("check", "--json", TOXIC).stdout)["flagged"] is True


@pytest.mark.parametrize(
    ("arguments", "stdin", "error", "says"),
    [
        (["rewrite"], None, ConfigError, "give a text"),
        (["rewrite", "missing.txt"], None, ConfigError, "no file missing.txt"),
        (["rewrite", "-"], b"\xff\xfe", ConfigError, "not UTF-8 at byte 0"),
        (["check", "-", "--field", "a"], '{"a": "x"}\nCANARY', InputError, "line 2: not JSON"),
        (["check", "-", "--field", "a"], '{"b": "CANARY"}', InputError, "line 1: expected an object with"),
    ],
)
def test_bad_sources_are_refused_with_the_mend(
    run: Any, arguments: list[str], stdin: str | bytes | None, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        run(*arguments, stdin=stdin)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_an_unknown_verb_is_a_usage_error() -> None:
    assert CliRunner().invoke(cli, ["rewriet"]).exit_code == 2


@pytest.mark.parametrize(("arguments", "code"), [(["rewrite"], 2), (["rewrite", "no.txt"], 2)])
def test_errors_are_one_line_on_stderr_and_set_the_exit_code(arguments: list[str], code: int) -> None:
    program = "from cpguard.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stderr.startswith("cpguard: ")
    assert done.stderr.count("\n") == 1
