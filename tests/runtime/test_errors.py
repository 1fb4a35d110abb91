"""The tree of errors, and that none of them ever quotes the text being guarded."""

from __future__ import annotations

import traceback

import pytest

from cpguard import errors
from cpguard.classifiers.callable import CallableClassifier
from cpguard.errors import BlockedError, CpguardError
from cpguard.protocols import RewriteRequest
from cpguard.results import GuardResult, Scores, SegmentResult
from cpguard.rewriters.callable import CallableRewriter

CANARY = "canary4711"

TREE = {
    "ConfigError": (CpguardError, ValueError),
    "InputError": (CpguardError, TypeError),
    "MissingExtraError": (CpguardError, ImportError),
    "BaseModelError": (CpguardError,),
    "BaseModelMissingError": (errors.BaseModelError,),
    "ClassifierError": (CpguardError,),
    "RewriterError": (CpguardError,),
    "BlockedError": (CpguardError,),
}


def test_the_tree_is_complete():
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == errors.__name__
    }

    assert defined == TREE.keys() | {"CpguardError"}


@pytest.mark.parametrize("name", TREE)
def test_each_error_can_be_caught_as_its_built_in_kind(name):
    assert getattr(errors, name).__bases__ == TREE[name]


@pytest.mark.parametrize("name", [*TREE, "CpguardError"])
def test_each_error_is_drawn_in_the_module_and_documented(name):
    assert name in errors.__doc__
    assert getattr(errors, name).__doc__


def blocked():
    scores = Scores(toxicity=0.9, threat=0.8)
    segment = SegmentResult(start=0, end=10, scores=scores, categories=("threat",), action="raise")
    return GuardResult(
        text="[removed]", changed=True, action="raise", categories=("threat", "insult"), segments=(segment,)
    )


def test_a_blocked_error_carries_the_result_and_names_the_categories():
    error = BlockedError(blocked())

    assert str(error) == "the policy raises on: threat, insult"
    assert error.result.text == "[removed]"


def test_a_blocked_error_without_categories_still_says_something():
    assert str(BlockedError(GuardResult(text="", changed=True))) == "the policy raises on: flagged"


def raise_with_text(value):
    raise ValueError(f"bad input: {value}")


FAILURES = {
    "a classifier function that raises": lambda: CallableClassifier(raise_with_text).classify([CANARY]),
    "a classifier function that returns its input": lambda: CallableClassifier(list).classify([CANARY]),
    "a classifier function with a category of its own": lambda: CallableClassifier(
        lambda texts: [{text: 0.5} for text in texts]
    ).classify([CANARY]),
    "a rewriter function that raises": lambda: CallableRewriter(raise_with_text).rewrite(
        [RewriteRequest(text=CANARY)]
    ),
    "a rewriter function that returns something else": lambda: CallableRewriter(str.encode).rewrite(
        [RewriteRequest(text=CANARY)]
    ),
    "a torch classifier whose tokenizer quotes its input": lambda: torch_batches().highest([CANARY], None),
}


def torch_batches():
    """Batches whose tokenizer fails and quotes the text, as the Rust tokenizers do."""
    pytest.importorskip("torch", reason="needs the extra cpguard[torch]")
    from types import SimpleNamespace

    from cpguard.classifiers._torch_batches import TorchBatches

    class Tokenizer:
        is_fast = True
        pad_token = "[PAD]"
        model_max_length = 512

        def __call__(self, texts, **_):
            raise TypeError(f"cannot encode {texts}")

    config = SimpleNamespace(model_type="bert", max_position_embeddings=512)
    model = SimpleNamespace(config=config, train=lambda mode: None)
    return TorchBatches(model, Tokenizer())


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES.keys())
def test_no_failure_quotes_the_text_anywhere_in_its_traceback(fail):
    with pytest.raises(CpguardError) as caught:
        fail()

    # The chain as well: what logging prints with exc_info.
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_no_repr_of_a_request_or_result_quotes_the_text():
    request = RewriteRequest(text=CANARY, context=CANARY)
    result = GuardResult(text=CANARY, changed=False)

    assert CANARY not in repr(request) + repr(result) + str(request) + str(result)
