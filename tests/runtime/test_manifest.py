from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from cpguard import ConfigError, Policy
from cpguard.manifest import DEFAULT_PROMPT, MANIFEST_NAME, BaseModelRef, Generation, GuardManifest

BASE = BaseModelRef(name="tiny", sha256="0" * 64)


def write(directory, **changes):
    content = {"base": {"name": "tiny", "sha256": "0" * 64}, **changes}
    (directory / MANIFEST_NAME).write_text(json.dumps(content), encoding="utf-8")
    return directory


def test_what_is_written_is_read_back(tmp_path):
    manifest = GuardManifest(
        base=BASE,
        prompt="Rewrite: {source}\n",
        generation=Generation(max_new_tokens=32, stop="</s>"),
        policy=Policy(thresholds={"insult": 0.4}, actions={"threat": "block"}),
        objective={"name": "contrastive_perplexity", "tau": 0.5, "detach": True, "seed": None},
        metrics={"joint": 0.71},
        data=[{"name": "ParaDetox", "licence": "OpenRAIL++", "rows": 100}],
    )

    path = manifest.write(tmp_path)

    assert path == tmp_path / "guard.json"
    assert GuardManifest.read(tmp_path) == manifest


def test_only_the_base_must_be_given(tmp_path):
    manifest = GuardManifest.read(write(tmp_path))

    assert manifest == GuardManifest(base=BASE)
    assert (manifest.schema_version, manifest.prompt, manifest.policy) == (1, DEFAULT_PROMPT, Policy())


def test_text_of_any_language_survives(tmp_path):
    GuardManifest(base=BASE, prompt="Переформулируй: {source}").write(tmp_path)

    assert GuardManifest.read(tmp_path).prompt == "Переформулируй: {source}"


def test_a_directory_without_it_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match=r"has no guard\.json.*cpguard train smoke --output DIR"):
        GuardManifest.read(tmp_path)


def test_a_file_or_nothing_in_its_place_says_the_same(tmp_path):
    (tmp_path / "file").write_text("")

    for place in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match="is not a guard directory"):
            GuardManifest.read(place)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}"])
def test_broken_json_is_a_configuration_error(tmp_path, content):
    (tmp_path / MANIFEST_NAME).write_bytes(content)

    with pytest.raises(ConfigError, match="is not valid JSON"):
        GuardManifest.read(tmp_path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"schema_version": 2}, "schema_version: Input should be 1"),
        ({"base": {"name": "tiny"}}, r"base\.sha256: Field required"),
        ({"base": {"name": "tiny", "sha256": "ABC"}}, r"base\.sha256: String should match"),
        ({"policy": {"thresholds": {"insult": 2.0}}}, r"policy\.thresholds: .*insult must be in \(0, 1\]"),
        ({"policy": {"thresholds": {"rage": 0.5}}}, r"policy\.thresholds\.rage"),
        ({"generation": {"max_new_tokens": 0}}, r"generation\.max_new_tokens"),
        ({"metrics": {"joint": "high"}}, r"metrics\.joint"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, changes, problem):
    with pytest.raises(ConfigError, match=rf"does not match schema version 1: .*{problem}"):
        GuardManifest.read(write(tmp_path, **changes))


def test_a_list_is_no_manifest(tmp_path):
    (tmp_path / MANIFEST_NAME).write_text("[]")

    with pytest.raises(ConfigError, match="does not match schema version 1"):
        GuardManifest.read(tmp_path)


def test_it_cannot_be_changed_in_place():
    with pytest.raises(ValidationError, match="frozen"):
        GuardManifest(base=BASE).prompt = "other"
