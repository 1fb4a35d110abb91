from __future__ import annotations

import math
import random

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from cpguard.errors import ConfigError
from cpguard_train.classifier.batches import Batch, by_length, collate, load_tokenizer, token_span_labels
from cpguard_train.classifier.config import ClassifierConfig, validate
from cpguard_train.classifier.losses import losses, masked_cross_entropy
from cpguard_train.classifier.model import Outputs, mean_pool, tiny_model
from cpguard_train.classifier.rows import UNKNOWN, Row, clean_row
from cpguard_train.classifier.train import CHECKPOINT, Trainer, teacher_embeddings

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "you", "idiot", "good", "day", "a", "fine", "fool"]
SETTINGS = {"max_tokens": 16, "batch_tokens": 64, "precision": "float32", "threads": 1, "learning_rate": 5e-3}


@pytest.fixture
def folder(tmp_path):
    tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def rows():
    toxic = [Row(text, (1.0,) * 7, ((text.index("i"), len(text)),), "s") for text in ("you idiot", "a idiot")]
    clean = [clean_row(text, "s") for text in ("good day", "a fine day", "you good day")]
    return (toxic + clean) * 8


def test_unknown_labels_cost_nothing():
    logits = torch.tensor([[0.0, 100.0], [0.0, -100.0]])
    labels = torch.tensor([[1.0, UNKNOWN], [0.0, UNKNOWN]])
    loss = masked_cross_entropy(logits, labels, torch.ones(2, 1))
    assert loss.item() == pytest.approx(math.log(2))


def test_soft_labels_and_weights_by_hand():
    # logit ln 3 is p = .75; label .5: -(.5 ln .75 + .5 ln .25); weight 3 against a row of loss ln 2
    logits = torch.tensor([[math.log(3.0)], [0.0]])
    labels = torch.tensor([[0.5], [1.0]])
    each = -(0.5 * math.log(0.75) + 0.5 * math.log(0.25))
    loss = masked_cross_entropy(logits, labels, torch.tensor([[3.0], [1.0]]))
    assert loss.item() == pytest.approx((3 * each + math.log(2)) / 4)


def test_nothing_known_is_no_loss_and_no_nan():
    assert masked_cross_entropy(torch.ones(2, 7), torch.full((2, 7), UNKNOWN), torch.ones(2, 1)).item() == 0.0


def test_the_embedding_loss_is_taken_only_where_there_is_a_teacher():
    outputs = Outputs(torch.zeros(2, 7), torch.zeros(2, 3), torch.tensor([[1.0, 0.0], [0.6, 0.8]]))
    batch = Batch(
        torch.ones(2, 3, dtype=torch.int64),
        torch.ones(2, 3, dtype=torch.int64),
        torch.zeros(2, 7),
        torch.full((2, 3), UNKNOWN),
        torch.ones(2),
        torch.tensor([0, 1]),
    )
    parts = losses(outputs, batch, 0.5, torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    assert parts.embedding.item() == pytest.approx(0.2)
    assert parts.span.item() == 0.0
    assert parts.category.item() == pytest.approx(math.log(2))
    assert losses(outputs, batch, 0.5, None).embedding.item() == 0.0


def test_mean_pool_ignores_padding():
    states = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [99.0, 99.0]]])
    pooled = mean_pool(states, torch.tensor([[[1.0], [1.0], [0.0]]]))
    assert pooled.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]


def test_padding_changes_no_output():
    torch.manual_seed(0)
    model = tiny_model().eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    short = model(ids, torch.ones_like(ids))
    padded = model(
        torch.cat([ids, torch.zeros(1, 4, dtype=torch.int64)], 1), torch.tensor([[1] * 4 + [0] * 4])
    )
    assert torch.allclose(short.logits, padded.logits, atol=1e-5)
    assert torch.allclose(short.span_logits, padded.span_logits[:, :4], atol=1e-5)
    assert torch.allclose(short.embedding, padded.embedding, atol=1e-5)


