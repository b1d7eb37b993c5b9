"""How fast a champion is served, beside what others serve models with, in one run.

    python benchmarks/serving.py [--seconds 5] [--peers fastapi,bentoml,mlflow | none] [--requests 1000000]

Trains champions on a made table of 14 mixed columns (LightGBM alone, and an ensemble of three), starts
``python -m artificer.server`` on each and loads it over loopback, every answer validated and durably journalled; then
the same rows through the same kind of model behind each peer, in an environment of its own that is made on first use
(a few hundred MB). Prints and writes ``benchmarks/results/serving.json`` and ``serving.md``: latencies, rates, ratios,
memory before and after many requests, and where the time of one request goes.

``wrk`` makes the load where it is installed (Debian: ``apt-get install wrk``). About ten minutes with everything; the
journal lies in a temporary folder, so ``TMPDIR`` or ``--folder`` says which disk is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import serving_peers
from serving_load import cpu_seconds, load, memory_mb

HERE = Path(__file__).parent
NUMBERS = [f"n{i}" for i in range(8)]
LEVELS = {"c0": 2, "c1": 5, "c2": 7, "c3": 9, "c4": 16, "c5": 60}
TARGETS = """Wanted: one row, LightGBM, one worker: p50 at most 0.6 ms and p99 at most 3 ms at one client, 10,000
requests/s at 32; an ensemble at most 1.2 ms and 3,000/s; bodies of 1,000 rows 60,000 rows/s; under 200 MiB."""


# --- the champion -----------------------------------------------------------------------------------------------------


def table(rows: int, seed: int) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Make rows as JSON has them, some cells missing, and a binary target that depends on them."""
    draw = np.random.default_rng(seed)
    numbers = draw.normal(size=(rows, len(NUMBERS))).round(4)
    codes = {name: draw.integers(0, levels, rows) for name, levels in LEVELS.items()}
    effects = np.random.default_rng(7).normal(size=(len(LEVELS), max(LEVELS.values())))
    logit = numbers[:, 0] - 0.5 * numbers[:, 1] ** 2 + np.sin(2 * numbers[:, 2]) * numbers[:, 3]
    logit += 0.5 * sum(effects[j, code] for j, code in enumerate(codes.values()))
    target = (draw.random(rows) < 1 / (1 + np.exp(-(logit - np.median(logit))))).astype(np.int64)
    cells: dict[str, list[Any]] = {name: numbers[:, j].tolist() for j, name in enumerate(NUMBERS)}
    cells |= {name: [f"{name}_v{code}" for code in column.tolist()] for name, column in codes.items()}
    for name in ("n0", "n5", "c2"):
        for row in np.flatnonzero(draw.random(rows) < 0.05).tolist():
            cells[name][row] = None
    return [dict(zip(cells, values, strict=True)) for values in zip(*cells.values(), strict=True)], target


def build(folder: Path, champion: str) -> Path:
    """Train, write the bundle and point at it."""
    from artificer.algorithms.base import FitContext, algorithms
    from artificer.bundle.assemble import MemberGraph, assemble
    from artificer.bundle.calibration import Calibration
    from artificer.bundle.format import BundleContent, write_bundle
    from artificer.bundle.pointer import Pointer, write_pointer
    from artificer.features.planning import plan
    from artificer.features.representation import Representation, target_columns
    from artificer.graph import Graph
    from artificer.tables.contract import ColumnSpec, Contract, RowReader
    from artificer.types import Kind, Role, Task

    rows, target = table(20_000, seed=0)
    columns = [ColumnSpec(name, Role.NUMERIC, "numbers", "Float64") for name in NUMBERS]
    for name in LEVELS:
        known = tuple(sorted({row[name] for row in rows if row[name] is not None}))
        columns.append(ColumnSpec(name, Role.CATEGORICAL, "few texts", "String", categories=known))
    contract = Contract(tuple(columns), "y", Task.BINARY, ("0", "1"), "1", "int")
    blocks, _ = RowReader(contract).read(rows)
    names = {kind: contract.names(kind) for kind in Kind}
    representation = Representation(plan("trees", blocks, names, Task.BINARY, 2))
    features = representation.fit_transform(blocks, target_columns(target, Task.BINARY, 2), names, seed=0)
    chosen: dict[str, dict[str, Any]] = {"lightgbm": {"rounds": 300}}
    if champion == "ensemble":
        chosen |= {"catboost": {"rounds": 300}, "extra_trees": {}}
    members = []
    for name, params in chosen.items():
        fitted = algorithms()[name](**params).fit(features, target, FitContext(Task.BINARY, 2, 0, os.cpu_count() or 1))
        graph = Graph()
        scores = fitted.emit(graph, graph.input("features", "float32", features.shape[1]))
        graph.output("scores", scores, "float32", 2)
        members.append(MemberGraph(representation.fragment(), "trees", graph.fragment(), 1.0))
    model = assemble(members, Calibration.platt(1.0, 0.0), contract)
    now = datetime.now(UTC)
    sha256 = write_bundle(
        folder / "champion.artificer", BundleContent("bench", model, contract, {}, {}, {}, {}), created=now
    )
    pointer = folder / "champion.json"
    write_pointer(pointer, Pointer("bench", 1, "champion.artificer", sha256, now))
    return pointer


