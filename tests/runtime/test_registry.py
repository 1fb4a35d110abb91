from __future__ import annotations

import sys

import pytest

from cpguard import ConfigError
from cpguard.registry import BUILT_IN, available, load_classifier, load_rewriter

TOY = """
from cpguard.testing import FakeClassifier, FakeRewriter


class Toy(FakeClassifier):
    def __init__(self, argument):
        super().__init__(argument.split(",") if argument else ["darn"])


def rewriter(argument):
    return FakeRewriter(lambda text: text.replace("darn", argument or "very"))


def wrong(argument):
    return argument
"""
ENTRY_POINTS = """
[cpguard.classifiers]
toy = cpguard_toy:Toy
wrong = cpguard_toy:wrong
broken = cpguard_toy:no_such_factory
embedded = cpguard_toy:Toy

[cpguard.rewriters]
toy = cpguard_toy:rewriter
wrong = cpguard_toy:wrong
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package that another project might publish, installed for one test."""
    info = tmp_path / "cpguard_toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cpguard-toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "cpguard_toy.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("cpguard_toy", None)


def test_the_built_in_classifiers_and_rewriters_are_listed():
    assert set(available("classifier")) >= {"embedded", "detoxify", "hf"}
    assert set(available("rewriter")) >= {"embedded", "gguf", "mask", "peft"}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in BUILT_IN.items() for name in names]
)
def test_every_built_in_is_a_factory_that_can_be_imported(kind, name):
    assert callable(available(kind)[name].load())


def test_listing_imports_no_third_party(toy):
    assert "toy" in available("classifier")
    assert "cpguard_toy" not in sys.modules


def test_a_third_party_classifier_is_loaded_by_name(toy):
    scores = load_classifier("toy").classify(["darn it", "fine"])

    assert [s.toxicity for s in scores] == [0.99, 0.0]


def test_all_after_the_first_colon_is_the_argument(toy):
    scores = load_classifier("toy:blast,a:b").classify(["blast", "a:b", "darn"])

    assert [s.toxicity for s in scores] == [0.99, 0.99, 0.0]


def test_a_third_party_rewriter_is_loaded_by_name(toy):
    from cpguard import RewriteRequest

    assert load_rewriter("toy:quite").rewrite([RewriteRequest(text="darn good")]) == [["quite good"]]


def test_a_third_party_cannot_replace_a_built_in(toy):
    assert available("classifier")["embedded"].value == BUILT_IN["classifier"]["embedded"]


@pytest.mark.parametrize("load", [load_classifier, load_rewriter])
def test_a_factory_that_returns_something_else_is_an_error(toy, load):
    with pytest.raises(ConfigError, match=r"'wrong:x' is a str, which has no `(classify|rewrite)`"):
        load("wrong:x")


def test_a_third_party_that_cannot_be_loaded_is_named(toy):
    with pytest.raises(ConfigError, match=r"classifier 'broken' cannot be loaded from cpguard_toy:no_such"):
        load_classifier("broken")


def test_an_unknown_classifier_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown classifier 'detoxfy'.*Did you mean 'detoxify'\?"):
        load_classifier("detoxfy:original")


def test_an_unknown_rewriter_lists_the_known():
    with pytest.raises(ConfigError, match=r"unknown rewriter 'zzz'. Known: embedded, gguf, mask, peft"):
        load_rewriter("zzz")


@pytest.mark.parametrize("spec", ["", ":argument"])
def test_an_empty_name_is_unknown(spec):
    with pytest.raises(ConfigError, match="unknown classifier ''"):
        load_classifier(spec)
