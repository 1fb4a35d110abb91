"""The trained rewriter on torch: base model plus PEFT adapter, for GPUs and for training itself."""

from __future__ import annotations

import hashlib
import logging
import threading
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Any

from cpguard._extras import require
from cpguard.errors import BaseModelError, ConfigError
from cpguard.manifest import Generation, GuardManifest
from cpguard.protocols import RewriteRequest
from cpguard.rewriters._prompt import PromptEncoder

_TOP_P = 0.9
_BATCH = 16


class PeftRewriter:
    """Proposes rewrites with a causal language model on torch.

    Args:
        model: A transformers model, or a PEFT model around one.
        tokenizer: The tokenizer.json of the base model.
        prompt: One literal string with one {source}.
        generation: How long a rewrite may be and what ends it.

    Raises:
        ConfigError: If the tokenizer or the prompt is not valid, or the stop string is no token.
    """

    def __init__(self, model: Any, tokenizer: Path, prompt: str, generation: Generation) -> None:
        from tokenizers import Tokenizer

        self._torch = require("torch", extra="torch")
        self._prompts = PromptEncoder(tokenizer, prompt)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._model, self._generation = model, generation
        end = self._tokenizer.token_to_id(generation.stop)
        if end is None:
            raise ConfigError(f"generation.stop is '{generation.stop}', which is no token of the base model")
        self._end = end
        self._lock = threading.Lock()

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        """Return the candidates for each request; one where the temperature is 0, as it is certain."""
        found: list[list[str]] = [[] for _ in requests]
        order = sorted(range(len(requests)), key=lambda index: _settings(requests[index]))
        with self._lock, self._torch.inference_mode():
            for settings, group in groupby(order, key=lambda index: _settings(requests[index])):
                indexes = list(group)
                for start in range(0, len(indexes), _BATCH):
                    batch = indexes[start : start + _BATCH]
                    texts = [requests[index].text for index in batch]
                    for index, candidates in zip(batch, self._generate(texts, *settings), strict=True):
                        found[index] = candidates
        return found

    def _generate(self, texts: list[str], n: int, temperature: float, seed: int) -> list[list[str]]:
        torch = self._torch
        rows = [self._prompts.encode(text) for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([[self._end] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        device = next(self._model.parameters()).device
        sampling: dict[str, Any] = {"do_sample": False}
        if temperature:
            sampling = {"do_sample": True, "temperature": temperature, "top_p": _TOP_P, "top_k": 0}
            sampling["num_return_sequences"] = n
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(seed)
            output = self._model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=self._generation.max_new_tokens,
                eos_token_id=self._end,
                pad_token_id=self._end,
                **sampling,
            )
        texts_out = [self._decode(row[width:].tolist()) for row in output]
        each = len(texts_out) // len(texts)
        return [texts_out[start : start + each] for start in range(0, len(texts_out), each)]

    def _decode(self, ids: list[int]) -> str:
        kept = ids[: ids.index(self._end)] if self._end in ids else ids
        return self._tokenizer.decode(kept).strip()


def load(argument: str) -> PeftRewriter:
    """Return the rewriter of a guard directory, on the CPU.

    Args:
        argument: The guard directory, as `cpguard train` writes it.

    Raises:
        ConfigError: If the directory is no guard or lacks its adapter.
        MissingExtraError: If torch, transformers or peft is not installed.
        BaseModelError: If the base model is not the one that the adapter was trained on.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # PEFT imports it; it misses optional kernels
    peft = require("peft", extra="torch")
    from cpguard import models

    directory = Path(argument)
    manifest = GuardManifest.read(directory)
    for part in ("adapter", "tokenizer.json"):
        if not (directory / part).exists():
            raise ConfigError(f"{directory} has no {part}; train the guard again")
    base = models.resolve()
    check_base(base, manifest)
    model = load_base(base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT's own use of transformers
        model = peft.PeftModel.from_pretrained(model, str(directory / "adapter")).eval()
    return PeftRewriter(model, directory / "tokenizer.json", manifest.prompt, manifest.generation)


def check_base(path: Path, manifest: GuardManifest) -> None:
    """Make sure that a base model is the one an adapter was trained on.

    Raises:
        BaseModelError: If its SHA-256 is another one.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != manifest.base.sha256:
        raise BaseModelError(
            f"the adapter was trained on {manifest.base.name} (SHA-256 {manifest.base.sha256[:12]}...), but "
            f"{path.name} is {found[:12]}.... Get the right one with: cpguard models pull"
        )


def load_base(path: Path) -> Any:
    """Return the model in a GGUF file, dequantised to fp32: what llama.cpp serves, as a torch model."""
    torch = require("torch", extra="torch")
    transformers = require("transformers", extra="torch")
    require("gguf", extra="torch")
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    with redirect_stderr(StringIO()):  # a tqdm bar that no setting turns off
        model = transformers.AutoModelForCausalLM.from_pretrained(
            str(path.parent), gguf_file=path.name, dtype=torch.float32
        )
    # The weights are dequantised; with the mark of quantisation left on, the Trainer would refuse them.
    model.is_quantized = False
    model.hf_quantizer = None
    del model.config.quantization_config
    return model


def _settings(request: RewriteRequest) -> tuple[int, float, int]:
    return (request.n, request.temperature, request.seed) if request.temperature else (1, 0.0, 0)
