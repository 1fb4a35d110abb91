"""Write README's table of numbers from benchmarks/results/, or check that it is up to date.

python benchmarks/readme_numbers.py [--check]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- numbers -->\n).*?(<!-- /numbers -->\n)", re.S)


def load(name: str) -> Any:
    """Return a committed result."""
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def share(value: float, low: float, high: float, digits: int = 1) -> str:
    """Return a share and its interval in per cent."""
    return f"{100 * value:.{digits}f} % [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"


def speed() -> list[str]:
    """Return the rows on time."""
    latency, rewriting = load("latency"), load("rewrite_latency")
    one, batch = latency["clean_25_tokens_one_ms"], latency["clean_25_tokens_batch_of_32_each_ms"]
    ratios = latency["clean_25_tokens_one_ratio"]
    bert, roberta = (name for name in one if name != "cpguard")
    rows = rewriting["milliseconds"]
    times = rewriting["times_faster_than_transformers"]
    return [
        f"| `import cpguard` | {latency['import_ms']['p50']:.0f} ms | < 60 ms |",
        f"| first verdict in a fresh process, `DetoxGuard` / command line "
        f"| {latency['first_verdict_guard_ms']['p50'] / 1e3:.2f} / "
        f"{latency['first_verdict_cli_ms']['p50'] / 1e3:.2f} s | < 1 s |",
        f"| clean 25-token sentence, p50 | {one['cpguard']['p50']:.1f} ms | <= 3 ms |",
        f"| the same, in a batch of 32 | {batch['cpguard']['p50']:.1f} ms each | <= 1 ms |",
        f"| against {bert} (random weights, latency only) | {ratios[bert]:.0f}x faster | >= 15x |",
        f"| against {roberta} (random weights, latency only) | {ratios[roberta]:.0f}x faster | >= 50x |",
        *(f"| flagged 12-word sentence, {name}, p50 | {row['p50']:.0f} ms, {times[name]:.1f}x | "
          f"{'<= 250 ms, >= 4x' if 'verified' in name else ''} |" for name, row in rows.items()),
    ]  # fmt: skip


def quality() -> list[str]:
    """Return the rows on quality."""
    rewriter = load("rewriter_quality")["sets"]["paradetox_dev"]
    judge = load("classifier_quality_report")["metrics"]
    false = load("false_positives")
    rows = []
    for name in ("guard, verified", "rewriter", "human reference", "copy of the source"):
        clean, near = rewriter[name]["clean_bag_of_words"], rewriter[name]["similarity"]["mean"]
        both = rewriter[name]["clean_and_similar_bag_of_words"]
        rows.append(
            f"| ParaDetox dev, {rewriter['sources']} sentences: {name} | clean "
            f"{share(clean['mean'], clean['low'], clean['high'], 0)}, similarity {near:.2f}, "
            f"clean x similarity {both['mean']:.2f} [{both['low']:.2f}, {both['high']:.2f}] | |"
        )
    for key, name, goal in (
        ("paradetox/auc", "ParaDetox", ""), ("jigsaw_wiki/auc", "Jigsaw comments", ">= .97"),
        ("unseen_groups/auc", "implicit hate, groups unseen in training", ">= .85"),
    ):  # fmt: skip
        value = judge[key]
        interval = f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
        rows.append(f"| classifier AUC, {name}, n = {value['n']} | {interval} | {goal} |")
    recall = judge["unseen_groups/recall"]
    rows.append(
        f"| classifier recall, implicit hate, unseen groups, n = {recall['n']} | "
        f"{share(recall['value'], recall['low'], recall['high'], 0)} | |"
    )
    for key, name, goal in (
        ("identity_clean", "identity-clean texts changed", "<= 3 %"),
        ("wikitext", "WikiText paragraphs changed", "<= 0.5 %"),
    ):
        value = false[key]
        rows.append(
            f"| {name}, n = {value['n']} | {share(value['share'], *value['95% interval'])} | {goal} |"
        )
    return rows


def table() -> str:
    """Return the whole block."""
    where = load("latency")["machine"]
    head = f"{where['date']}, {where['cores']} cores ({where['processor']}, {where['system']}), no GPU."
    return "\n".join([head, "", "| what | measured | goal |", "|---|---|---|", *speed(), *quality(), ""])


def main() -> None:
    """Write the table, or exit with 1 if --check finds another one."""
    readme = README.read_text(encoding="utf-8")
    updated = BLOCK.sub(lambda found: found.group(1) + table() + found.group(2), readme)
    if "--check" not in sys.argv[1:]:
        README.write_text(updated, encoding="utf-8")
    elif updated != readme:
        sys.exit("README's numbers differ from benchmarks/results. Run: python benchmarks/readme_numbers.py")


if __name__ == "__main__":
    main()
