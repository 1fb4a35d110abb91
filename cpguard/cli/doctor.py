"""`cpguard doctor`: what works on this machine, what does not, and the command that mends it."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version

import click
from pydantic import BaseModel, ConfigDict

from cpguard import models
from cpguard.errors import ConfigError, CpguardError
from cpguard.rewriters.embedded import torch_available

_FAILURE = 3
_IMPORT_SECONDS = 60


class Check(BaseModel):
    """One thing that was looked at.

    Attributes:
        name: What it is.
        ok: Whether it works.
        needed: Whether the embedded default needs it.
        detail: A version, a path, or why it does not work and what mends it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool
    needed: bool
    detail: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(as_json: bool) -> None:
    """Say what works here; exit with 0 if the embedded default does, else with 3."""
    checks = list(examine())
    works = all(check.ok for check in checks if check.needed)
    report = Report(system=_system(), checks=checks, works=works, summary=_summary(checks))
    click.echo(report.model_dump_json(indent=2) if as_json else "\n".join(_lines(report)))
    sys.exit(0 if works else _FAILURE)


class Report(BaseModel):
    """Everything that was looked at, and what follows from it."""

    system: dict[str, str]
    checks: list[Check]
    works: bool
    summary: str


def examine() -> Iterator[Check]:
    """Yield every check, the dependencies first."""
    for package, extras in _requirements().items():
        yield _package(package, extras)
    yield _try("onnxruntime loads", partial(_loads, "onnxruntime"))
    # Without llama.cpp the embedded default runs on torch, where that is installed.
    yield _try("xllamacpp loads", partial(_loads, "xllamacpp"), needed=not torch_available())
    yield _try("base model", _base_model)
    yield _try("embedded classifier", _classifier)
    yield _try("embedded adapter", _adapter)


def _try(name: str, look: Callable[[], str], *, needed: bool = True) -> Check:
    try:
        return Check(name=name, ok=True, needed=needed, detail=look())
    except CpguardError as exc:
        return Check(name=name, ok=False, needed=needed, detail=str(exc))


def _requirements() -> dict[str, list[str]]:
    """Return the packages that cpguard declares, each with the extras that ask for it; none for the core."""
    found: dict[str, list[str]] = {}
    for line in requires("cpguard") or ():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name and name[0] != "cpguard":
            found.setdefault(name[0], []).extend(re.findall(r"extra == ['\"]([^'\"]+)['\"]", line))
    return found


def _package(package: str, extras: list[str]) -> Check:
    label = f"{package} [{', '.join(extras)}]" if extras else package
    # xllamacpp has no wheel for some platforms; whether it loads is a check of its own.
    needed = not extras and package != "xllamacpp"
    try:
        return Check(name=label, ok=True, needed=needed, detail=version(package))
    except PackageNotFoundError:
        target = f"'cpguard[{extras[0]}]'" if extras else package
        return Check(name=label, ok=False, needed=needed, detail=f"not installed; pip install {target}")


def _loads(module: str) -> str:
    """Import a native module in another process, where a crash is only an exit code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_IMPORT_SECONDS,
        check=False,
    )
    if done.returncode == 0:
        return "yes"
    if done.returncode < 0:
        raise ConfigError(
            f"importing it ended with signal {-done.returncode}; the CPU may be too old for its wheel"
        )
    lines = done.stderr.strip().splitlines() or ["no output"]
    hint = "; apt-get install libgomp1" if "libgomp" in lines[-1] else ""
    raise ConfigError(f"{lines[-1]}{hint}")


def _base_model() -> str:
    return str(models.resolve())


def _classifier() -> str:
    from cpguard.registry import load_classifier

    load_classifier("embedded").classify(["Good morning."])
    return "loaded and asked"


def _adapter() -> str:
    from cpguard.rewriters.gguf import BUNDLED, guard_files

    files = guard_files(BUNDLED)
    return f"{files.adapter} on {files.spec.name}"


def _system() -> dict[str, str]:
    return {
        "cpguard": version("cpguard"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "offline": "yes, CPGUARD_OFFLINE forbids pulling" if models.offline() else "no",
    }


def _summary(checks: list[Check]) -> str:
    broken = [check.name for check in checks if check.needed and not check.ok]
    wanted: dict[str, bool] = {}
    for package, extras in _requirements().items():
        for extra in extras:
            wanted[extra] = wanted.get(extra, True) and _package(package, extras).ok
    complete = sorted(extra for extra, ok in wanted.items() if ok)
    more = f"; extras complete: {', '.join(complete) or 'none'}"
    if not broken:
        return f"the embedded guard works{more}"
    return f"the embedded guard does not work yet ({', '.join(broken)}){more}"


def _lines(report: Report) -> Iterator[str]:
    yield from (f"{name:<12} {value}" for name, value in report.system.items())
    for check in report.checks:
        mark = "ok" if check.ok else "MISSING" if check.needed else "-"
        yield f"{mark:<8} {check.name:<28} {check.detail}"
    yield report.summary
