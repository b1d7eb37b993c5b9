"""How many events a second go from NATS through the journal back to NATS, on this machine.

    python benchmarks/stream.py [--events 60000] [--champion lightgbm|ensemble] [--outage 0]

A stream is filled, then emptied twice: by a bare nats-py loop that pulls, publishes what it got and
acknowledges, and by ``artificer stream`` with a champion of 14 mixed columns, journalling durably. Both run
against the same server in the same minute, so their ratio holds on a machine that has other work. Processor
time is counted beside the clock: what an event costs the consumer and what it costs the server. With
``--outage`` the server is killed for so many seconds in a third round, and the time until nothing waits any
more is measured. Needs nats-server (``apt-get install nats-server``) and nats-py. Writes
``results/stream.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from serving import build, table

HERE = Path(__file__).parent


class Nats:
    """A server of the benchmark's own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"nats://127.0.0.1:{self.port}"
        binary = shutil.which("nats-server") or "/usr/sbin/nats-server"
        self._command = [binary, "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(self.port)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("nats-server does not listen")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def processor(pid: int) -> float:
    """Processor seconds of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def fill(url: str, subjects: list[str], bodies: list[bytes], count: int) -> None:
    import nats

    connection = await nats.connect(url)
    context = connection.jetstream(timeout=60)
    for subject in subjects:
        await context.add_stream(name=subject.replace(".", "-"), subjects=[subject])
    for subject in subjects[:2]:
        for i in range(count):
            await connection.publish(subject, bodies[i % len(bodies)])
        await connection.flush(60)
        while (await context.stream_info(subject.replace(".", "-"))).state.messages < count:
            await asyncio.sleep(0.1)
    await connection.close()


async def bare(url: str, subject: str, out: str, count: int) -> None:
    """The loop of nats-py's own manual, with what belongs to it: a window of confirmed publications."""
    import nats
    from nats.js.api import ConsumerConfig

    connection = await nats.connect(url)
    context = connection.jetstream(timeout=60, publish_async_max_pending=10_000)
    config = ConsumerConfig(max_ack_pending=10_000)
    subscription = await context.pull_subscribe(subject, "bare", config=config)
    done = 0
    while done < count:
        messages = await subscription.fetch(1000, timeout=10)
        kept = [await context.publish_async(out, message.data) for message in messages]
        await asyncio.gather(*kept)
        for message in messages:
            await message.ack()
        done += len(messages)
    await connection.flush()
    await connection.close()


async def until_there(url: str, subject: str, count: int) -> float:
    """When a stream holds so many messages."""
    import nats

    connection = await nats.connect(url, max_reconnect_attempts=-1, error_cb=_ignore)
    context = connection.jetstream(timeout=60)
    while True:
        try:
            if (await context.stream_info(subject.replace(".", "-"))).state.messages >= count:
                break
        except Exception as error:  # the server is away: that is the experiment
            _ = error
        await asyncio.sleep(0.1)
    at = time.perf_counter()
    await connection.close()
    return at


async def _ignore(error: Exception) -> None:
    pass


def consumer(folder: Path, url: str) -> subprocess.Popen[str]:
    (folder / ".artificer").mkdir(exist_ok=True)
    (folder / "artificer.toml").write_text(
        f'[data]\ntarget = "y"\n[stores]\nhome = "."\n[stream]\nurl = "{url}"\nevents = "events"\n'
        'predictions = "scored"\ndead_letters = "dead"\nname = "bench"\nmetrics_port = 0\ncreate = true\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "artificer.streams", "--project", str(folder), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline(), "the consumer did not start"
    return process


def measured(name: str, pid: int, server: Nats, events: int, work: Callable[[], float | None]) -> dict[str, Any]:
    """Time a run from outside; `work` may say when it was done."""
    own, theirs, started = processor(pid), processor(server.process.pid), time.perf_counter()
    ended = work() or time.perf_counter()
    seconds = ended - started
    found = {
        "name": name,
        "seconds": seconds,
        "rate": events / seconds,
        "own_us": (processor(pid) - own) / events * 1e6,
        "server_us": (processor(server.process.pid) - theirs) / events * 1e6,
    }
    print(json.dumps(found), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--champion", choices=["lightgbm", "ensemble"], default="lightgbm")
    parser.add_argument("--outage", type=float, default=0.0, help="seconds that the server is away")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        build(folder, given.champion)
        rows, _ = table(5_000, seed=1)
        bodies = [json.dumps(row).encode() for row in rows]
        server = Nats(folder / "nats")
        try:
            asyncio.run(fill(server.url, ["events", "bare", "scored", "bare-out", "dead"], bodies, given.events))
            loop = lambda: asyncio.run(bare(server.url, "bare", "bare-out", given.events))  # noqa: E731
            found = [measured("a bare nats-py loop", os.getpid(), server, given.events, loop)]
            process = consumer(folder, server.url)
            wait = lambda: asyncio.run(until_there(server.url, "scored", given.events))  # noqa: E731
            found.append(measured("artificer stream", process.pid, server, given.events, wait))
            memory = psutil.Process(process.pid).memory_info().rss / 2**20
            lines = []
            if given.outage:
                lines.append(outage(server, bodies, given))
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            server.kill()
        from artificer.journal.reader import counts

        kept = counts(folder / "journal.sqlite").predictions
        write(found, memory, kept, bodies, given, lines)


def outage(server: Nats, bodies: list[bytes], given: argparse.Namespace) -> str:
    """Kill the server while events flow, start it again, and see how long what waits takes."""
    asyncio.run(more(server.url, bodies, given.events))
    server.kill()
    time.sleep(given.outage)
    server.start()
    began = time.perf_counter()
    seconds = asyncio.run(until_there(server.url, "scored", 2 * given.events)) - began
    return (
        f"With {given.events:,} more events sent, the server was killed (-9) and came back after {given.outage:.0f} s: "
        f"nothing waited any more {seconds:.1f} s later."
    )


async def more(url: str, bodies: list[bytes], count: int) -> None:
    import nats

    connection = await nats.connect(url)
    context = connection.jetstream(timeout=60)
    for i in range(count):
        await connection.publish("events", bodies[i % len(bodies)])
    await connection.flush(60)
    while (await context.stream_info("events")).state.messages < 2 * count:  # before it is kept, a kill may take it
        await asyncio.sleep(0.05)
    await connection.close()


def write(
    found: list[dict[str, Any]],
    memory: float,
    kept: int,
    bodies: list[bytes],
    given: argparse.Namespace,
    lines: list[str],
) -> None:
    size = sum(map(len, bodies)) / len(bodies)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    text = [
        "# Events from NATS through the journal to NATS",
        "",
        f"`benchmarks/stream.py --events {given.events} --champion {given.champion}`: events of {size:.0f} bytes with "
        f"14 mixed columns, waiting in a JetStream of files. Python {platform.python_version()}, {os.cpu_count()} "
        f"processors, load averages at the end {load}: under other work only ratios mean something.",
        "",
        "| | events/s | processor time an event | of the server |",
        "|---|---|---|---|",
        *(f"| {f['name']} | {f['rate']:,.0f} | {f['own_us']:.0f} us | {f['server_us']:.0f} us |" for f in found),
        "",
        "The bare loop pulls 1,000, publishes each and waits for the confirmations, acknowledges each; it reads, "
        f"scores and keeps nothing. Artificer's rate is {found[1]['rate'] / found[0]['rate']:.2f} times the loop's. "
        f"The journal held {kept:,} predictions; the consumer's memory was {memory:.0f} MiB.",
        *["" for _ in lines[:1]],
        *lines,
    ]
    (HERE / "results" / "stream.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
