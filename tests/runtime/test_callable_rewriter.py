from __future__ import annotations

import doctest

import pytest

from cpguard import ConfigError, RewriteRequest, RewriterError
from cpguard.rewriters import callable as module
from cpguard.rewriters.callable import CallableRewriter
from cpguard.testing import RewriterConformance

CANARY = "canary-4711 you idiot"


def soften(text):
    return text.replace("stupid", "unwise")


def rewrite(function, text="This is stupid."):
    return CallableRewriter(function).rewrite([RewriteRequest(text=text)])


class TestAFunctionConforms(RewriterConformance):
    @pytest.fixture
    def rewriter(self):
        return CallableRewriter(soften)


def test_a_string_is_one_candidate():
    assert rewrite(soften) == [["This is unwise."]]


def test_none_is_no_candidate():
    assert rewrite(lambda text: None) == [[]]


@pytest.mark.parametrize("returned", [["a", "b"], ("a", "b")])
def test_a_list_is_several_candidates_best_first(returned):
    assert rewrite(lambda text: returned) == [["a", "b"]]


def test_each_request_is_answered_in_order():
    requests = [RewriteRequest(text="stupid"), RewriteRequest(text="clever")]

    assert CallableRewriter(soften).rewrite(requests) == [["unwise"], ["clever"]]


@pytest.mark.parametrize("returned", [1, b"a", ["a", None], {"a": 1}])
def test_anything_else_is_an_error(returned):
    with pytest.raises(RewriterError, match=r"must be like"):
        rewrite(lambda text: returned)


def test_what_it_raises_becomes_a_rewriter_error_with_the_place_but_without_the_text():
    def quote(text):
        raise RuntimeError(f"cannot rewrite {text}")

    with pytest.raises(RewriterError, match=r"RuntimeError at .*test_callable_rewriter\.py:\d+") as caught:
        rewrite(quote, CANARY)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_async_function_is_refused_when_it_is_given():
    async def later(text):
        return text

    with pytest.raises(ConfigError, match=r"a rewriter function must be a plain function .* not async"):
        CallableRewriter(later)


def test_something_that_cannot_be_called_is_refused():
    with pytest.raises(ConfigError, match=r"must be callable .* got int"):
        CallableRewriter(3)


def test_the_example_in_the_documentation_runs():
    assert doctest.testmod(module) == (0, 2)
