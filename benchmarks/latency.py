"""Budgets of the default guard on this machine: import, first verdict, clean sentences.

    python benchmarks/latency.py

Peers are the architectures that well-known guards run, on torch with the same number of threads and their
own padding rule: BERT-base as detoxify uses it (dynamic padding), and RoBERTa-base as llm-guard's toxicity
scanner uses it (every text padded to 512 tokens). Their weights are random, and they are spared tokenising,
so these rows are latency only. Each engine has a process of its own; they take turns of a few calls, of which
the first ones warm the caches up again and do not count. Ratios are medians over medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from _machine import machine, save

SENTENCE = (
    "The library opens at nine on weekdays, and you can return borrowed books at the desk or "
    "in the box by the side door."
)
BATCH = [f"{SENTENCE[:-1]} until week {week}." for week in range(32)]
TOKENS = 27  # of SENTENCE with its two special ones
FIRST = "from cpguard import DetoxGuard; DetoxGuard(rewriter='mask').check('You are a fool.')"
COMMAND = "import sys; sys.argv = ['cpguard', 'check', 'Good day.']; import cpguard.cli as c; c.main()"
ENGINES = ("cpguard", "bert-base, torch, dynamic padding", "roberta-base, torch, padded to 512")
PAUSE = 0.5  # seconds between turns, for the threads of the last one to go to sleep


def fresh(code: str, runs: int = 15) -> list[float]:
    """Return milliseconds, start of the interpreter included, of running code in fresh processes."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        taken.append(1e3 * (time.perf_counter() - start))
    return taken


def imported(module: str, runs: int = 15) -> list[float]:
    """Return milliseconds that importing a module takes inside fresh processes."""
    code = f"import time; s = time.perf_counter(); import {module}; print(1e3 * (time.perf_counter() - s))"
    command = [sys.executable, "-c", code]
    done = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(runs)]
    return [float(run.stdout) for run in done]


def peer(model: Any, length: int) -> Callable[[list[str]], object]:
    """Return a function that runs a random-weight encoder on as many rows as there are texts."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    model.eval()

    def score(texts: list[str]) -> object:
        ids = torch.randint(5, 20_000, (len(texts), length))
        with torch.inference_mode():
            return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.sigmoid().tolist()

    return score


def engine(name: str) -> Callable[[list[str]], object]:
    """Return the function that judges texts."""
    if name == "cpguard":
        from cpguard import DetoxGuard

        return DetoxGuard(rewriter="mask").check
    import transformers as hf

    if name.startswith("bert"):
        return peer(hf.BertForSequenceClassification(hf.BertConfig(num_labels=6)), TOKENS)
    shape = hf.RobertaConfig(num_labels=16, vocab_size=50265, max_position_embeddings=514)
    return peer(hf.RobertaForSequenceClassification(shape), 512)


def work(name: str) -> None:
    """Answer each line of standard input, `one` or `batch`, with the milliseconds that one call took."""
    judge = engine(name)
    for line in sys.stdin:
        texts = [SENTENCE] if line.strip() == "one" else BATCH
        start = time.perf_counter()
        judge(texts)
        print(1e3 * (time.perf_counter() - start), flush=True)


def in_turns(
    what: str, workers: dict[str, subprocess.Popen[str]], *, turns: int, warm: int, calls: int
) -> dict[str, list[float]]:
    """Return milliseconds of each counted call, by engine."""
    taken: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(turns):
        for name, worker in workers.items():
            assert worker.stdin is not None
            assert worker.stdout is not None
            time.sleep(PAUSE)
            for call in range(warm + calls):
                print(what, file=worker.stdin, flush=True)
                milliseconds = float(worker.stdout.readline())
                if call >= warm:
                    taken[name].append(milliseconds)
    return taken


def summary(values: list[float]) -> dict[str, float | int]:
    """Return median, 95th percentile, least and count."""
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "least": round(ordered[0], 2),
        "n": len(ordered),
    }


def main() -> None:
    """Measure, print and write benchmarks/results/latency.json."""
    result: dict[str, Any] = {
        "machine": machine("cpguard", "onnxruntime", "torch", "transformers", "langchain-core"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "import_ms": summary(imported("cpguard")),
        "python_start_ms": summary(fresh("pass")),
        "first_verdict_guard_ms": summary(fresh(FIRST)),
        "first_verdict_cli_ms": summary(fresh(COMMAND)),
    }
    pipe = subprocess.PIPE
    workers = {
        name: subprocess.Popen([sys.executable, __file__, name], stdin=pipe, stdout=pipe, text=True)
        for name in ENGINES
    }
    one = {name: summary(times) for name, times in in_turns("one", workers, turns=8, warm=3, calls=5).items()}
    batch = {
        name: summary([time / len(BATCH) for time in times])
        for name, times in in_turns("batch", workers, turns=2, warm=1, calls=2).items()
    }
    for worker in workers.values():
        worker.kill()
    for what, rows in (("one", one), ("batch_of_32_each", batch)):
        own = rows["cpguard"]["p50"]
        result[f"clean_25_tokens_{what}_ms"] = rows
        result[f"clean_25_tokens_{what}_ratio"] = {n: round(r["p50"] / own, 1) for n, r in rows.items()}
    result["note"] = "peers have random weights: latency only"
    for name, value in result.items():
        print(f"{name}: {value}")
    print(f"written: {save('latency', result)}")


if __name__ == "__main__":
    work(sys.argv[1]) if len(sys.argv) > 1 else main()
