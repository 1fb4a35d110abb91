"""`cpguard doctor`: exit code, report and mends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cpguard import models
from cpguard.cli import doctor
from cpguard.errors import BaseModelMissingError, ConfigError


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command where everything works, unless a test breaks a part first."""
    monkeypatch.setattr(doctor, "_loads", lambda module: "yes")
    monkeypatch.setattr(doctor, "_base_model", lambda: "/models/base.gguf")
    monkeypatch.setattr(doctor, "_classifier", lambda: "loaded and asked")
    monkeypatch.setattr(doctor, "_adapter", lambda: "adapter.gguf on base")
    return lambda *arguments: CliRunner().invoke(doctor.command, arguments)


def _raise(error: Exception) -> Callable[..., str]:
    def fail(*_: object) -> str:
        raise error

    return fail


def test_all_well_is_exit_code_0_and_says_so_last(run: Callable[..., Result]) -> None:
    done = run()
    lines = done.output.splitlines()
    assert done.exit_code == 0
    assert lines[-1].startswith("the embedded guard works; extras complete: ")
    assert lines[0].startswith("cpguard ")
    assert any(line.startswith("ok       onnxruntime loads") for line in lines)


@pytest.mark.parametrize(
    ("part", "name", "error"),
    [
        ("_base_model", "base model", BaseModelMissingError("Run: cpguard models pull")),
        ("_classifier", "embedded classifier", ConfigError("restore it")),
        ("_adapter", "embedded adapter", ConfigError("train it")),
        ("_loads", "onnxruntime loads", ConfigError("no library")),
    ],
)
def test_a_broken_part_is_exit_code_3_with_its_mend(
    part: str, name: str, error: Exception, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, part, _raise(error))
    done = run()
    assert done.exit_code == 3
    assert f"MISSING  {name:<28} {error}" in done.output
    assert name in done.output.splitlines()[-1]


def test_json_has_the_same_facts(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_adapter", _raise(ConfigError("train it")))
    done = run("--json")
    report = json.loads(done.output)
    assert (done.exit_code, report["works"]) == (3, False)
    assert report["system"]["offline"] == "yes, CPGUARD_OFFLINE forbids pulling"
    assert report["checks"][-1] == {
        "name": "embedded adapter",
        "ok": False,
        "needed": True,
        "detail": "train it",
    }


@pytest.mark.parametrize(("torch", "code"), [(True, 0), (False, 3)])
def test_llama_cpp_is_needed_only_without_torch(
    torch: bool, code: int, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(module: str) -> str:
        if module == "xllamacpp":
            raise ConfigError("no wheel")
        return "yes"

    monkeypatch.setattr(doctor, "_loads", loads)
    monkeypatch.setattr(doctor, "torch_available", lambda: torch)
    assert run().exit_code == code


def test_a_missing_extra_names_its_pip_line(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["rich>=13", "made-up-one>=1; extra == 'torch'", 'made-up-one>=1; extra == "train"']
    monkeypatch.setattr(doctor, "requires", lambda name: lines)
    done = run()
    assert done.exit_code == 0
    assert "-        made-up-one [torch, train]   not installed; pip install 'cpguard[torch]'" in done.output
    assert done.output.splitlines()[-1] == "the embedded guard works; extras complete: none"


def test_a_native_module_that_crashes_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crashing.py").write_text("import os; os.abort()")
    (tmp_path / "lacking.py").write_text("raise ImportError('libgomp.so.1: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert doctor._loads("json") == "yes"
    with pytest.raises(ConfigError, match="signal 6"):
        doctor._loads("crashing")
    with pytest.raises(ConfigError, match=r"libgomp\.so\.1: no such file; apt-get install libgomp1"):
        doctor._loads("lacking")


def test_the_base_model_line_is_its_path(base_model: Path) -> None:
    assert doctor._base_model() == str(models.resolve()) == str(base_model)


def test_nothing_heavy_is_imported_by_the_doctor_itself() -> None:
    import subprocess

    code = "import sys, cpguard.cli.doctor; print([m for m in ('torch', 'xllamacpp') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
