"""The public surface is a list, and importing it costs little."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

import cpguard

HEAVY = (
    "torch",
    "transformers",
    "peft",
    "onnxruntime",
    "xllamacpp",
    "tokenizers",
    "langchain_core",
    "pydantic",
    "numpy",
    "rich",
    "click",
)


def run(*arguments):
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)


def loaded_after(code):
    """Return the top-level modules that a fresh interpreter has loaded after running the code."""
    names = run("-c", f"{code}\nimport json, sys; print(json.dumps([*sys.modules]))").stdout
    return {name.partition(".")[0] for name in json.loads(names)}


def test_the_public_names_are_sorted_and_are_what_dir_shows():
    assert cpguard.__all__ == sorted(cpguard.__all__)
    assert dir(cpguard) == cpguard.__all__


@pytest.mark.parametrize("name", cpguard.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(cpguard, name) is not None


def test_every_public_class_says_where_it_lives_and_what_it_is():
    for name in set(cpguard.__all__) - {"__version__"}:
        thing = getattr(cpguard, name)
        assert thing.__doc__, name
        assert thing.__module__.startswith("cpguard."), name


def test_the_version_is_the_installed_one():
    assert cpguard.__version__ == version("cpguard")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cpguard' has no attribute 'detoxfy'"):
        _ = cpguard.detoxfy


def test_importing_loads_nothing_heavy(record_property):
    assert loaded_after("import cpguard").isdisjoint(HEAVY)
    # Reported, not asserted: a time depends on the machine.
    trace = run("-X", "importtime", "-c", "import cpguard").stderr
    milliseconds = int(re.search(r"\|\s*(\d+) \|\s*cpguard$", trace, re.MULTILINE)[1]) / 1000
    record_property("import cpguard, ms", milliseconds)
    print(f"import cpguard: {milliseconds:.1f} ms")  # noqa: T201


def test_errors_and_policies_load_neither_torch_nor_langchain():
    loaded = loaded_after("from cpguard import ConfigError, Policy, Scores")

    assert loaded.isdisjoint({"torch", "transformers", "onnxruntime", "xllamacpp", "langchain_core"})
    assert "pydantic" in loaded


def test_importing_every_runtime_module_loads_no_torch():
    code = """
import importlib, pkgutil, cpguard
for module in pkgutil.walk_packages(cpguard.__path__, "cpguard."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""

    assert loaded_after(code).isdisjoint({"torch", "transformers", "peft", "detoxify"})


def test_importing_opens_no_socket_and_changes_no_environment():
    code = """
import os, socket
before = dict(os.environ)
def refuse(*_, **__): raise AssertionError("a socket was opened")
socket.socket.connect = socket.getaddrinfo = refuse
import cpguard
for name in cpguard.__all__: getattr(cpguard, name)
assert dict(os.environ) == before
"""

    run("-c", code)
