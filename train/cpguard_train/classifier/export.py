# ruff: noqa: TID253
"""Write a trained model as the folder that the runtime loads: fused, int8, about 23 MB."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from cpguard.classifiers.embedded import CONFIG_NAME, MODEL_NAME, TOKENIZER_NAME, Calibration, EmbeddedConfig
from cpguard.results import CATEGORIES, Category
from cpguard_train.classifier.model import ToxicityModel
from cpguard_train.classifier.quantise import quantise

_AXES = {
    "input_ids": {0: "batch", 1: "tokens"},
    "attention_mask": {0: "batch", 1: "tokens"},
    "logits": {0: "batch"},
    "span_logits": {0: "batch", 1: "tokens"},
    "embedding": {0: "batch"},
}
_INPUTS = ["input_ids", "attention_mask"]


def export_float(model: ToxicityModel, path: Path) -> None:
    """Write the model as float32 ONNX with attention, layer norm and GELU fused.

    Args:
        model: A trained model; switched to evaluation.
        path: File to write.
    """
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    model.eval()
    options = FusionOptions("bert")
    options.use_multi_head_attention = True  # leaves the projections as products that can be quantised
    model.encoder.set_attn_implementation("eager")  # the graph that the fusions know
    ids = torch.randint(1, model.encoder.config.vocab_size, (2, 16))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    with TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.onnx"
        torch.onnx.export(
            model,
            (ids, mask),
            str(raw),
            input_names=_INPUTS,
            output_names=[name for name in _AXES if name not in _INPUTS],
            dynamic_axes=_AXES,
            opset_version=17,
            dynamo=False,
        )
        fused = optimizer.optimize_model(
            str(raw),
            model_type="bert",
            num_heads=model.encoder.config.num_attention_heads,
            hidden_size=model.encoder.config.hidden_size,
            optimization_options=options,
            opt_level=1,
        )
        fused.save_model_to_file(str(path))


def write_config(
    folder: Path,
    calibration: Mapping[Category, Calibration] | None = None,
    thresholds: Mapping[Category, float] | None = None,
    span_threshold: float = 0.5,
) -> None:
    """Write config.json; without a calibration, scores are the model's own and thresholds one half."""
    config = EmbeddedConfig(
        calibration=calibration or {name: Calibration(scale=1.0, bias=0.0) for name in CATEGORIES},
        thresholds=thresholds or dict.fromkeys(CATEGORIES, 0.5),
        span_threshold=span_threshold,
    )
    text = json.dumps(config.model_dump(), indent=2)
    (folder / CONFIG_NAME).write_text(text + "\n", encoding="utf-8")


def export(model: ToxicityModel, tokenizer_file: Path, folder: Path) -> None:
    """Write model, tokenizer and an uncalibrated config.json.

    Args:
        model: A trained model.
        tokenizer_file: The base model's tokenizer.json.
        folder: Made if missing. Its parent gets float.onnx, which is for comparing and is not shipped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    export_float(model, folder.parent / "float.onnx")
    quantise(folder.parent / "float.onnx", folder / MODEL_NAME)
    shutil.copyfile(tokenizer_file, folder / TOKENIZER_NAME)
    write_config(folder)