def test_tokens_that_touch_a_mark_are_toxic_and_special_tokens_are_masked(folder):
    encoding = load_tokenizer(folder, 16).encode("you idiot day")
    assert token_span_labels(encoding, ((4, 9),)) == [UNKNOWN, 0.0, 1.0, 0.0, UNKNOWN]
    assert token_span_labels(encoding, None) == [UNKNOWN] * 5


def test_batches_stay_inside_the_budget_and_hold_every_row_once():
    lengths = [5, 90, 12, 7, 33, 64, 2, 12]
    found = by_length(lengths, 100, random.Random(0))
    assert sorted(i for batch in found for i in batch) == list(range(8))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 100 for batch in found)


def test_collate_pads_with_masked_labels(folder):
    tokenizer = load_tokenizer(folder, 16)
    items = [clean_row("day", "s"), clean_row("a fine day", "s")]
    batch = collate(items, tokenizer.encode_batch([row.text for row in items]), [7, 9])
    assert batch.input_ids.shape == (2, 5)
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1] * 5]
    assert batch.span_labels.tolist()[0] == [UNKNOWN, 0.0, UNKNOWN, UNKNOWN, UNKNOWN]
    assert batch.index.tolist() == [7, 9]


def trained(folder, output, **settings):
    torch.manual_seed(1)
    model = tiny_model(len(WORDS))
    config = ClassifierConfig(**SETTINGS | {"epochs": 3, "checkpoint_every": 4} | settings)
    tokenizer = load_tokenizer(folder, config.max_tokens)
    teacher = teacher_embeddings(model, tokenizer, rows(), config)
    return Trainer(model, tokenizer, config, output), teacher


def test_training_tells_toxic_from_clean(folder):
    trainer, teacher = trained(
        folder, folder / "run", epochs=30, head_learning_rate=1e-2, disguise=0.0, join=0.0
    )
    trainer.run(rows(), teacher)
    tokenizer = trainer.tokenizer
    scores = {}
    for text in ("you idiot", "good day"):
        ids = torch.tensor([tokenizer.encode(text).ids])
        scores[text] = trainer.model(ids, torch.ones_like(ids)).logits[0, 0].item()
    assert scores["you idiot"] > 1.0 > -1.0 > scores["good day"]


def test_a_resumed_run_ends_with_the_same_weights(folder):
    whole, teacher = trained(folder, folder / "whole")
    whole.run(rows(), teacher)
    broken, teacher = trained(folder, folder / "broken")
    steps = 0
    original = broken._step

    def failing(*arguments):
        nonlocal steps
        steps += 1
        if steps == 7:
            raise KeyboardInterrupt
        return original(*arguments)

    broken._step = failing
    with pytest.raises(KeyboardInterrupt):
        broken.run(rows(), teacher)
    assert (folder / "broken" / CHECKPOINT).is_file()
    again, teacher = trained(folder, folder / "broken")
    again.run(rows(), teacher)
    for name, value in whole.model.state_dict().items():
        assert torch.allclose(value, again.model.state_dict()[name], atol=1e-6), name


def test_word_embeddings_stay_as_they_are(folder):
    trainer, teacher = trained(folder, folder / "run", epochs=1)
    before = trainer.model.encoder.embeddings.word_embeddings.weight.clone()
    trainer.run(rows(), teacher)
    assert torch.equal(before, trainer.model.encoder.embeddings.word_embeddings.weight)


def test_the_teacher_covers_the_share_it_should(folder):
    _, teacher = trained(folder, folder / "run", teacher_share=1.0)
    assert torch.allclose(teacher.norm(dim=-1), torch.ones(len(rows())), atol=1e-5)
    _, none = trained(folder, folder / "run", teacher_share=0.0)
    assert none.abs().sum().item() == 0.0


def test_an_unknown_key_in_the_recipe_is_named():
    with pytest.raises(ConfigError, match="epoch: Extra inputs"):
        validate({"task": "classifier", "epoch": 3})
