"""How long a flagged 12-word sentence takes to be rewritten, and rewritten and verified, on this machine.

    python benchmarks/rewrite_latency.py [GUARD_DIR]

Every sentence is new to every engine, so no prompt cache helps. The peer is transformers.generate with the
same weights in fp32, the adapter merged into the base model, greedy as here, on all CPUs. Engines take turns,
four sentences at a time after one that does not count, in this process, with a pause before each turn for the
threads of the last one to go to sleep; ratios are medians over medians.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _machine import machine, save

from cpguard import DetoxGuard
from cpguard.protocols import RewriteRequest
from cpguard.rewriters.gguf import BUNDLED, GgufRewriter
from cpguard.rewriters.peft import load as load_peft

FRAMES = (
    "You are such an idiot, nobody here wants the {} you made.",
    "This {} is fucking stupid and I will never use it again.",
    "Shut up about the damn {}, you moron, we are all tired.",
    "What a crap {}, the clown who made it should be ashamed.",
)
THINGS = (
    "report", "poster", "budget", "recipe", "website", "schedule", "invoice", "lecture",
    "drawing", "proposal", "backup", "script",
)  # fmt: skip
TURN, PAUSE = 4, 0.5  # sentences, seconds
BUDGET_MS = 250.0
BUDGET_RATIO = 4.0


def sentences() -> list[str]:
    """Return the 48 sentences, 12 words each, neighbours with different frames."""
    return [frame.format(thing) for thing in THINGS for frame in FRAMES]


def milliseconds(call: Callable[[str], object], text: str) -> float:
    start = time.perf_counter()
    call(text)
    return (time.perf_counter() - start) * 1e3


def measure(engines: dict[str, Callable[[str], object]], texts: list[str]) -> dict[str, dict[str, float]]:
    """Return median, 90th percentile and least milliseconds of each engine; all see all texts."""
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for start in range(0, len(texts), TURN):
        for name, call in engines.items():
            time.sleep(PAUSE)
            call(f"You stupid fool number {start}, go away.")
            taken[name] += [milliseconds(call, text) for text in texts[start : start + TURN]]
    return {
        name: {
            "p50": round(statistics.median(times), 1),
            "p90": round(statistics.quantiles(times, n=10)[-1], 1),
            "least": round(min(times), 1),
        }
        for name, times in taken.items()
    }


def rewriting(rewriter: Any) -> Callable[[str], object]:
    return lambda text: rewriter.rewrite([RewriteRequest(text=text)])


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLED
    cpus = os.cpu_count() or 1
    peer = load_peft(str(directory))
    peer._model = peer._model.merge_and_unload()
    default, every_cpu = GgufRewriter(directory), GgufRewriter(directory, threads=cpus)
    guard = DetoxGuard(rewriter=GgufRewriter(directory))
    engines: dict[str, Callable[[str], object]] = {
        "llama.cpp, default threads": rewriting(default),
        f"llama.cpp, {cpus} threads": rewriting(every_cpu),
        "rewritten and verified, default threads": guard.detoxify,
        "transformers.generate": rewriting(peer),
    }
    texts = sentences()
    for call in engines.values():
        call("You stupid fool, go away.")
    rows = measure(engines, texts)
    slow = rows["transformers.generate"]["p50"]
    result = {
        "machine": machine("xllamacpp", "transformers", "torch", "onnxruntime"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "threads": {"default": default.engine.threads_used, "transformers": cpus},
        "sentences": len(texts),
        "milliseconds": rows,
        "times_faster_than_transformers": {name: round(slow / row["p50"], 2) for name, row in rows.items()},
        "budget": {"rewritten and verified p50 ms": BUDGET_MS, "times faster": BUDGET_RATIO},
    }
    for name, row in rows.items():
        print(f"{name:42} p50 {row['p50']:7.1f} ms  p90 {row['p90']:7.1f}  {slow / row['p50']:5.2f}x")
    print(save("rewrite_latency", result))


if __name__ == "__main__":
    main()
