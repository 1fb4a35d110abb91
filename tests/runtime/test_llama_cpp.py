"""The llama.cpp engine on the real base model: answers, bounds, quiet, private, forks and exits cleanly."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpguard.errors import ConfigError, RewriterError
from cpguard.rewriters import llama_cpp
from cpguard.rewriters._cpus import default_threads, usable_cpus
from cpguard.rewriters.llama_cpp import LlamaCppEngine

# <|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n
HELLO = [1, 4093, 198, 19556, 2, 198, 1, 520, 9531, 198]


@pytest.fixture(scope="module")
def engine(base_model: Path) -> Iterator[LlamaCppEngine]:
    pytest.importorskip("xllamacpp")
    engine = LlamaCppEngine(base_model, slots=4, slot_tokens=256)
    yield engine
    engine.close()


def run_script(base_model: Path, body: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("xllamacpp")
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys, threading\nfrom pathlib import Path\n"
        "from cpguard.rewriters.llama_cpp import LlamaCppEngine\n"
        f"HELLO = {HELLO}\nengine = LlamaCppEngine(Path({str(base_model)!r}), slots=2, slot_tokens=128)\n"
        + body
    )
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )


def test_greedy_completions_come_in_the_order_of_the_prompts(engine: LlamaCppEngine) -> None:
    alone = [engine.complete([p], max_tokens=6)[0] for p in (HELLO, HELLO[:4], HELLO[:1])]
    assert alone[0] == ["Hello."]
    assert engine.complete([HELLO, HELLO[:4], HELLO[:1]], max_tokens=[6, 6, 6]) == alone


def test_more_samples_than_slots_are_drawn_and_the_seed_repeats_them(engine: LlamaCppEngine) -> None:
    drawn = engine.complete([HELLO], n=5, temperature=1.5, max_tokens=8, seed=7)
    assert [len(texts) for texts in drawn] == [5]
    assert len(set(drawn[0])) > 1
    assert engine.complete([HELLO], n=5, temperature=1.5, max_tokens=8, seed=7) == drawn


def test_at_temperature_zero_one_completion_is_made(engine: LlamaCppEngine) -> None:
    assert engine.complete([HELLO], n=3, max_tokens=6) == [["Hello."]]


def test_a_stop_string_ends_the_completion_and_is_left_out(engine: LlamaCppEngine) -> None:
    assert engine.complete([HELLO], max_tokens=6, stop=["lo"]) == [["Hel"]]


def test_no_prompts_give_no_completions(engine: LlamaCppEngine) -> None:
    assert engine.complete([], max_tokens=6) == []


@pytest.mark.parametrize("prompt", [[], [1] * 251])
def test_a_prompt_that_does_not_fit_is_refused_before_the_call(
    engine: LlamaCppEngine, prompt: list[int]
) -> None:
    with pytest.raises(RewriterError, match=f"a prompt has {len(prompt)} tokens; .* between 1 and 250"):
        engine.complete([prompt], max_tokens=6)


def test_an_unknown_token_id_is_an_error_and_the_engine_stays_usable(engine: LlamaCppEngine) -> None:
    with pytest.raises(RewriterError, match="refused a request: invalid_request_error"):
        engine.complete([[999_999]], max_tokens=6)
    assert engine.complete([HELLO], max_tokens=6) == [["Hello."]]


def test_many_threads_load_the_model_once(base_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xllamacpp = pytest.importorskip("xllamacpp")
    started: list[object] = []
    server = xllamacpp.Server
    monkeypatch.setattr(xllamacpp, "Server", lambda params: started.append(params) or server(params))
    engine = LlamaCppEngine(base_model, slots=2, slot_tokens=64)
    answers: list[list[list[str]]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(engine.complete([HELLO], max_tokens=6)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.close()
    assert len(started) == 1
    assert answers == [[["Hello."]]] * 8


def test_a_closed_engine_loads_again(base_model: Path) -> None:
    pytest.importorskip("xllamacpp")
    engine = LlamaCppEngine(base_model, slots=1, slot_tokens=64)
    engine.load()
    engine.close()
    assert engine.complete([HELLO], max_tokens=6) == [["Hello."]]
    engine.close()
    engine.close()


def test_missing_and_broken_files_are_typed_errors(tmp_path: Path, base_model: Path) -> None:
    pytest.importorskip("xllamacpp")
    with pytest.raises(RewriterError, match="there is no GGUF file at"):
        LlamaCppEngine(tmp_path / "none.gguf").load()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(base_model.read_bytes()[:100_000])
    with pytest.raises(RewriterError, match=r"could not load .*broken\.gguf"):
        LlamaCppEngine(broken, slots=1, slot_tokens=64).load()
    with pytest.raises(RewriterError, match=r"with adapter .*broken\.gguf"):
        LlamaCppEngine(base_model, broken, slots=1, slot_tokens=64).load()


def test_without_xllamacpp_the_error_names_the_other_rewriters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(RewriterError, match="use the rewriter 'peft:<guard dir>' or 'mask'"):
        llama_cpp.import_engine()


def test_nothing_is_printed_and_exit_is_clean_even_while_completing(base_model: Path, tmp_path: Path) -> None:
    done = run_script(
        base_model,
        "import ctypes; ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))  # as if in a cycle\n"
        "engine.load()\n"
        "threading.Thread(target=engine.complete, args=([HELLO] * 4,), kwargs={'max_tokens': 50},"
        " daemon=True).start()\n"
        "threading.Event().wait(0.2)\n",
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's socket tables")
def test_nobody_can_connect_to_the_engine(base_model: Path, tmp_path: Path) -> None:
    done = run_script(
        base_model,
        "engine.load()\n"
        "links = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')"
        " if os.path.islink(f'/proc/self/fd/{fd}')]\n"
        "own = {link[8:-1] for link in links if link.startswith('socket:[')}\n"
        "tcp = [line.split() for table in ('tcp', 'tcp6') for line in open(f'/proc/net/{table}')]\n"
        "unix = [line.split() for line in open('/proc/net/unix')]\n"
        "print([row for row in tcp if len(row) > 9 and row[9] in own])\n"
        "print([os.path.exists(row[7]) for row in unix if row[6] in own])\n",
        tmp_path,
    )
    assert done.stdout.splitlines() == ["[]", "[False]"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_parent_and_forked_child_both_complete_and_exit(base_model: Path, tmp_path: Path) -> None:
    done = run_script(
        base_model,
        "print(engine.complete([HELLO], max_tokens=6), flush=True)\n"
        "child = os.fork()\n"
        "print(engine.complete([HELLO], max_tokens=6), flush=True)\n"
        "if child == 0:\n    sys.exit(3)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n",
        tmp_path,
    )
    # The two processes print at once: lines may share a newline, but the exit code comes last.
    assert done.stdout.replace("\n", "") == "[['Hello.']]" * 3 + "3"
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_are_half_of_the_usable_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CPGUARD_THREADS", raising=False)
    for cpus, threads in ((1, 1), (2, 1), (4, 2), (8, 4), (64, 4)):
        monkeypatch.setattr("cpguard.rewriters._cpus.usable_cpus", lambda cpus=cpus: cpus)
        assert default_threads() == threads


def test_a_setting_overrides_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPGUARD_THREADS", "3")
    assert default_threads() == 3
    monkeypatch.setenv("CPGUARD_THREADS", "0")
    with pytest.raises(ConfigError, match="CPGUARD_THREADS must be a number of at least 1"):
        default_threads()


def test_a_container_quota_bounds_the_cpus(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    free = usable_cpus(tmp_path / "none")
    quota.write_text("max 100000\n")
    assert usable_cpus(quota) == free
    quota.write_text("100000 100000\n")
    assert usable_cpus(quota) == 1
    quota.write_text("50000 100000\n")
    assert usable_cpus(quota) == 1
