"""The trained rewriter on llama.cpp: base model plus LoRA adapter of a guard directory, or one merged GGUF.

`gguf:<guard dir>` reads guard.json, adapter.gguf and tokenizer.json of the directory, and the base model
that they were made for. `gguf:<file>.gguf` takes a model that already contains the adapter; it must share
the default base model's tokenizer and have been trained with the default prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from cpguard import models
from cpguard.errors import ConfigError
from cpguard.manifest import DEFAULT_PROMPT, Generation, GuardManifest
from cpguard.protocols import RewriteRequest
from cpguard.rewriters._prompt import PromptEncoder
from cpguard.rewriters.llama_cpp import LlamaCppEngine

BUNDLED = Path(__file__).parents[1] / "assets" / "detox-en"
"""The guard directory that comes with cpguard."""
ADAPTER_NAME = "adapter.gguf"
TOKENIZER_NAME = "tokenizer.json"


@dataclass(frozen=True)
class GuardFiles:
    """What a guard directory holds for llama.cpp, checked."""

    manifest: GuardManifest
    spec: models.BaseModelSpec
    adapter: Path
    tokenizer: Path


class GgufRewriter:
    """Proposes rewrites with llama.cpp; requests are decoded together."""

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Check what is needed; the model is loaded at the first request.

        Args:
            path: A guard directory, or a GGUF file with base and adapter in one.
            threads: Compute threads; None is the engine's default.

        Raises:
            ConfigError: If the directory is no guard, lacks a file, or needs an unknown base model.
            BaseModelError: If the base model is missing or damaged.
        """
        if path.is_dir():
            files = guard_files(path)
            self._generation = files.manifest.generation
            self._prompts = PromptEncoder(files.tokenizer, files.manifest.prompt)
            self.engine = LlamaCppEngine(models.resolve(files.spec), files.adapter, threads=threads)
        elif path.suffix == ".gguf" and path.is_file():
            self._generation = Generation()
            self._prompts = PromptEncoder(BUNDLED / TOKENIZER_NAME, DEFAULT_PROMPT)
            self.engine = LlamaCppEngine(path, threads=threads)
        else:
            raise ConfigError(f"{path} is neither a guard directory nor a .gguf file")

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[list[str]]:
        """Return the candidates for each request, different ones only; none where the text is too long.

        Raises:
            RewriterError: If llama.cpp fails.
        """
        found: list[list[str]] = [[] for _ in requests]
        order = sorted(range(len(requests)), key=lambda index: _settings(requests[index]))
        for (n, temperature, seed), group in groupby(order, key=lambda index: _settings(requests[index])):
            prompts = {index: self._prompts.encode(requests[index].text) for index in group}
            limits = {index: self._limit(requests[index].text) for index in prompts}
            fits = [i for i, ids in prompts.items() if len(ids) + limits[i] <= self.engine.slot_tokens]
            answers = self.engine.complete(
                [prompts[index] for index in fits],
                max_tokens=[limits[index] for index in fits],
                n=n,
                temperature=temperature,
                stop=[self._generation.stop],
                seed=seed,
            )
            for index, texts in zip(fits, answers, strict=True):
                found[index] = list(dict.fromkeys(filter(None, map(str.strip, texts))))
        return found

    def _limit(self, text: str) -> int:
        """Return the most new tokens for a text: a rewrite is not much longer than its source."""
        return min(self._generation.max_new_tokens, 12 + 3 * self._prompts.length(text) // 2)


def load(argument: str) -> GgufRewriter:
    """Return the rewriter of a guard directory or a merged GGUF file.

    Args:
        argument: The path of either.

    Raises:
        ConfigError: If the argument is empty, names nothing, or is no guard.
        BaseModelError: If the base model is missing or damaged.
    """
    if not argument:
        raise ConfigError("'gguf' needs a path: gguf:<guard dir> or gguf:<file>.gguf")
    return GgufRewriter(Path(argument).expanduser())


def _settings(request: RewriteRequest) -> tuple[int, float, int]:
    return (request.n, request.temperature, request.seed) if request.temperature else (1, 0.0, 0)


def guard_files(directory: Path) -> GuardFiles:
    """Return what a guard directory holds for llama.cpp; the base model itself is not looked for.

    Raises:
        ConfigError: If it is no guard directory, lacks a file, or needs an unknown base model.
    """
    manifest = GuardManifest.read(directory)
    adapter, tokenizer = directory / ADAPTER_NAME, directory / TOKENIZER_NAME
    for path in (adapter, tokenizer):
        if not path.is_file():
            raise ConfigError(f"{directory} has no {path.name}; train the guard again or restore the file")
    base = manifest.base
    spec = next((spec for spec in models.registry.values() if spec.sha256 == base.sha256), None)
    if spec is None:
        raise ConfigError(
            f"the adapter in {directory} was trained on {base.name} with SHA-256 {base.sha256[:12]}..., none "
            f"of the known base models ({', '.join(models.registry)}); train it again on one of them"
        )
    return GuardFiles(manifest, spec, adapter, tokenizer)
