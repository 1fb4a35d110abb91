"""llama.cpp in this process: one model, one optional LoRA adapter, many prompts in flight.

The native server is driven through its in-process handlers. It insists on listening somewhere as
well, so it is given a Unix socket in a private directory that is unlinked as soon as it is up:
nothing can connect to it. Where that is not possible it listens on loopback and asks for a random
key that nobody has.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cpguard.errors import RewriterError
from cpguard.rewriters._cpus import default_threads

_MAX_SOCKET_PATH = 100  # bytes; the kernel's limit is 104 to 108
_SEEDS = 2**32 - 1  # llama.cpp takes the last value to mean "random"


def import_engine() -> Any:
    """Return the xllamacpp module.

    Raises:
        RewriterError: If it has no wheel for this platform or cannot be loaded; says which.
    """
    try:
        import xllamacpp
    except ModuleNotFoundError as exc:
        raise RewriterError(
            "xllamacpp is not installed; it has wheels for Linux (x86_64, aarch64), macOS (arm64) and "
            "Windows (AMD64). Run: pip install xllamacpp, or use the rewriter 'peft:<guard dir>' or 'mask'"
        ) from exc
    except ImportError as exc:
        hint = " Run: apt-get install libgomp1" if "libgomp" in str(exc) else ""
        raise RewriterError(f"xllamacpp is installed but cannot be loaded: {exc}.{hint}") from exc
    return xllamacpp


class LlamaCppEngine:
    """A GGUF model with an optional LoRA adapter, loaded on first use; safe to share between threads."""

    def __init__(
        self,
        model: Path,
        adapter: Path | None = None,
        *,
        slots: int = 8,
        slot_tokens: int = 1024,
        threads: int | None = None,
    ) -> None:
        """Remember what to load; nothing is read yet.

        Args:
            model: The GGUF model.
            adapter: A GGUF LoRA adapter made for this model.
            slots: Sequences decoded together (continuous batching); more requests wait their turn.
            slot_tokens: Tokens of prompt and completion that fit in one slot.
            threads: Compute threads; None is CPGUARD_THREADS, else half of the usable CPUs, at most 4.
        """
        self.model = model
        self.adapter = adapter
        self.slots = slots
        self.slot_tokens = slot_tokens
        self.threads = threads
        self._lock = threading.Lock()
        self._running: _Running | None = None
        _live.add(self)

    @property
    def threads_used(self) -> int:
        """Compute threads that the next load uses."""
        return self.threads or default_threads()

    def load(self) -> None:
        """Load the model now, once, instead of at the first completion.

        Raises:
            RewriterError: If llama.cpp is unusable or refuses the model or the adapter.
        """
        with self._lock:
            self._started()

    def _started(self) -> _Running:
        if self._running is None:
            self._running = _Running(self._start(), self.slots)
        return self._running

    def _start(self) -> Any:
        engine = import_engine()
        for path in filter(None, (self.model, self.adapter)):
            if not path.is_file():
                raise RewriterError(f"there is no GGUF file at {path}")
        with _private_listener() as (host, key):
            params = self._params(engine)
            params.hostnames, params.api_keys = [host], [key]
            try:
                server = engine.Server(params)
            except RuntimeError as exc:
                loaded = f"{self.model}" + (f" with adapter {self.adapter}" if self.adapter else "")
                raise RewriterError(
                    f"llama.cpp could not load {loaded}. Check the files with: cpguard models verify"
                ) from exc
        # Its loop may not run yet, and one that is told to stop before it runs never stops: an answer
        # proves that it runs, and warms it.
        server.handle_completions(_body([0], 1, 1, 0.0, (), 0))
        return server

    def _params(self, engine: Any) -> Any:
        params = engine.CommonParams()
        params.model.path = str(self.model)
        if self.adapter:
            lora = engine.CommonAdapterLoraInfo()
            lora.path, lora.scale = str(self.adapter), 1.0
            params.lora_adapters = [lora]
        params.n_parallel = self.slots
        params.n_ctx = self.slots * self.slot_tokens
        params.cpuparams.n_threads = self.threads_used
        params.verbosity = -1  # nothing on stderr
        params.warmup = False  # the first request does it
        # No second copy of prompts in host memory: it costs time, space and privacy.
        params.cache_ram_mib, params.n_ctx_checkpoints, params.cache_idle_slots = 0, 0, False
        params.fit_params = False  # a dry run that measures GPU memory
        params.ui, params.endpoint_slots, params.n_threads_http = False, False, 1
        return params

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_tokens: int | Sequence[int],
        n: int = 1,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[list[str]]:
        """Return up to n completions for each prompt; all are decoded together.

        Args:
            prompts: Token ids of each prompt, at least one id each.
            max_tokens: Most new tokens, for all prompts or one number for each.
            n: Completions wanted a prompt; at temperature 0 they would be equal, so one is made.
            temperature: 0 takes the most likely token; above 0 samples.
            stop: Strings that end a completion and are left out of it.
            seed: Seed of the sampling; the same seed gives the same samples on an idle engine.

        Raises:
            RewriterError: If a prompt is empty or does not fit its slot, or llama.cpp fails.
        """
        limits = [max_tokens] * len(prompts) if isinstance(max_tokens, int) else list(max_tokens)
        for prompt, limit in zip(prompts, limits, strict=True):
            if not 0 < len(prompt) <= self.slot_tokens - limit:
                raise RewriterError(
                    f"a prompt has {len(prompt)} tokens; with {limit} new ones it must have between 1 "
                    f"and {self.slot_tokens - limit}"
                )
        parts = _split(1 if temperature == 0 else n, self.slots)
        bodies = [
            _body(prompt, limit, count, temperature, stop, seed + done)
            for prompt, limit in zip(prompts, limits, strict=True)
            for done, count in parts
        ]
        with self._lock:
            running = self._started()
            answers = running.submit(bodies)
        texts = [answer.result() for answer in answers]
        groups = (texts[start : start + len(parts)] for start in range(0, len(texts), len(parts)))
        return [[text for part in group for text in part] for group in groups]

    def close(self) -> None:
        """Finish what is in flight and free the model; the next completion loads it again."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._running is not None:
            self._running.stop()
        self._running = None


