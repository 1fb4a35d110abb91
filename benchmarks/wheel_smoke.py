"""Build the wheel, install it in a bare environment, and use it from the root directory.

    python benchmarks/wheel_smoke.py [--train]

With --train, the `train` extra is installed too and `cpguard train smoke` is run. Prints each step and
stops at the first that fails.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = "{'torch', 'langchain_core', 'onnxruntime', 'pydantic'}"
LIGHT = f"import cpguard, sys; assert not {HEAVY} & set(sys.modules)"
EXPECTED = (
    "cpguard/py.typed",
    "cpguard/assets/toxicity-en/model.onnx",
    "cpguard/assets/detox-en/adapter.gguf",
    "cpguard/assets/detox-en/guard.json",
    "cpguard_train/recipes/smoke.yaml",
    "cpguard_train/data/smoke.jsonl",
    "cpguard_train/data/sources.py",
    "cpguard_integrations/__init__.py",
)


def step(name: str, *command: str | Path) -> str:
    """Run one command from the root directory and return what it printed."""
    start = time.perf_counter()
    done = subprocess.run(
        [str(part) for part in command], cwd="/", capture_output=True, text=True, check=False
    )
    print(
        f"{'ok  ' if done.returncode == 0 else 'FAIL'} {time.perf_counter() - start:6.1f} s  {name}",
        flush=True,
    )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return done.stdout.strip()


def check_files(wheel: Path) -> None:
    """Stop if a file that must ship is missing, or a generic top-level name slipped in."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    missing = [name for name in EXPECTED if name not in names]
    tops = {name.split("/")[0] for name in names} - {"cpguard", "cpguard_train", "cpguard_integrations"}
    if missing or any(not top.endswith(".dist-info") for top in tops):
        sys.exit(f"wheel is wrong: missing {missing}, top level {sorted(tops)}")


def main() -> None:
    """Build, install and run."""
    train = "--train" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        tmp = Path(folder)
        step("build the wheel", sys.executable, "-m", "build", "--wheel", "--outdir", tmp, ROOT)
        (wheel,) = tmp.glob("*.whl")
        check_files(wheel)
        print(f"     {wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
        step("make a bare environment", sys.executable, "-m", "venv", tmp / "venv")
        python, cpguard = tmp / "venv/bin/python", tmp / "venv/bin/cpguard"
        step("install it", python, "-m", "pip", "install", "--quiet", f"{wheel}[train]" if train else wheel)
        step("import without torch or LangChain", python, "-c", LIGHT)
        print("    ", step("cpguard --version", cpguard, "--version"))
        print("    ", step("cpguard rewrite", cpguard, "rewrite", "You idiot, the meeting starts at 3 pm."))
        if train:
            step("cpguard train smoke", cpguard, "train", "smoke", "--output", tmp / "guard")
            toxic = "This is a stupid plan, and it will cost us $300."
            print("    ", step("use the guard", cpguard, "rewrite", "--guard", tmp / "guard", toxic))


if __name__ == "__main__":
    main()
