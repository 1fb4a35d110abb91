from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from random import Random
from urllib.request import Request, urlopen

import numpy as np
import pytest

from cpguard.errors import ConfigError
from cpguard.manifest import DEFAULT_PROMPT
from cpguard_train.data.anchors import keep_out
from cpguard_train.data.schema import read_anchors
from cpguard_train.export import Heads, export_adapter, gguf_heads, permute_rows

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ADAPTER = Path(str(files("cpguard") / "assets" / "detox-en" / "adapter"))


def test_rows_of_one_head_are_interleaved() -> None:
    rows = np.arange(6, dtype=np.float32)[:, None]  # one head of width 6: pairs (0, 3), (1, 4), (2, 5)
    assert permute_rows(rows, 1)[:, 0].tolist() == [0, 3, 1, 4, 2, 5]


def test_heads_keep_their_places() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert permute_rows(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def write_adapter(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    from safetensors.numpy import save_file

    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"lora_alpha": 32}), encoding="utf-8")
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def test_only_b_of_q_and_k_is_permuted_each_by_its_own_heads(tmp_path: Path) -> None:
    from gguf import GGUFReader

    prefix = "base_model.model.model.layers.3."
    b = np.arange(8, dtype=np.float32).reshape(8, 1)
    names = {"self_attn.q_proj": 2, "self_attn.k_proj": 1, "self_attn.v_proj": 0, "mlp.down_proj": 0}
    tensors = {f"{prefix}{name}.lora_B.weight": b for name in names}
    tensors[f"{prefix}self_attn.q_proj.lora_A.weight"] = b.T.copy()
    adapter = write_adapter(tmp_path / "adapter", tensors)
    reader = GGUFReader(export_adapter(adapter, tmp_path / "a.gguf", Heads(query=2, key=1)))
    found = {tensor.name: tensor.data.ravel().tolist() for tensor in reader.tensors}
    plain = list(range(8))
    assert found == {
        "blk.3.attn_q.weight.lora_b": [0, 2, 1, 3, 4, 6, 5, 7],
        "blk.3.attn_k.weight.lora_b": [0, 4, 1, 5, 2, 6, 3, 7],
        "blk.3.attn_v.weight.lora_b": plain,
        "blk.3.ffn_down.weight.lora_b": plain,
        "blk.3.attn_q.weight.lora_a": plain,
    }
    assert reader.fields["adapter.lora.alpha"].contents() == 32.0
    assert reader.fields["adapter.type"].contents() == "lora"


def test_a_tensor_without_a_place_in_gguf_is_named(tmp_path: Path) -> None:
    name = "base_model.model.lm_head.lora_A.weight"
    adapter = write_adapter(tmp_path / "adapter", {name: np.zeros((1, 4), dtype=np.float32)})
    with pytest.raises(ConfigError, match=r"lm_head.*cannot be exported"):
        export_adapter(adapter, tmp_path / "a.gguf", Heads(query=1, key=1))


# The proof: llama.cpp with the exported adapter computes what PEFT computes.


@dataclass(frozen=True)
class Step:
    """One prediction: the ids so far, and the reference's likeliest next ids with log-probabilities."""

    ids: list[int]
    top: list[int]
    logprobs: list[float]


@dataclass(frozen=True)
class Agreement:
    top1: float
    worst: float


def kept_out_pairs(count: int) -> list[tuple[str, str]]:
    """Sources and rewrites of the bundled anchors that training keeps out."""
    _, anchors = keep_out(read_anchors(Path(str(files("cpguard_train") / "data" / "smoke.jsonl"))), 30)
    return [(str(anchor.source), anchor.positives[0]) for anchor in anchors[:count]]


@pytest.fixture(scope="module")
def reference(base_model: Path) -> list[Step]:
    """Predictions of the PEFT model in fp32 over rewrites of sentences kept out of training."""
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    from cpguard.rewriters.peft import load_base
    from cpguard_train.tokenizer import end_id, read_tokenizer

    tokenizer = read_tokenizer(base_model)
    model = peft.PeftModel.from_pretrained(load_base(base_model), str(ADAPTER)).eval()
    steps = []
    for source, rewrite in kept_out_pairs(18):
        prompt = tokenizer.encode(DEFAULT_PROMPT.replace("{source}", source), add_special_tokens=False).ids
        ids = [*prompt, *tokenizer.encode(rewrite, add_special_tokens=False).ids, end_id(tokenizer)]
        with torch.inference_mode():
            logprobs = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        for place in range(len(prompt), len(ids)):
            values, top = logprobs[place - 1].topk(3)
            steps.append(Step(ids[:place], top.tolist(), values.tolist()))
    return steps