# --- where the time goes ----------------------------------------------------------------------------------------------


def median_us(work: Callable[[], Any], repeats: int = 3000) -> float:
    """Median time of a call, microseconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - started)
    return float(np.median(times)) / 1e3


def cost_split(pointer: Path, body: bytes, folder: Path) -> dict[str, float]:
    """Time the stages of one request, in this process, one after the other."""
    from artificer.bundle.pointer import read_pointer
    from artificer.journal.entries import encode
    from artificer.journal.writer import Journal
    from artificer.server.dialects.rows import ROWS
    from artificer.serving.champion import load as load_champion
    from artificer.serving.ids import Ids

    predictor = load_champion(pointer, read_pointer(pointer), Ids())
    ask = ROWS.read(body, predictor)
    rows = ask.rows
    blocks, _ = predictor.bundle.reader.read(rows)
    answer = predictor.answer(rows, 0.0)
    repeats = 3000 if len(rows) == 1 else 50
    split = {
        "decode the body": median_us(lambda: ROWS.read(body, predictor), repeats),
        "read rows by the contract": median_us(lambda: predictor.bundle.reader.read(rows), repeats),
        "score (ONNX Runtime)": median_us(lambda: predictor.bundle.predict_blocks(blocks), repeats),
        "read, score, name and label": median_us(lambda: predictor.answer(rows, 0.0), repeats),
        "encode for the journal": median_us(lambda: encode(answer.entries), repeats),
        "encode the answer": median_us(lambda: ROWS.write(predictor, answer, ask), repeats),
    }
    with Journal(folder / "split.sqlite") as journal:
        split["durable commit, one waiting"] = median_us(lambda: journal.append(answer.entries), min(repeats, 1000))
    return split


def sync_us(folder: Path) -> float:
    """How long this disk takes to make 4 KiB durable, microseconds: below this no durable answer can go."""
    with open(folder / "sync", "wb", buffering=0) as file:
        file.write(bytes(1 << 22))
        os.fsync(file.fileno())

        def write() -> None:
            file.seek(0)
            file.write(bytes(4096))
            os.fdatasync(file.fileno())

        return median_us(write, 500)


# --- measuring --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(pointer: Path, folder: Path, *flags: str) -> Iterator[tuple[int, str, float]]:
    """Serve; gives the process, the URL to post to, and the seconds from start to the first prediction."""
    import http.client

    command = [sys.executable, "-m", "artificer.server", "--json", "--port", "0", *flags]
    command += ["--pointer", str(pointer), "--journal", str(folder / "journal.sqlite")]
    started = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        body = (pointer.parent / "rows1.json").read_bytes()
        connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()
        yield server.pid, f"{url}/v1/predict", time.perf_counter() - started
    finally:
        server.terminate()
        server.wait()
        for file in folder.glob("journal.sqlite*"):
            file.unlink()


def stages(process: int, url: str, folder: Path, body: str, seconds: float, batches: bool = True) -> dict[str, Any]:
    """Load a server with one row and with a thousand."""
    report: dict[str, Any] = {}
    load(url, folder / f"{body}1.json", 4, 1)  # warm
    cases = [(1, 1), (1, 32), *([(1000, 1), (1000, 4)] if batches else [])]
    for count, clients in cases:
        used = cpu_seconds(process)
        found = load(url, folder / f"{body}{count}.json", clients, seconds)
        found["cpu_us_per_request"] = (cpu_seconds(process) - used) * 1e6 / max(found["requests"], 1)
        found["rows_per_s"] = found["requests_per_s"] * count
        report[f"{count} rows, {clients} clients"] = found
        print(
            f"{count:5} rows, {clients:2} clients: p50 {found['p50_ms']:8.3f} ms  p99 {found['p99_ms']:8.3f} ms  "
            f"{found['requests_per_s']:8,.0f} requests/s  {found['rows_per_s']:8,.0f} rows/s  "
            f"{found['cpu_us_per_request']:8,.0f} us CPU/request  {found['failed']:.0f} failed",
            flush=True,
        )
    report["memory_mb"] = memory_mb(process)
    print(f"memory: {report['memory_mb']:.0f} MiB", flush=True)
    return report


def soak(process: int, url: str, folder: Path, requests: int) -> dict[str, float]:
    """Send so many requests; gives the memory before and after, MiB."""
    found = {"requests": 0.0, "before_mb": memory_mb(process), "failed": 0.0}
    while found["requests"] < requests:
        said = load(url, folder / "rows1.json", 32, 10)
        found["requests"] += said["requests"]
        found["failed"] += said["failed"]
    found["after_mb"] = memory_mb(process)
    print(
        f"after {found['requests']:,.0f} requests: {found['before_mb']:.0f} MiB became {found['after_mb']:.0f}",
        flush=True,
    )
    return found


def ours(folder: Path, seconds: float, requests: int) -> dict[str, Any]:
    """Serve with Artificer: LightGBM, the same with two workers, an ensemble."""
    report: dict[str, Any] = {}
    for champion in ("lightgbm", "ensemble"):
        place = folder / champion
        place.mkdir()
        pointer = build(place, champion)
        rows, _ = table(1000, seed=1)
        for count in (1, 1000):
            (place / f"rows{count}.json").write_text(json.dumps({"rows": rows[:count]}))
        print(f"== {champion}, {(place / 'champion.artificer').stat().st_size / 2**20:.2f} MB", flush=True)
        with serving(pointer, place) as (process, url, cold):
            print(f"start to first prediction: {cold:.2f} s")
            report[champion] = {"cold_start_s": cold, **stages(process, url, place, "rows", seconds)}
            if champion == "lightgbm" and requests:
                report[champion]["soak"] = soak(process, url, place, requests)
        if champion == "lightgbm":
            print("== lightgbm, two workers", flush=True)
            with serving(pointer, place, "--workers", "2") as (process, url, cold):
                report["lightgbm, 2 workers"] = {"cold_start_s": cold, **stages(process, url, place, "rows", seconds)}
            for count in (1, 1000):
                split = cost_split(pointer, (place / f"rows{count}.json").read_bytes(), place)
                report[f"cost of {count} rows, us"] = split
                print(f"cost of {count} row(s), microseconds:")
                for name, cost in split.items():
                    print(f"  {name:28} {cost:10.1f}")
    return report


def others(folder: Path, environments: Path, names: list[str], seconds: float) -> dict[str, Any]:
    """Serve with the peers; one that cannot be installed or started is said and left out."""
    report: dict[str, Any] = {}
    rows, target = table(20_000, seed=0)
    (folder / "table.json").write_text(json.dumps({"rows": rows, "target": target.tolist()}))
    asked, _ = table(1000, seed=1)
    for count in (1, 1000):
        (folder / f"rows{count}.json").write_text(json.dumps({"rows": asked[:count]}))
    serving_peers.bodies(folder, asked, (1, 1000))
    for name in names:
        peer = serving_peers.PEERS[name]
        print(f"== {peer.name}", flush=True)
        try:
            with serving_peers.serving(name, environments, folder) as (process, url, cold):
                print(f"start to first prediction: {cold:.2f} s")
                report[peer.name] = {"cold_start_s": cold, **stages(process, url, folder, peer.body, seconds)}
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{peer.name} is left out: {error}", flush=True)
    return report


def markdown(report: dict[str, Any]) -> str:
    """The report as a page."""
    machine = report["machine"]
    lines = [
        "# Serving",
        "",
        f"{report['at'][:10]}, {machine['cores']} cores, Python {machine['python']}, load by {report['client']} on the "
        f"same machine, {report['seconds']:g} s a measurement. A sync of this disk takes {report['disk_sync_us']:.0f} "
        "us. One row has 14 columns; Artificer validates each and journals it durably before it answers, the peers "
        "write nothing down.",
        "",
        TARGETS.replace("\n", " "),
        "",
        "| server | p50, p99 at 1 client | requests/s at 32 clients | rows/s in bodies of 1,000, 1 and 4 clients "
        "| memory, MiB | start, s |",
        "|---|---|---|---|---|---|",
    ]
    served = {f"Artificer, {name}": of for name, of in report["artificer"].items() if "cold_start_s" in of}
    for name, of in {**served, **report["peers"]}.items():
        one, many = of["1 rows, 1 clients"], of["1 rows, 32 clients"]
        batch = [of[f"1000 rows, {clients} clients"]["rows_per_s"] for clients in (1, 4)]
        lines.append(
            f"| {name} | {one['p50_ms']:.2f} ms, {one['p99_ms']:.2f} ms | {many['requests_per_s']:,.0f} "
            f"| {batch[0]:,.0f}, {batch[1]:,.0f} | {of['memory_mb']:.0f} | {of['cold_start_s']:.2f} |"
        )
    rate = report["artificer"]["lightgbm"]["1 rows, 32 clients"]["requests_per_s"]
    ratios = [
        f"{rate / of['1 rows, 32 clients']['requests_per_s']:.0f} times {name}" for name, of in report["peers"].items()
    ]
    if ratios:
        lines += ["", f"At 32 clients Artificer with LightGBM and one worker answers {', '.join(ratios)}."]
    kept = report["artificer"]["lightgbm"].get("soak")
    if kept:
        lines += [
            "",
            f"After {kept['requests']:,.0f} requests {kept['before_mb']:.0f} MiB had become {kept['after_mb']:.0f}; "
            f"{kept['failed']:.0f} failed.",
        ]
    one, thousand = (report["artificer"][f"cost of {count} rows, us"] for count in (1, 1000))
    lines += ["", "| stage, alone in one process | 1 row, us | 1,000 rows, us |", "|---|---|---|"]
    lines += [f"| {name} | {cost:.1f} | {thousand[name]:,.0f} |" for name, cost in one.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement (%(default)s)")
    parser.add_argument("--peers", default=",".join(serving_peers.PEERS), help="whom beside us, or none (%(default)s)")
    parser.add_argument("--environments", type=Path, default=HERE / ".environments" / "serving")
    parser.add_argument("--requests", type=int, default=1_000_000, help="before memory is looked at again; 0 for none")
    parser.add_argument("--folder", type=Path, help="where the journal is written; default: a temporary folder")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "serving.json")
    given = parser.parse_args()
    peers = [name for name in given.peers.split(",") if name and name != "none"]
    unknown = set(peers) - set(serving_peers.PEERS)
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}; there are {', '.join(serving_peers.PEERS)}")
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        folder = Path(place)
        report: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
            "client": "wrk" if shutil.which("wrk") else "a client of our own",
            "seconds": given.seconds,
            "disk_sync_us": sync_us(folder),
            "artificer": ours(folder, given.seconds, given.requests),
            "peers": others(folder, given.environments.resolve(), peers, given.seconds),
        }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(report, indent=2) + "\n")
    given.output.with_suffix(".md").write_text(markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
