"""A PEFT adapter as a GGUF adapter for llama.cpp.

llama.cpp keeps the rows of the query and key projections in another order than transformers: within a
head, the two halves that rotary embedding pairs are interleaved. lora_B's rows are output rows, so they
are permuted in the same way, per query head for q and per key-value head for k; lora_A stays.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpguard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_PREFIX = "base_model.model.model.layers."


@dataclass(frozen=True)
class Heads:
    """How many heads the query and the key projections have."""

    query: int
    key: int


def permute_rows(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return rows of a q or k projection in llama.cpp's order.

    Args:
        rows: Shape (heads * head width, anything).
        heads: Heads of this projection.

    Raises:
        ConfigError: If the rows are not that many heads of even width.
    """
    if rows.shape[0] % (2 * heads):
        raise ConfigError(
            f"{rows.shape[0]} rows are not {heads} heads of even width; is it another base model?"
        )
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def export_adapter(adapter: Path, target: Path, heads: Heads) -> Path:
    """Write a PEFT LoRA adapter as a GGUF adapter in fp16 and return its path.

    Args:
        adapter: Directory with adapter_config.json and adapter_model.safetensors.
        target: The GGUF file to write.
        heads: Of the base model.

    Raises:
        ConfigError: If the adapter has a tensor of a kind that has no place in a llama GGUF.
    """
    from gguf import GGUFWriter

    alpha = float(json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["lora_alpha"])
    writer = GGUFWriter(target, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, tensor in _tensors(adapter, heads):
        writer.add_tensor(name, np.ascontiguousarray(tensor, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def gguf_heads(base: Path) -> Heads:
    """Return the heads of a base model from its GGUF file."""
    from gguf import GGUFReader

    fields = GGUFReader(base).fields
    return Heads(
        query=int(fields["llama.attention.head_count"].contents()),
        key=int(fields["llama.attention.head_count_kv"].contents()),
    )


def _tensors(adapter: Path, heads: Heads) -> Iterator[tuple[str, NDArray[np.float32]]]:
    from safetensors.numpy import load_file

    for name, tensor in sorted(load_file(adapter / "adapter_model.safetensors").items()):
        layer, _, rest = name.removeprefix(_PREFIX).partition(".")
        module, _, part = rest.rpartition(".lora_")
        if not name.startswith(_PREFIX) or module not in _NAMES:
            raise ConfigError(f"the adapter has a tensor '{name}', which cannot be exported to GGUF")
        letter = part[0].lower()
        rows = tensor.astype(np.float32)
        if letter == "b" and module == "self_attn.q_proj":
            rows = permute_rows(rows, heads.query)
        if letter == "b" and module == "self_attn.k_proj":
            rows = permute_rows(rows, heads.key)
        yield f"blk.{layer}.{_NAMES[module]}.weight.lora_{letter}", rows
