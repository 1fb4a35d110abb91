"""A fresh adapter on all linear layers of the base model, and the adapter as files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from cpguard._extras import require
from cpguard_train.config import Lora

_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def add_lora(model: Any, config: Lora, seed: int) -> Any:
    """Return the model as a PEFT model whose adapter is drawn from the seed; the base is frozen."""
    import torch

    peft = require("peft", extra="train")
    torch.manual_seed(seed)
    lora = peft.LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(_TARGETS),
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT's own use of transformers
        return peft.get_peft_model(model, lora)


def save_adapter(model: Any, directory: Path, base_name: str) -> Path:
    """Write the adapter in fp16, PEFT's format, and return its directory.

    Args:
        model: The PEFT model.
        directory: Where to write.
        base_name: Recorded as the base model, instead of a path on this machine.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    config = model.peft_config["default"]
    config.base_model_name_or_path = base_name
    config.inference_mode = True
    config.target_modules = sorted(config.target_modules)  # a set, whose order changes from run to run
    config.save_pretrained(str(directory))
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: tensor.half().contiguous() for name, tensor in state.items()}
    path = directory / "adapter_model.safetensors"
    save_file(weights, str(path), metadata={"format": "pt"})
    path.chmod(0o644)  # it is written for its owner alone
    return directory
