"""Turn a float32 ONNX encoder into int8 whose answer for a text does not depend on its batch.

Dynamic quantisation as onnxruntime does it takes one activation range for a whole batch: a text then
scores differently beside other texts (by up to 0.1 for this encoder), and a stream would disagree with
the whole. Here every token has a range of its own, which is also more precise, at the same speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

WEIGHT_LIMIT = 63
"""Largest weight: 7 bits, since two products of 8 bits overflow in processors without VNNI."""
_CONSTANTS: Mapping[str, NDArray[np.generic]] = {
    "row_inverse": np.array(1.0 / 127.0, dtype=np.float32),
    "row_least": np.array(1e-8, dtype=np.float32),
    "row_offset": np.array(128.5, dtype=np.float32),  # casting cuts, so the half rounds
    "row_zero": np.array(128, dtype=np.uint8),
    "row_one": np.array(1.0, dtype=np.float32),
}


def quantise(source: Path, target: Path) -> None:
    """Write the int8 form of a float32 model.

    Args:
        source: A fused BERT graph with its attention projections as plain MatMul nodes.
        target: File to write; a quarter of the size.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with TemporaryDirectory() as folder:
        tables = Path(folder) / "tables.onnx"
        quantize_dynamic(
            str(source),
            str(tables),
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["EmbedLayerNormalization"],
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        model = onnx.load(str(tables))
    quantise_rows(model.graph)
    onnx.save(model, str(target))


def quantise_rows(graph: GraphProto) -> None:
    """Replace, in place, each product with a constant matrix by an integer product.

    Each row x of the left side becomes round(x / s) + 128 with s = max|x| / 127; each column of the
    right side has a scale of its own.
    """
    from onnx import numpy_helper

    weights = {item.name: item for item in graph.initializer}
    nodes: list[NodeProto] = []
    added = [numpy_helper.from_array(value, name) for name, value in _CONSTANTS.items()]
    prefixes: dict[str, str] = {}
    for node in graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None or len(weight.dims) != 2:
            nodes.append(node)
            continue
        left = node.input[0]
        if left not in prefixes:
            prefixes[left] = f"row_{len(prefixes)}"
            nodes += _quantised_left(left, prefixes[left])
        nodes += _integer_product(node, prefixes[left])
        added += _quantised_right(weight)
        graph.initializer.remove(weight)
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(added)


def _quantised_left(name: str, prefix: str) -> list[NodeProto]:
    """Return nodes that compute `prefix`_q, unsigned bytes, and `prefix`_s, a scale a row."""
    from onnx import TensorProto
    from onnx.helper import make_node

    return [
        make_node("Abs", [name], [f"{prefix}_a"]),
        make_node("ReduceMax", [f"{prefix}_a"], [f"{prefix}_m"], axes=[-1], keepdims=1),
        make_node("Max", [f"{prefix}_m", "row_least"], [f"{prefix}_p"]),
        make_node("Mul", [f"{prefix}_p", "row_inverse"], [f"{prefix}_s"]),
        make_node("Div", [name, f"{prefix}_s"], [f"{prefix}_d"]),
        make_node("Add", [f"{prefix}_d", "row_offset"], [f"{prefix}_o"]),
        make_node("Cast", [f"{prefix}_o"], [f"{prefix}_q"], to=TensorProto.UINT8),
    ]


def _integer_product(node: NodeProto, prefix: str) -> list[NodeProto]:
    from onnx.helper import make_node

    weight, result = node.input[1], node.output[0]
    inputs = [f"{prefix}_q", f"{weight}_q", "row_one", f"{weight}_s", "row_zero", f"{weight}_z"]
    return [
        make_node("MatMulIntegerToFloat", inputs, [f"{result}_i"], domain="com.microsoft"),
        make_node("Mul", [f"{result}_i", f"{prefix}_s"], [result]),
    ]


def _quantised_right(weight: TensorProto) -> list[TensorProto]:
    from onnx import numpy_helper

    values = numpy_helper.to_array(weight)
    scale = np.maximum(np.abs(values).max(axis=0), 1e-8) / WEIGHT_LIMIT
    return [
        numpy_helper.from_array(np.round(values / scale).astype(np.int8), f"{weight.name}_q"),
        numpy_helper.from_array(scale.astype(np.float32), f"{weight.name}_s"),
        numpy_helper.from_array(np.zeros(values.shape[1], dtype=np.int8), f"{weight.name}_z"),
    ]
