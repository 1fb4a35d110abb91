"""Our own store of base models: one verified file each, put there whole or not at all."""

from __future__ import annotations

import http.client
import os
import shutil
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cpguard.errors import BaseModelError
from cpguard.models import checksum
from cpguard.models.spec import BaseModelSpec

_SPARE = 16 * 2**20  # bytes that must stay free


class CacheWriteError(BaseModelError):
    """The cache cannot be written: another source would not help."""


def directory() -> Path:
    """Return where base models are kept: CPGUARD_CACHE, else the user's cache directory."""
    given = os.environ.get("CPGUARD_CACHE")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("cpguard", appauthor=False))


def path_of(spec: BaseModelSpec) -> Path:
    """Return where a base model is, or would be, in the cache."""
    return directory() / f"{spec.name}.gguf"


def store(source: IO[bytes], spec: BaseModelSpec) -> Path:
    """Copy a base model into the cache and return its path; call it under `lock`.

    The copy has its own name until it is complete, verified and on disk, so that a killed process, a
    full disk or a wrong file never leaves a bad model behind.

    Raises:
        BaseModelError: If the bytes cannot be read or are not the model.
        CacheWriteError: If they cannot be written.
    """
    target = path_of(spec)
    part = target.with_suffix(f".part-{os.getpid()}")
    try:
        with part.open("wb") as file:
            while chunk := _read(source):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        checksum.check(part, spec)
        part.replace(target)
    except OSError as exc:
        raise CacheWriteError(
            f"cannot write {target}: {exc.strerror or exc}. Free {_mebibytes(spec.size)} there, or "
            "set CPGUARD_CACHE to another directory"
        ) from exc
    finally:
        part.unlink(missing_ok=True)
    checksum.check(target, spec, memory=directory())
    return target


def _read(source: IO[bytes]) -> bytes:
    try:
        return source.read(2**20)
    except (OSError, EOFError, http.client.HTTPException, zipfile.BadZipFile, zlib.error) as exc:
        raise BaseModelError(f"the download broke off or is damaged: {type(exc).__name__}") from exc


def require_space(folder: Path, needed: int) -> None:
    """Make sure that a file of `needed` bytes fits, before anything is fetched.

    Raises:
        CacheWriteError: If it does not fit.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        raise CacheWriteError(
            f"{folder} has {_mebibytes(free)} free and {_mebibytes(needed + _SPARE)} are needed. Free some, "
            "or set CPGUARD_CACHE (the model) or TMPDIR (the download) to another directory"
        )


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"


@contextmanager
def lock(spec: BaseModelSpec) -> Iterator[None]:
    """Hold the right to write a base model, across processes; the system frees it if this one dies.

    Also clears the part files that killed processes left.

    Raises:
        CacheWriteError: If the cache directory cannot be written.
    """
    folder = directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f".{spec.name}.lock").open("a+b")
    except OSError as exc:
        raise CacheWriteError(
            f"cannot write to {folder}: {exc.strerror or exc}. Set CPGUARD_CACHE to another directory"
        ) from exc
    with file:
        _acquire(file)
        for part in folder.glob(f"{spec.name}.part-*"):
            part.unlink(missing_ok=True)
        yield  # closing the file frees the lock


if sys.platform == "win32":
    import msvcrt

    def _acquire(file: IO[bytes]) -> None:
        while True:
            try:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError:
                time.sleep(0.2)
            else:
                return

else:
    import fcntl

    def _acquire(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)
