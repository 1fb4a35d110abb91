from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from cpguard.errors import ConfigError
from cpguard_train.config import Lora, Members, RewriterRecipe
from cpguard_train.data.schema import Anchor
from cpguard_train.model import add_lora
from cpguard_train.trainer import Visits, build_trainer, draw, encode

WORDS = ["<|im_end|>", "<|im_start|>", "fix", ":", *(f"w{n}" for n in range(30))]
ANCHORS = [
    Anchor(
        id=str(n),
        source=f"w{n} w{n + 1} w{n + 2}",
        positives=(f"w{n} w{n + 2}", f"w{n + 2}"),
        negatives=(f"w{n} w{n + 1}", f"w{n + 1}", "w0"),
    )
    for n in range(12)
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token=":"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def recipe(**training: object) -> RewriterRecipe:
    return RewriterRecipe.model_validate(
        {
            "name": "tiny",
            "prompt": "fix : {source}",
            "lora": {"r": 2, "alpha": 4},
            "training": {
                "steps": 6,
                "batch_size": 2,
                "learning_rate": 0.05,
                "checkpoint_every": 3,
                "log_every": 2,
                **training,
            },
        }
    )


def tiny_model() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.5,
    )
    return add_lora(LlamaForCausalLM(config), Lora(r=2, alpha=4), seed=1)


def weights(model: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])


def trained(
    tokenizer: Tokenizer,
    folder: Path,
    settings: RewriterRecipe,
    lines: list[str] | None = None,
    resume: bool = False,
) -> Any:
    model = tiny_model()
    visits = Visits(ANCHORS, tokenizer, settings)
    say = lines.append if lines is not None else lambda line: None
    build_trainer(model, visits, settings, folder, say, pad_id=0).train(resume_from_checkpoint=resume or None)
    return model


def test_training_lowers_the_positives_and_widens_the_gap(tokenizer: Tokenizer, tmp_path: Path) -> None:
    lines: list[str] = []
    trained(tokenizer, tmp_path, recipe(steps=60, batch_size=6, log_every=10), lines)
    first, last = lines[0].split(), lines[-1].split()
    positives, negatives = first.index("positives") + 1, first.index("negatives") + 1
    assert float(last[positives]) < float(first[positives])
    gaps = [float(line[negatives]) - float(line[positives]) for line in (first, last)]
    assert gaps[1] > gaps[0] + 0.3


def test_progress_says_step_loss_pace_and_time_left(tokenizer: Tokenizer, tmp_path: Path) -> None:
    lines: list[str] = []
    trained(tokenizer, tmp_path, recipe(), lines)
    assert [line.split()[1] for line in lines] == ["1/6", "2/6", "4/6", "6/6"]
    assert "loss" in lines[0]
    assert "s/step" in lines[0]
    assert lines[-1].endswith("0:00 left")


def test_a_resumed_run_ends_with_the_same_weights(tokenizer: Tokenizer, tmp_path: Path) -> None:
    whole = trained(tokenizer, tmp_path / "run", recipe())
    for late in (tmp_path / "run").glob("checkpoint-6"):
        late.rename(tmp_path / "away")
    resumed = trained(tokenizer, tmp_path / "run", recipe(), resume=True)
    assert torch.equal(weights(whole), weights(resumed))


@pytest.mark.parametrize(("batch_size", "accumulation"), [(2, 2), (1, 4)])
def test_accumulated_batches_train_as_one(
    tokenizer: Tokenizer, tmp_path: Path, batch_size: int, accumulation: int
) -> None:
    whole = trained(tokenizer, tmp_path / "a", recipe(batch_size=4, learning_rate=1e-3))
    split = trained(
        tokenizer,
        tmp_path / "b",
        recipe(batch_size=batch_size, accumulation=accumulation, learning_rate=1e-3),
    )
    assert torch.allclose(weights(whole), weights(split), atol=2e-5)


def test_visits_depend_on_the_seed_and_the_place_alone(tokenizer: Tokenizer) -> None:
    first, second = Visits(ANCHORS, tokenizer, recipe()), Visits(ANCHORS, tokenizer, recipe())
    assert len(first) == 12
    backwards = [first[n] for n in reversed(range(30))]
    assert [second[n] for n in range(30)] == backwards[::-1]
    other = Visits(ANCHORS, tokenizer, recipe().model_copy(update={"seed": 14}))
    assert [other[n] for n in range(30)] != backwards[::-1]
    assert {tuple(first[n].prompt) for n in range(12)} == {tuple(first[n].prompt) for n in range(12, 24)}


def test_members_are_drawn_without_replacement() -> None:
    drawn = draw(ANCHORS[0], Members(positives=1, negatives=2), Random(0))
    assert len(drawn.positives) == 1
    assert len(set(drawn.negatives)) == 2
    assert set(drawn.negatives) <= set(ANCHORS[0].negatives)
    assert len(draw(ANCHORS[0], Members(positives=9, negatives=9), Random(0)).negatives) == 3


def test_members_end_with_the_end_token_and_follow_the_prompt(tokenizer: Tokenizer) -> None:
    encoded = encode(
        Anchor(id="a", source="w1", positives=("w2 w3",), negatives=("w1",)), tokenizer, recipe()
    )
    ids = {word: n for n, word in enumerate(WORDS)}
    assert encoded.prompt == [ids["fix"], ids[":"], ids["w1"]]
    assert encoded.positives == [[ids["w2"], ids["w3"], 0]]
    assert encoded.negatives == [[ids["w1"], 0]]


def test_without_a_source_the_text_alone_is_scored(tokenizer: Tokenizer) -> None:
    encoded = encode(Anchor(id="a", positives=("w2",)), tokenizer, recipe())
    assert encoded.prompt == [1]
    assert encoded.positives == [[WORDS.index("w2"), 0]]


def test_a_prompt_that_is_too_long_is_refused_by_name(tokenizer: Tokenizer) -> None:
    anchor = Anchor(id="long-one", source=" ".join(["w1"] * 20), positives=("w1",))
    with pytest.raises(ConfigError, match="anchor 'long-one' has 22 tokens") as caught:
        encode(anchor, tokenizer, recipe(max_tokens=16))
    assert "w1" not in str(caught.value)
