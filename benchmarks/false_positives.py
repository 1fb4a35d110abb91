"""How often the default guard changes text that nobody should want changed.

    CPGUARD_DATA=... python benchmarks/false_positives.py

1,000 WikiText-103 validation paragraphs and every clean text of the identity set, through
`DetoxGuard().detoxify`; neither set takes part in any training, calibration or choice of thresholds.
"""

from __future__ import annotations

import random
from typing import Any

from _machine import machine, save

from cpguard import DetoxGuard, GuardResult
from cpguard_train.data.sources import load_identity_clean, load_wikitext


def wilson(changed: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share (Wilson 1927)."""
    z = 1.959964
    share = changed / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4)


def measure(texts: list[str], results: list[GuardResult]) -> dict[str, Any]:
    """Return the share changed, its interval, by action, and whether the rest is byte-identical."""
    changed = sum(result.changed for result in results)
    actions: dict[str, int] = {}
    for result in results:
        actions[result.action] = actions.get(result.action, 0) + 1
    identical = all(r.text == t for t, r in zip(texts, results, strict=True) if not r.changed)
    return {
        "n": len(texts),
        "changed": changed,
        "share": round(changed / len(texts), 4),
        "95% interval": wilson(changed, len(texts)),
        "actions": actions,
        "unchanged texts byte-identical": identical,
    }


def main() -> None:
    """Measure, print and write benchmarks/results/false_positives.json."""
    guard = DetoxGuard()
    wikitext = load_wikitext()
    sets = {
        "wikitext": random.Random(0).sample(wikitext, min(1000, len(wikitext))),
        "identity_clean": load_identity_clean(),
    }
    result: dict[str, Any] = {"machine": machine("cpguard", "onnxruntime", "xllamacpp")}
    for name, texts in sets.items():
        result[name] = measure(texts, guard.detoxify(texts))
        print(name, result[name])
    print(f"written: {save('false_positives', result)}")


if __name__ == "__main__":
    main()
