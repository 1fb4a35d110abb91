from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from cpguard.cli import train as train_verb
from cpguard.errors import ConfigError, MissingExtraError
from cpguard.manifest import GuardManifest
from cpguard.protocols import RewriteRequest
from cpguard_train.run import run

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
TINY = [
    "data.limit=8",
    "data.dev=4",
    "training.steps=2",
    "training.batch_size=2",
    "training.log_every=1",
    "lora.r=2",
]


@pytest.fixture(scope="module")
def guard(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The smallest real run: two steps from the bundled pairs on the real base model."""
    pytest.importorskip("peft")
    lines: list[str] = []
    output = run("smoke", tmp_path_factory.mktemp("run") / "guard", TINY, say=lines.append)
    return output, lines


def test_a_run_writes_a_whole_guard_directory(guard: tuple[Path, list[str]]) -> None:
    output, _ = guard
    assert {path.name for path in output.iterdir()} == {
        "guard.json", "adapter", "adapter.gguf", "tokenizer.json", "MODEL_CARD.md", "report.html"
    }  # fmt: skip
    manifest = GuardManifest.read(output)
    assert manifest.base.name == "smollm2-135m-instruct-q4_1"
    assert manifest.objective["variant"] == "cpguard"
    assert set(manifest.metrics) == {"dev_nll_positives", "dev_nll_negatives", "dev_wins"}
    assert manifest.data[0] == {
        "name": "smoke",
        "origin": "cpguard",
        "licence": "Apache-2.0",
        "anchors": 296,
    }


def test_nothing_in_it_names_a_path_of_this_machine(guard: tuple[Path, list[str]], base_model: Path) -> None:
    output, _ = guard
    for path in output.rglob("*"):
        if path.is_file():
            assert str(base_model.parent).encode() not in path.read_bytes(), path.name


def test_the_card_and_the_report_stand_alone(guard: tuple[Path, list[str]]) -> None:
    output, _ = guard
    card = (output / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert GuardManifest.read(output).base.sha256 in card
    assert "| smoke | cpguard | Apache-2.0 |" in card
    report = (output / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in report
    assert "http" not in report.replace("http-equiv", "")


def test_progress_ends_with_an_example_and_the_command_to_use_it(guard: tuple[Path, list[str]]) -> None:
    output, lines = guard
    assert any(line.startswith("step 2/2") for line in lines)
    assert any(line.strip().startswith("before") for line in lines)
    assert f"cpguard rewrite --guard {output}" in lines[-1]


def test_the_guard_loads_on_torch(guard: tuple[Path, list[str]]) -> None:
    from cpguard.rewriters.peft import load

    assert len(load(str(guard[0])).rewrite([RewriteRequest(text="You idiot.", n=1)])) == 1


def test_a_guard_is_not_overwritten(guard: tuple[Path, list[str]]) -> None:
    with pytest.raises(ConfigError, match="already holds a guard"):
        run("smoke", guard[0], TINY)


def test_checkpoints_of_an_earlier_run_need_resume(base_model: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "checkpoint-5").mkdir(parents=True)
    with pytest.raises(ConfigError, match="add --resume"):
        run("smoke", tmp_path, TINY)


def test_an_unknown_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="task 'poetry'; it should be rewriter or classifier"):
        run("smoke", tmp_path, ["task=poetry"])


def test_a_base_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        run("smoke", tmp_path / "out", [f"base={tmp_path / 'none.gguf'}"])


def test_keeping_out_every_anchor_is_refused(base_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none would be left"):
        run("smoke", tmp_path / "out", ["data.dev=300"])


def test_the_command_names_the_extra_when_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(module: str, *, extra: str) -> None:
        raise MissingExtraError(f"{module} is not installed. Run: pip install 'cpguard[{extra}]'")

    monkeypatch.setattr(train_verb, "require", missing)
    result = CliRunner().invoke(train_verb.command, ["smoke", "--output", str(tmp_path / "out")])
    assert isinstance(result.exception, MissingExtraError)
    assert "cpguard[train]" in str(result.exception)


def test_the_smoke_pairs_are_valid_anchors_with_a_source() -> None:
    from importlib.resources import files

    from cpguard_train.data.schema import Anchor

    lines = (files("cpguard_train") / "data" / "smoke.jsonl").read_text(encoding="utf-8").splitlines()
    anchors = [Anchor.model_validate(json.loads(line)) for line in lines]
    assert len({anchor.id for anchor in anchors}) == 300
    assert all(anchor.source and anchor.negatives for anchor in anchors)
