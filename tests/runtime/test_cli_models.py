"""`cpguard models`, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cpguard import cli, models

NAME = models.DEFAULT.name


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process; gives exit code, stdout and stderr."""
    monkeypatch.setenv("CPGUARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CPGUARD_BASE_MODEL", raising=False)
    cached = {"cache": models.LOCAL["cache"]}
    monkeypatch.setattr(models, "LOCAL", cached)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["cpguard", *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        captured = capsys.readouterr()
        return int(done.value.code or 0), captured.out, captured.err

    return run


def test_list_in_a_pipe_is_one_line_a_model(run: Callable[..., tuple[int, str, str]]) -> None:
    assert run("models", "list") == (0, f"{NAME}\t98\tApache-2.0\tnot pulled\t\n", "")


def test_list_as_json(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("models", "list", "--json")
    row = {"name": NAME, "megabytes": 98, "licence": "Apache-2.0", "status": "not pulled", "path": ""}
    assert (code, json.loads(out)) == (0, [row])


def test_list_says_that_a_file_is_damaged(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    path = tmp_path / "cache" / f"{NAME}.gguf"
    path.parent.mkdir()
    path.write_bytes(b"GGUF")
    assert run("models", "list")[1] == f"{NAME}\t98\tApache-2.0\tdamaged\t{path}\n"
    code, out, err = run("models", "verify")
    assert (code, out) == (3, "")
    assert "truncated: 4 bytes, expected 98362432" in err


def test_list_on_a_terminal_is_a_table(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "Licence" in run("models", "list")[1]


@pytest.mark.parametrize("verb", ["path", "verify"])
def test_a_missing_model_is_a_runtime_failure_with_its_mend(
    verb: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = run("models", verb)
    assert (code, out) == (3, "")
    assert "Run: cpguard models pull" in err


def test_pulling_offline_is_a_runtime_failure(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("models", "pull")
    assert (code, out) == (3, "")
    assert "CPGUARD_OFFLINE=1 forbids pulling" in err


def test_an_unknown_name_is_a_usage_error(run: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = run("models", "path", "gpt-7")
    assert code == 2
    assert f"unknown base model 'gpt-7'. Known: {NAME}" in err


def test_progress_goes_to_stderr_and_the_path_to_stdout(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(spec: models.BaseModelSpec, progress: Callable[[str], None]) -> Path:
        progress(f"pulling {spec.name}")
        return Path("/models/a.gguf")

    monkeypatch.setattr(models, "pull", pull)
    assert run("models", "pull") == (0, "/models/a.gguf\n", f"pulling {NAME}\n")