@pytest.fixture(scope="module")
def f32_base(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The base model's own tensors, dequantised: the same numbers that torch computes with."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import dequantize

    folder = tmp_path_factory.mktemp("f32")
    reader = GGUFReader(base_model)
    writer = GGUFWriter(folder / "base.gguf", "llama")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in {"general.architecture", "general.file_type"}:
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    yield folder / "base.gguf"
    shutil.rmtree(folder)


def serve(base: Path, adapter: Path | None):  # type: ignore[no-untyped-def]
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(base)
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 512, 1, False, 0
    params.cpuparams.n_threads = 2
    params.flash_attn_type = 0  # off: its half-precision sums alone cost 2e-2
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    if adapter:
        lora = xllamacpp.CommonAdapterLoraInfo()
        lora.path, lora.scale = str(adapter), 1.0
        params.lora_adapters = [lora]
    return xllamacpp.Server(params)


def agreement(base: Path, adapter: Path, steps: Sequence[Step]) -> Agreement:
    """Ask llama.cpp for its next token at every step, and compare it with the reference."""
    server = serve(base, adapter)
    same, worst = 0, 0.0
    for step in steps:
        answer = server.handle_completions(
            {"prompt": step.ids, "max_tokens": 1, "logprobs": 20, "temperature": 0, "cache_prompt": True}
        )
        found = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        logprobs = {token["id"]: token["logprob"] for token in found}
        same += found[0]["id"] == step.top[0]
        gaps = (abs(logprobs.get(t, -99.0) - p) for t, p in zip(step.top, step.logprobs, strict=True))
        worst = max(worst, *gaps)
    return Agreement(same / len(steps), worst)


def test_llama_cpp_with_the_exported_adapter_agrees_with_peft(
    base_model: Path,
    f32_base: Path,
    reference: list[Step],
    tmp_path: Path,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    exported = export_adapter(ADAPTER, tmp_path / "adapter.gguf", gguf_heads(base_model))
    exact = agreement(f32_base, exported, reference)
    quantised = agreement(base_model, exported, reference)
    record_testsuite_property("adapter_export_predictions", len(reference))
    record_testsuite_property("adapter_export_f32", exact)
    record_testsuite_property("adapter_export_q4_1", quantised)
    assert len(reference) >= 200
    assert exact.top1 >= 0.995
    assert exact.worst <= 1e-2


@pytest.mark.parametrize("heads", [None, Heads(query=9, key=1), Heads(query=3, key=3)], ids=str)
def test_a_wrong_permutation_is_caught(
    heads: Heads | None,
    f32_base: Path,
    reference: list[Step],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if heads is None:
        monkeypatch.setattr("cpguard_train.export.permute_rows", lambda rows, heads: rows)
    exported = export_adapter(ADAPTER, tmp_path / "wrong.gguf", heads or Heads(query=9, key=3))
    wrong = agreement(f32_base, exported, reference[:60])
    assert wrong.worst > 0.1


def test_k_cannot_be_permuted_with_the_heads_of_q(base_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="192 rows are not 9 heads"):
        export_adapter(ADAPTER, tmp_path / "wrong.gguf", Heads(query=9, key=9))


def generated_texts(count: int) -> list[str]:
    """Texts with digits, double spaces, emoji, contractions, other scripts, code and special tokens."""
    rng = Random(5)
    parts = (
        "you", "idiot", " ", "  ", "\n", "\n\n", "\t", "12", "3.14", "2024-01-02", "007", "😀", "🙄",
        "👩\u200d👧", "don't", "I'LL", "naïve", "你好", "привет", "مرحبا", "ß", "e\u0301", "...", "!?", "—",
        "https://a.b/c?d=1", "foo_bar(x[1])", "{}", "<|im_end|>", "<|im_start|>", "<b>", "\u200b", "\u00a0",
        "%", "@sam_2", "#5", "''",
    )  # fmt: skip
    return [
        "".join(rng.choice(parts) + rng.choice(("", " ")) for _ in range(rng.randint(1, 12)))
        for _ in range(count)
    ]


def test_token_ids_are_equal_in_all_three_engines(base_model: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from cpguard_train.tokenizer import read_tokenizer

    ours = read_tokenizer(base_model)
    ours.save(str(tmp_path / "tokenizer.json"))
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    server = serve(base_model, None)
    texts = [
        *generated_texts(970),
        *(DEFAULT_PROMPT.replace("{source}", source) for source, _ in kept_out_pairs(30)),
    ]
    for text in texts:
        ids = ours.encode(text, add_special_tokens=False).ids
        assert theirs.encode(text, add_special_tokens=False) == ids
        assert llama_cpp_ids(server.listening_address, text) == ids, ascii(text)
        assert ours.decode(ids, skip_special_tokens=False) == text


def llama_cpp_ids(address: str, text: str) -> list[int]:
    body = json.dumps({"content": text, "add_special": False, "parse_special": True}).encode()
    request = Request(f"{address}/tokenize", data=body, headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        ids: list[int] = json.load(answer)["tokens"]
    return ids
