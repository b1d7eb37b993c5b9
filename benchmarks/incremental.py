"""Does a learner that follows the outcomes keep up with drift where a frozen champion does not?

    python benchmarks/incremental.py [--budget "8 fits"]

For each table: a champion is trained on the first fifth of the rows in the order of time, then stays as it is. The rest
comes row by row; the champion answers, the learner on top of it answers, and then both are told the outcome, from which
only the learner learns. Scores are of each tenth of the stream. Writes ``results/incremental.md``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import artificer
from artificer.loop.learner import new_learner
from artificer.metrics.base import metric
from artificer.tables.arrays import encode_target, to_blocks

HERE = Path(__file__).parent
DATA = HERE.parent / ".." / "shared" / "data"
TABLES = {
    "elec2": ("elec2.parquet", "class", "timestamp", "roc_auc"),
    "keystroke": ("keystroke.parquet", "class", "order", "log_loss"),
}
PARTS = 10


def play(name: str, budget: str) -> dict[str, Any]:
    file, target, order, of = TABLES[name]
    table = pl.read_parquet(DATA / file).sort(order)
    first = table.height // 5
    run = artificer.train(table.head(first).drop(order), target=target, budget=budget)
    bundle = run.model.bundle
    held = max(first // 5, 50)
    stream = table.slice(first).drop(order)
    seen, _ = to_blocks(table.slice(first - held, held).drop(order), bundle.contract, strict=False)
    learner = new_learner(bundle, seen, encode_target(table.slice(first - held, held), bundle.contract))
    blocks, _ = to_blocks(stream, bundle.contract, strict=False)
    y = encode_target(stream, bundle.contract)
    frozen = bundle.predict_blocks(blocks)
    started = time.perf_counter()
    learner, followed = learner.follow(learner.encode(blocks), y)
    each = (time.perf_counter() - started) / len(y) * 1e6
    positive = bundle.contract.classes.index(bundle.contract.positive) if bundle.contract.positive else 1
    score = metric(of, positive).score
    parts = np.array_split(np.arange(len(y)), PARTS)
    result = {
        "table": name,
        "metric": of,
        "rows": len(y),
        "us": each,
        "frozen": score(y, frozen),
        "followed": score(y, followed),
        "parts": [(score(y[p], frozen[p]), score(y[p], followed[p])) for p in parts],
        "accuracy": [float((s.argmax(axis=1) == y).mean()) for s in (frozen, followed)],
    }
    print(result, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="8 fits")
    given = parser.parse_args()
    found = [play(name, given.budget) for name in TABLES]
    lines = ["# Learning from the stream", "", *(__doc__ or "").split("\n\n")[2:3], ""]
    lines += ["| table | metric | rows | frozen champion | with the learner | accuracy of each | a row |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for f in found:
        shares = ", ".join(f"{share:.3f}" for share in f["accuracy"])
        lines.append(
            f"| {f['table']} | {f['metric']} | {f['rows']:,} | {f['frozen']:.4f} | {f['followed']:.4f} | {shares} | "
            f"{f['us']:.0f} us |"
        )
    lines += ["", "By tenths of the stream, frozen → with the learner:", ""]
    for f in found:
        lines += [f"- {f['table']}: " + ", ".join(f"{a:.3f} → {b:.3f}" for a, b in f["parts"])]
    (HERE / "results" / "incremental.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
