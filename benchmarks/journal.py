"""How fast the journal writes, seals and answers.

    python benchmarks/journal.py [--rows 10000000] [--seconds 3] [--output benchmarks/results/journal.md]

Writing: durable rows a second of one and several processes, beside a bare loop over SQLite with the same settings in
the same run. Sealing: rows a second through the real path, once; the day of ten million rows is then made of copies of
its files under other ids, recorded as sealing records them. Reading: what a look at a day costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from artificer.journal.entries import PREDICTIONS, OutcomeEntry, PredictionEntry
from artificer.journal.query import query
from artificer.journal.sealing import DAY, changing, seal
from artificer.journal.segments import folder_of, read_segment, write_segment
from artificer.journal.store import open_for_reading, record_segments, segments_of
from artificer.journal.writer import Journal
from artificer.monitoring.window import read_window
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import Role, Task

NUMBERS = [f"n{i}" for i in range(8)]
LEVELS = {"c0": 2, "c1": 5, "c2": 7, "c3": 9, "c4": 16, "c5": 60}
CONTRACT = Contract(
    (
        *(ColumnSpec(name, Role.NUMERIC, "numbers", "Float64") for name in NUMBERS),
        *(ColumnSpec(name, Role.CATEGORICAL, "few texts", "String") for name in LEVELS),
    ),
    "y",
    Task.BINARY,
    ("no", "yes"),
    "yes",
)
START = 20_000 * DAY
SEALED = 200_000


def rows(count: int) -> list[dict[str, Any]]:
    draw = np.random.default_rng(0)
    cells: dict[str, list[Any]] = {name: draw.normal(size=count).round(4).tolist() for name in NUMBERS}
    cells |= {name: [f"{name}_v{c}" for c in draw.integers(0, n, count).tolist()] for name, n in LEVELS.items()}
    return [dict(zip(cells, values, strict=True)) for values in zip(*cells.values(), strict=True)]


def entries(count: int) -> list[PredictionEntry]:
    return [
        PredictionEntry(f"{i:032x}", START + i * DAY / count, "1", row, [0.25, 0.75], "yes")
        for i, row in enumerate(rows(count))
    ]


# --- writing ----------------------------------------------------------------------------------------------------------


def bare(path: Path, seconds: float) -> float:
    """Durable single rows a second of a loop over SQLite, WAL and synchronous=FULL, and nothing else."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("create table t (a integer primary key, body blob)")
        body, count, end = b"x" * 260, 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            connection.execute("insert into t (body) values (?)", (body,))
            count += 1
    return count / seconds


async def appending(path: Path, clients: int, seconds: float) -> int:
    """Rows that so many clients, one row each at a time, were told are durable."""
    row, done = rows(1)[0], 0
    with Journal(path) as journal:
        end = time.perf_counter() + seconds

        async def client(number: int) -> None:
            nonlocal done
            count = 0
            while time.perf_counter() < end:
                name = f"{os.getpid()}-{number}-{count}"
                await journal.append_async([PredictionEntry(name, time.time(), "1", row, [0.25, 0.75], "yes")])
                count += 1
            done += count

        await asyncio.gather(*[client(number) for number in range(clients)])
    return done


def several(folder: Path, processes: int, clients: int, seconds: float, *, own: bool) -> float:
    """The same from several processes, into one file or each into its own."""
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--append", str(folder / f"{n if own else 0}.db"), str(clients), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(processes)
    ]
    return sum(int(process.communicate()[0]) for process in started) / seconds


