from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from cpguard.errors import BaseModelError, ConfigError, MissingExtraError
from cpguard.manifest import BaseModelRef, Generation, GuardManifest
from cpguard.protocols import Rewriter, RewriteRequest
from cpguard.rewriters import peft as peft_rewriter
from cpguard.rewriters.peft import PeftRewriter, check_base, load

torch = pytest.importorskip("torch")
WORDS = ["<|im_end|>", "say", ":", *(f"w{n}" for n in range(20))]
SHA = "ab" * 32


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token=":"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def model() -> Any:
    """A tiny model with random weights: it says nothing sensible, but repeatably and in batches."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.5,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def rewriter(model: Any, tokenizer: Path) -> PeftRewriter:
    return PeftRewriter(model, tokenizer, "say : {source}", Generation(max_new_tokens=8))


def test_it_is_a_rewriter_and_answers_every_request_in_order(rewriter: PeftRewriter) -> None:
    assert isinstance(rewriter, Rewriter)
    texts = ["w1 w2 w3", "w4", "w5 w6", "w4"]
    answers = rewriter.rewrite([RewriteRequest(text=text) for text in texts])
    assert [len(candidates) for candidates in answers] == [1, 1, 1, 1]
    assert answers[1] == answers[3]
    assert rewriter.rewrite([]) == []


def test_a_batch_says_what_each_text_alone_says(rewriter: PeftRewriter) -> None:
    requests = [RewriteRequest(text=text) for text in ("w1 w2 w3 w7 w8", "w4", "w5 w6")]
    assert rewriter.rewrite(requests) == [rewriter.rewrite([request])[0] for request in requests]


def test_sampling_gives_n_candidates_that_depend_on_the_seed(rewriter: PeftRewriter) -> None:
    def sample(seed: int) -> list[str]:
        request = RewriteRequest(text="w1 w2", n=4, temperature=1.5, seed=seed)
        return rewriter.rewrite([request, RewriteRequest(text="w3")])[0]

    assert len(sample(1)) == 4
    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


def test_the_end_token_ends_a_rewrite_and_is_not_in_it(rewriter: PeftRewriter) -> None:
    assert rewriter._decode([4, 5, 0, 6]) == "w1 w2"


def test_sampling_leaves_the_callers_random_state_alone(rewriter: PeftRewriter) -> None:
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    rewriter.rewrite([RewriteRequest(text="w1", n=2, temperature=1.0)])
    assert torch.equal(torch.rand(1), expected)


def test_a_stop_string_that_is_no_token_is_refused(model: Any, tokenizer: Path) -> None:
    with pytest.raises(ConfigError, match=r"generation\.stop is '</s>'"):
        PeftRewriter(model, tokenizer, "{source}", Generation(stop="</s>"))


def test_another_base_model_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"not the one")
    manifest = GuardManifest(base=BaseModelRef(name="right", sha256=SHA))
    with pytest.raises(BaseModelError, match=r"trained on right .*cpguard models pull"):
        check_base(other, manifest)


def test_a_directory_that_is_no_guard_or_is_incomplete_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a guard directory"):
        load(str(tmp_path))
    GuardManifest(base=BaseModelRef(name="right", sha256=SHA)).write(tmp_path)
    with pytest.raises(ConfigError, match="has no adapter; train the guard again"):
        load(str(tmp_path))


def test_without_torch_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(module: str, *, extra: str) -> None:
        raise MissingExtraError(f"{module}: pip install 'cpguard[{extra}]'")

    monkeypatch.setattr(peft_rewriter, "require", missing)
    with pytest.raises(MissingExtraError, match=r"cpguard\[torch\]"):
        load(str(tmp_path))


@pytest.fixture(scope="module")
def embedded(base_model: Path) -> PeftRewriter:
    pytest.importorskip("peft")
    return load(str(Path(peft_rewriter.__file__).parents[1] / "assets" / "detox-en"))


def test_the_embedded_adapter_rewrites_on_torch(embedded: PeftRewriter) -> None:
    sources = ["You idiot, the meeting is at 3 pm.", "This is fucking stupid."]
    for source, (rewrite,) in zip(
        sources, embedded.rewrite([RewriteRequest(text=text) for text in sources]), strict=True
    ):
        assert rewrite
        assert rewrite != source
        assert not {"idiot", "fucking", "stupid"} & set(
            rewrite.lower().replace(",", " ").replace(".", " ").split()
        )
