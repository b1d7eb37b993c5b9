"""How fast a champion is served: one process, every answer validated and durably journalled.

    python benchmarks/serving.py [--seconds 5] [--champion lightgbm|ensemble] [--output report.json]

Trains a champion on a made table of 14 mixed columns, starts ``python -m artificer.server`` on it and loads it over
loopback with ``wrk`` where that is installed (Debian: ``apt-get install wrk``), else with a client of its own, which
takes more of the machine and so shows less of the server. Prints latencies, rates and where the time of one request
goes, and writes all of it as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

NUMBERS = [f"n{i}" for i in range(8)]
LEVELS = {"c0": 2, "c1": 5, "c2": 7, "c3": 9, "c4": 16, "c5": 60}

WRK_SCRIPT = """
local file = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/json"
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('JSON{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


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


# --- load -------------------------------------------------------------------------------------------------------------


def load(url: str, body: Path, clients: int, seconds: float) -> dict[str, float]:
    """Send `body` again and again from so many clients; gives requests/s, latencies and failures."""
    if shutil.which("wrk"):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(WRK_SCRIPT)
            script.flush()
            command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "-s", script.name, f"{url}/v1/predict"]
            environment = {**os.environ, "BODY": str(body)}
            text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        said = json.loads(text.partition("JSON")[2])
        return {**said, "requests_per_s": said["requests"] / said["seconds"]}
    command = [sys.executable, __file__, "--client", url, str(body), str(clients), str(seconds)]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {**said, "requests_per_s": said["requests"] / said["seconds"]}


class Client(asyncio.Protocol):
    """One connection that sends the next request when an answer is whole."""

    def __init__(self, request: bytes, end: float, times: list[float], failures: list[int]) -> None:
        self.request, self.end, self.times, self.failures = request, end, times, failures
        self.buffer, self.needed, self.sent = b"", 0, 0.0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if not self.needed and head >= 0:
            length = self.buffer[:head].lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            self.needed = head + 4 + int(length)
        if self.needed and len(self.buffer) >= self.needed:
            self.times.append(time.perf_counter() - self.sent)
            self.failures[0] += not self.buffer.startswith(b"HTTP/1.1 200")
            self.buffer, self.needed = b"", 0
            if time.perf_counter() < self.end:
                self.send()
            else:
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def own_client(url: str, body: Path, clients: int, seconds: float) -> None:
    """Load without wrk; prints what it measured as JSON."""
    host, port = url.removeprefix("http://").split(":")
    content = body.read_bytes()
    head = f"POST /v1/predict HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    request = head.encode() + b"content-length: %d\r\n\r\n" % len(content) + content
    times: list[float] = []
    failures = [0]
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(request, started + seconds, times, failures), host, int(port))
        for _ in range(clients)
    ]
    await asyncio.gather(*[protocol.over for _, protocol in made])
    took = time.perf_counter() - started
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    print(json.dumps(
        {"requests": len(times), "seconds": took, "p50_ms": p50, "p99_ms": p99, "failed": failures[0]}
    ))  # fmt: skip


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
    rows = ROWS.read(body).rows
    blocks, _ = predictor.bundle.reader.read(rows)
    answer = predictor.answer(rows, 0.0)
    repeats = 3000 if len(rows) == 1 else 50
    split = {
        "decode the body": median_us(lambda: ROWS.read(body), repeats),
        "read rows by the contract": median_us(lambda: predictor.bundle.reader.read(rows), repeats),
        "score (ONNX Runtime)": median_us(lambda: predictor.bundle.predict_blocks(blocks), repeats),
        "read, score, name and label": median_us(lambda: predictor.answer(rows, 0.0), repeats),
        "encode for the journal": median_us(lambda: encode(answer.entries), repeats),
        "encode the answer": median_us(lambda: ROWS.write(predictor, answer), repeats),
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


def memory_mb(process: int) -> float | None:
    """Resident memory of a process, MiB, where /proc tells."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def cpu_seconds(process: int) -> float:
    """Processor time a process has used so far, all threads; zero where /proc does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(pointer: Path, folder: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start the server; gives it, its URL, and the seconds from start to the first prediction."""
    import http.client

    command = [sys.executable, "-m", "artificer.server", "--json", "--port", "0"]
    command += ["--pointer", str(pointer), "--journal", str(folder / "journal.sqlite")]
    started = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    url = json.loads(server.stdout.readline())["url"]
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    body = (folder / "rows1.json").read_bytes()
    connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()
    return server, url, time.perf_counter() - started


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement (%(default)s)")
    parser.add_argument("--champion", choices=["lightgbm", "ensemble"], default="lightgbm")
    parser.add_argument("--folder", type=Path, help="where the journal is written; default: a temporary folder")
    parser.add_argument("--output", type=Path, help="where the report is written as JSON")
    parser.add_argument("--client", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        url, body, clients, seconds = given.client
        asyncio.run(own_client(url, Path(body), int(clients), float(seconds)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        report = measure(Path(place), given.champion, given.seconds)
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(report, indent=2) + "\n")


def measure(folder: Path, champion: str, seconds: float) -> dict[str, Any]:
    """Build, serve, load; prints as it goes and returns the report."""
    pointer = build(folder, champion)
    rows, _ = table(1000, seed=1)
    for count in (1, 1000):
        (folder / f"rows{count}.json").write_text(json.dumps({"rows": rows[:count]}))
    report: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "champion": champion,
        "bundle_mb": (folder / "champion.artificer").stat().st_size / 2**20,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "client": "wrk" if shutil.which("wrk") else "own",
        "disk_sync_us": sync_us(folder),
    }
    print(f"champion: {champion}, {report['bundle_mb']:.2f} MB; disk sync {report['disk_sync_us']:.0f} us")
    server, url, cold = start(pointer, folder)
    report["cold_start_s"] = cold
    print(f"start to first prediction: {cold:.2f} s")
    try:
        load(url, folder / "rows1.json", 4, 1)  # warm
        for count, clients in ((1, 1), (1, 32), (1000, 1), (1000, 4)):
            used = cpu_seconds(server.pid)
            found = load(url, folder / f"rows{count}.json", clients, seconds)
            found["cpu_us_per_request"] = (cpu_seconds(server.pid) - used) * 1e6 / found["requests"]
            found["rows_per_s"] = found["requests_per_s"] * count
            report[f"{count} rows, {clients} clients"] = found
            print(
                f"{count:5} rows, {clients:2} clients: p50 {found['p50_ms']:8.3f} ms  p99 {found['p99_ms']:8.3f} ms  "
                f"{found['requests_per_s']:8,.0f} requests/s  {found['rows_per_s']:8,.0f} rows/s  "
                f"{found['cpu_us_per_request']:8,.0f} us CPU/request  {found['failed']:.0f} failed"
            )
        report["memory_mb"] = memory_mb(server.pid)
        print(f"memory of the server: {report['memory_mb'] or 0:.0f} MiB")
    finally:
        server.terminate()
        server.wait()
    for count in (1, 1000):
        split = cost_split(pointer, (folder / f"rows{count}.json").read_bytes(), folder)
        report[f"cost of {count} rows, us"] = split
        print(f"cost of {count} row(s), microseconds:")
        for name, cost in split.items():
            print(f"  {name:28} {cost:10.1f}")
    return report


if __name__ == "__main__":
    main()