def writing(seconds: float) -> list[str]:
    lines = ["| writing, durable rows a second | | to the bare loop |", "|---|---|---|"]

    def line(what: str, rate: float, base: float) -> None:
        lines.append(f"| {what} | {rate:,.0f} | {rate / base:.1f} |")
        print(lines[-1], flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = bare(folder / "bare.db", seconds)
        line("bare loop over SQLite, a row a commit", base, base)
        line("journal, 1 client", asyncio.run(appending(folder / "one.db", 1, seconds)) / seconds, base)
        line("journal, 32 clients", asyncio.run(appending(folder / "many.db", 32, seconds)) / seconds, base)
        for processes in (2, 4):
            for own in (False, True):
                place = folder / f"{processes}-{own}"
                place.mkdir()
                what = "a file each" if own else "one file"
                rate = several(place, processes, 32 // processes, seconds, own=own)
                line(f"{processes} processes, 32 clients together, {what}", rate, base)
    return lines


# --- sealing and reading ----------------------------------------------------------------------------------------------


def filled(path: Path, count: int) -> list[str]:
    """A day of `count` sealed predictions and a tenth as many outcomes; says how fast sealing was."""
    made = entries(SEALED)
    with Journal(path) as journal:
        for begin in range(0, SEALED, 5_000):
            journal.append(made[begin : begin + 5_000])
        told = [OutcomeEntry(entry.id, entry.at + 60, "no") for entry in made[::10]]
        for begin in range(0, len(told), 5_000):
            journal.append(told[begin : begin + 5_000])
    plain = path.stat().st_size
    started, cpu = time.perf_counter(), time.process_time()
    sealed = seal(path, START + 5 * DAY, lambda version: CONTRACT)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    multiply(path, count // SEALED)
    return [
        f"Sealing: {sealed.entries / wall:,.0f} entries a second ({sealed.entries / cpu:,.0f} a second of processor "
        f"time); {plain / SEALED:.0f} bytes a prediction before, {sealed.bytes / sealed.entries:.0f} an entry after."
    ]


def multiply(path: Path, times: int) -> None:
    """Copy the sealed predictions under other ids until the day has `times` as many."""
    import polars as pl

    folder = folder_of(path)
    with closing(open_for_reading(path)) as connection:
        originals = [s for s in segments_of(connection, PREDICTIONS) if s.count > 1]
    for number in range(1, times):
        written = []
        for segment in originals:
            frame, styles = read_segment(folder, segment)
            other = frame.with_columns(pl.format("{}-{}", pl.lit(number), "_id").alias("_id"))
            written.append(write_segment(folder, PREDICTIONS, segment.day, "1", other, styles))
        with changing(path) as connection:
            record_segments(connection, written)


def timed(what: str, work: Callable[[], Any]) -> str:
    started, cpu = time.perf_counter(), time.process_time()
    found = work()
    line = f"| {what} | {time.perf_counter() - started:.2f} s | {time.process_time() - cpu:.2f} s | {found} |"
    print(line, flush=True)
    return line


def reading(path: Path, count: int) -> list[str]:
    columns = ", ".join(
        [*(f"avg({n}), stddev({n}), approx_quantile({n}, 0.5)" for n in NUMBERS), *(f"count({c})" for c in LEVELS)]
    )
    hours = "select date_trunc('hour', _time) as hour, count(*), avg(_scores[2]) from predictions group by hour"
    size = sum(file.stat().st_size for file in folder_of(path).rglob("*.parquet"))
    lines = [f"Reading a sealed day of {count:,} predictions, {size / 1e6:,.0f} MB:", ""]
    lines += ["| | wall | processor | answer |", "|---|---|---|---|"]

    def ask(sql: str) -> str:
        return f"{len(query(path, sql)['rows']):,} rows"

    def window(most: int) -> str:
        found = read_window(path, CONTRACT, START, START + DAY, "1", most)
        return f"{len(found):,} rows, {len(found.y):,} labelled"

    spread = f"select {columns} from predictions"  # noqa: S608
    lines.append(timed("SQL: mean, spread and median of 8 columns, counts of 6", lambda: ask(spread)))
    lines.append(timed("SQL: predictions and mean score by hour", lambda: ask(hours)))
    lines.append(timed("SQL: counts of every category of 6 columns", lambda: ask(counted())))
    lines.append(
        timed("monitoring's window, the newest 100,000 rows as blocks, with outcomes", lambda: window(100_000))
    )
    return lines


def counted() -> str:
    parts = [f"select '{c}', {c}, count(*) from predictions group by {c}" for c in LEVELS]  # noqa: S608
    return " union all ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--append", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.append:
        path, clients, seconds = given.append
        print(asyncio.run(appending(Path(path), int(clients), float(seconds))))
        return
    load = os.getloadavg()[0]
    lines = [
        "# The journal",
        "",
        f"`benchmarks/journal.py` on {os.cpu_count()} cores, load {load:.1f} at the start.",
        "",
    ]
    lines += [*writing(given.seconds), ""]
    folder = Path(tempfile.mkdtemp(prefix="artificer-bench-"))
    try:
        path = folder / "journal.sqlite"
        lines += [*filled(path, given.rows), ""]
        print(lines[-2], flush=True)
        lines += reading(path, given.rows // SEALED * SEALED)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.output:
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