class _Running:
    """A started server and the threads that wait for its answers."""

    def __init__(self, server: Any, slots: int) -> None:
        self._server = server
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="cpguard-llama")

    def submit(self, bodies: Sequence[dict[str, object]]) -> list[Future[list[str]]]:
        """Return the answers to come, one a request."""
        try:
            return [self._pool.submit(self._ask, body) for body in bodies]
        except RuntimeError as exc:
            raise RewriterError("no rewrite is started while Python is shutting down") from exc

    def _ask(self, body: dict[str, object]) -> list[str]:
        answer = self._server.handle_completions(body)
        error = answer.get("error")
        if error is not None:
            # Only its type: a message could quote the prompt.
            raise RewriterError(f"llama.cpp refused a request: {error.get('type', 'unknown error')}")
        choices = sorted(answer["choices"], key=lambda choice: int(choice["index"]))
        return [str(choice["text"]) for choice in choices]

    def stop(self) -> None:
        """Finish what was submitted and free the server."""
        self._pool.shutdown(wait=True)
        self._server = None  # the only reference: its destructor stops and joins the native threads


def _split(n: int, slots: int) -> list[tuple[int, int]]:
    """Return (completions before, completions in) each request that together make n."""
    return [(done, min(slots, n - done)) for done in range(0, n, slots)]


def _body(
    prompt: Sequence[int], limit: int, n: int, temperature: float, stop: Sequence[str], seed: int
) -> dict[str, object]:
    return {
        "prompt": list(prompt),
        "max_tokens": limit,
        "n": n,
        "temperature": temperature,
        "stop": list(stop),
        "top_k": 40,
        "top_p": 0.9,
        "min_p": 0.0,
        "seed": seed % _SEEDS,
    }


@contextmanager
def _private_listener() -> Iterator[tuple[str, str]]:
    """Yield a host and key to listen with; the host's name is gone when the block ends."""
    key = secrets.token_urlsafe(32)
    directory = tempfile.mkdtemp(prefix="cpg-")  # mode 0700
    socket = str(Path(directory, "s.sock"))
    try:
        reachable_by_name = os.name == "posix" and len(os.fsencode(socket)) <= _MAX_SOCKET_PATH
        yield (socket if reachable_by_name else "127.0.0.1"), key
    finally:
        shutil.rmtree(directory, ignore_errors=True)


_live: weakref.WeakSet[LlamaCppEngine] = weakref.WeakSet()
_stopped_for_fork: list[LlamaCppEngine] = []


def _before_fork() -> None:
    """Stop every engine: a child would inherit its state without its threads, and hang or crash in exit()."""
    for engine in list(_live):
        engine._lock.acquire()
        engine._stop()
        _stopped_for_fork.append(engine)


def _after_fork() -> None:
    """Let the engines start again when they are next asked, here and in the child."""
    while _stopped_for_fork:
        _stopped_for_fork.pop()._lock.release()


def _at_exit() -> None:
    """Stop every engine while its threads can still be joined; the system's own exit would wait for ever."""
    for engine in list(_live):
        engine.close()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
