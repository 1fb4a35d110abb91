from __future__ import annotations

import json
import sys

import pytest

from cpguard import MissingExtraError
from cpguard._extras import require


def test_an_installed_module_is_returned():
    assert require("json", extra="torch") is json


def test_a_missing_module_names_itself_and_the_command_that_installs_it():
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_module", extra="torch")

    message = str(caught.value)
    assert message.startswith("no_such_module is not installed")
    assert "pip install 'cpguard[torch]'" in message


def test_it_can_be_caught_as_an_import_error():
    with pytest.raises(ImportError):
        require("no_such_module", extra="torch")


def test_a_dependency_that_the_module_lacks_is_the_one_named(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import its_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MissingExtraError, match="its_dependency is not installed"):
        require("half_installed", extra="detoxify")


def test_an_error_inside_the_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "broken_extra.py").write_text("raise RuntimeError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(RuntimeError, match="broken"):
        require("broken_extra", extra="detoxify")
    assert "broken_extra" not in sys.modules
