"""Load over HTTP, by ``wrk`` where it is installed (Debian: ``apt-get install wrk``), else by a client of our own.

The client takes more of the machine than wrk and so shows less of the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

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


def load(url: str, body: Path, clients: int, seconds: float) -> dict[str, float]:
    """Send `body` again and again from so many clients; gives requests/s, latencies and failures."""
    if shutil.which("wrk"):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(WRK_SCRIPT)
            script.flush()
            command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--timeout", "30s", "-s", script.name, url]
            environment = {**os.environ, "BODY": str(body)}
            text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        said = json.loads(text.partition("JSON")[2])
    else:
        command = [sys.executable, __file__, url, str(body), str(clients), str(seconds)]
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
    place, _, path = url.removeprefix("http://").partition("/")
    host, port = place.split(":")
    content = body.read_bytes()
    head = f"POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
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


def memory_mb(process: int) -> float:
    """Resident memory of a process and its children, MiB; zero where /proc does not tell."""
    total = 0.0
    for one in tree(process):
        try:
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
    return total


def cpu_seconds(process: int) -> float:
    """Processor time that a process and its children have used so far; zero where /proc does not tell."""
    total = 0.0
    for one in tree(process):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def tree(process: int) -> list[int]:
    """A process and all that it started."""
    found, at = [process], 0
    while at < len(found):
        for tasks in Path(f"/proc/{found[at]}/task").glob("*/children"):
            try:
                found += [int(child) for child in tasks.read_text().split()]
            except OSError:
                continue
        at += 1
    return found


if __name__ == "__main__":
    asyncio.run(own_client(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
