"""How fast files are scored out of core: `artificer predict` with a LightGBM champion of 14 mixed columns.

    python benchmarks/batch.py [--rows 1000000] [--output benchmarks/results/batch.md]

Rows a second of wall time say what this machine did meanwhile; rows a second of processor time say what the code costs,
and times the cores they bound what an idle machine reaches.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import polars as pl

import serving
from artificer.bundle.format import load_bundle
from artificer.training.score import score_file


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    lines = [
        "# Files scored out of core",
        "",
        f"`benchmarks/batch.py`, {given.rows:,} rows of 14 mixed columns, LightGBM of 300 trees, {cores} cores, load "
        f"{os.getloadavg()[0]:.1f} at the start.",
        "",
        "| input | output | threads | rows/s | rows/s of processor time | times cores | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory(prefix="artificer-bench-") as name:
        folder = Path(name)
        serving.build(folder, "lightgbm")
        part = pl.DataFrame(serving.table(50_000, seed=1)[0], infer_schema_length=None)
        whole = pl.concat([part] * (given.rows // part.height))
        whole.write_parquet(folder / "rows.parquet")
        whole.write_csv(folder / "rows.csv")
        bundle = load_bundle(folder / "champion.artificer")
        for source, output, threads in (
            ("rows.parquet", "scored.parquet", 1),
            ("rows.parquet", "scored.parquet", cores),
            ("rows.csv", "scored.csv", cores),
        ):
            started, cpu = time.perf_counter(), time.process_time()
            rows = score_file(bundle, str(folder / source), folder / output, threads=threads)["rows"]
            wall, cpu = time.perf_counter() - started, time.process_time() - cpu
            assert rows == whole.height
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            lines.append(
                f"| {source} | {output} | {threads} | {rows / wall:,.0f} | {rows / cpu:,.0f} "
                f"| {rows / cpu * cores:,.0f} | {memory:,.0f} MiB |"
            )
            print(lines[-1], flush=True)
    if given.output:
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
