"""Seconds and memory of a table's profile, beside DuckDB's SUMMARIZE and Polars' describe in the same run.

    python benchmarks/profile.py [--rounds 3] [--only 1Mx30 10Mx20 100kx1000]

Tables are made up (numbers of several shapes, missing cells, codes, times, categories of 5 to 5,000 values, ids)
and written as Parquet. Each measurement is a process of its own that reads the file; tools take turns, the best of
rounds counts, as what other processes do can only slow one down. Memory is the process's peak (VmHWM). Results go to
``results/profile.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).parent
PART = 500_000
SIZES = {"1Mx30": (1_000_000, 30), "10Mx20": (10_000_000, 20), "100kx1000": (100_000, 1_000)}


def part(rows: int, columns: int, seed: int) -> pl.DataFrame:
    """Some rows of the made-up table; the shapes of its columns repeat every fifteen."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=rows)
    made: dict[str, Any] = {}
    for index in range(columns - 1):
        made[f"c{index}"] = column(index % 15, rows, base, rng, seed)
    made["y"] = base + rng.normal(size=rows) > 0.5
    return pl.DataFrame(made)


def column(shape: int, rows: int, base: Any, rng: np.random.Generator, seed: int) -> Any:
    if shape in (0, 1, 2, 3):
        return rng.normal(shape, 1 + shape, rows) + base * (shape == 1)
    if shape in (4, 5):
        return rng.lognormal(0, shape - 3, rows)
    if shape == 6:
        return pl.Series(rng.normal(size=rows)).set(pl.Series(rng.random(rows) < 0.1), None)
    if shape in (7, 8, 9):
        return rng.integers(0, (2, 100, 100_000)[shape - 7], rows)
    if shape == 10:
        return pl.Series((seed * rows + np.arange(rows)) * 1_000_000).cast(pl.Datetime("us"))
    if shape == 14:
        return pl.Series(rng.integers(0, 10**9, rows)).cast(pl.String)
    return "value " + pl.Series(rng.integers(0, (5, 50, 5_000)[shape - 11], rows)).cast(pl.String)


def write(path: Path, rows: int, columns: int) -> None:
    """Write the table in parts, so that making it needs no more memory than reading it."""
    import pyarrow.parquet as pq

    step = min(PART, max(10_000, 10_000_000 // columns), rows)
    first = part(step, columns, 0).to_arrow()
    with pq.ParquetWriter(path, first.schema) as file:
        for seed in range(rows // step):
            file.write_table(first if seed == 0 else part(step, columns, seed).to_arrow().cast(first.schema))


def summarize(path: str, output: str) -> Any:
    import duckdb

    return len(duckdb.sql(f"SUMMARIZE SELECT * FROM '{path}'").fetchall())  # noqa: S608 -- a path of our own


def describe(path: str, output: str) -> Any:
    return pl.read_parquet(path).describe().height


def profile(path: str, output: str) -> Any:
    """The profile alone: what ``artificer explore`` knows of each column."""
    from artificer.api.exploring import asked_of, profiled

    return profiled(asked_of(path), "y")[0].rows


def report(path: str, output: str) -> Any:
    """The whole command: profile, relations to the target and between columns, time, differences, HTML file."""
    from artificer.api import explore

    return explore(path, target="y", output=Path(output))["seconds"]


TOOLS: dict[str, Callable[[str, str], Any]] = {
    "DuckDB SUMMARIZE": summarize,
    "Polars describe": describe,
    "artificer profile": profile,
    "artificer explore, whole": report,
}


def measure(tool: str, path: Path, output: Path) -> dict[str, Any]:
    """One tool in a process of its own."""
    command = [sys.executable, __file__, "--measure", tool, str(path), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(tool: str, path: str, output: str) -> None:
    from time import perf_counter, process_time

    import duckdb  # noqa: F401 -- imports are not what is measured

    import artificer.exploration.document
    import artificer.exploration.explore  # noqa: F401

    started, worked = perf_counter(), process_time()
    result = TOOLS[tool](path, output)
    seconds, worked = perf_counter() - started, process_time() - worked
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(json.dumps({"seconds": seconds, "cpu": worked, "mib": peak / 1024, "result": result}))


def run(names: list[str], rounds: int, wanted: list[str], kept: Path | None) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = kept or Path(temporary)
        for name in names:
            path, output = Path(folder, f"{name}.parquet"), Path(folder, f"{name}.html")
            if not path.exists():
                write(path, *SIZES[name])
            found: dict[str, list[dict[str, Any]]] = {tool: [] for tool in TOOLS}
            # Describing ten million rows takes the whole table into memory.
            tools = [tool for tool in wanted if not (name == "10Mx20" and tool == "Polars describe")]
            for _ in range(rounds if name == "1Mx30" else 1):
                for tool in tools:
                    found[tool].append(measure(tool, path, output))
                    print(name, tool, round(found[tool][-1]["seconds"], 2), "s", round(found[tool][-1]["mib"]), "MiB")
            for tool in tools:
                best = min(found[tool], key=lambda one: one["seconds"])
                peak = max(one["mib"] for one in found[tool])
                size = output.stat().st_size / 1e6 if tool == "artificer explore, whole" else None
                rows.append({"table": name, "tool": tool, **best, "mib": peak, "report_mb": size})
    return rows


def text(rows: list[dict[str, Any]], rounds: int) -> str:
    lines = [
        "# Profile of a table",
        "",
        "`python benchmarks/profile.py` on made-up tables in Parquet: best of "
        f"{rounds} rounds for 1Mx30, one for the others; each in a process of its own, reading included, imports not.",
        "Against: seconds divided by those of DuckDB's SUMMARIZE in the same run. CPU seconds are those of all cores",
        "together, and say more where other processes are at work. Memory is the peak of the process.",
        "",
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load average "
        f"{os.getloadavg()[2]:.1f} over the last 15 minutes: other processes were at work wherever it is above 2.",
        "",
        "| table | tool | seconds | against SUMMARIZE | CPU seconds | against SUMMARIZE | peak MiB | report MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    base = {row["table"]: row for row in rows if row["tool"] == "DuckDB SUMMARIZE"}
    for row in rows:
        size = f"{row['report_mb']:.2f}" if row["report_mb"] else ""
        lines.append(
            f"| {row['table']} | {row['tool']} | {row['seconds']:.2f} | "
            f"{row['seconds'] / base[row['table']]['seconds']:.2f} | {row['cpu']:.2f} | "
            f"{row['cpu'] / base[row['table']]['cpu']:.2f} | {row['mib']:,.0f} | {size} |"
        )
    stages = [row for row in rows if isinstance(row["result"], dict)]
    lines += ["", "Seconds of `artificer explore` by stage:", ""]
    for row in stages:
        lines.append(f"- {row['table']}: " + ", ".join(f"{name} {value:.2f}" for name, value in row["result"].items()))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--output", type=Path, default=HERE / "results" / "profile.md")
    parser.add_argument("--tools", nargs="*", choices=list(TOOLS), default=list(TOOLS))
    parser.add_argument("--folder", type=Path, help="where the tables are made, and kept for the next run")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measured(*given.measure)
        return
    rows = run(given.only, given.rounds, given.tools, given.folder)
    given.output.write_text(text(rows, given.rounds), encoding="utf-8")
    print(given.output.read_text())


if __name__ == "__main__":
    main()
