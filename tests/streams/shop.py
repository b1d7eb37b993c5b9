"""A project whose champion is a small real bundle, a broker's other side, and the consumer as a process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from artificer.bundle.format import write_bundle
from artificer.bundle.pointer import Pointer, write_pointer
from artificer.journal.entries import PredictionEntry
from artificer.journal.reader import counts, predictions
from artificer.streams.base import Event, Message, stream_for
from artificer.testing.bundles import CREATED, a_content
from artificer.testing.streams import take

ROW = {"age": 41, "city": "Rome", "member": True, "seen": "2026-01-02T03:04:05", "code": "a"}


@dataclass
class Shop:
    """The project; `start` runs its consumer."""

    dir: Path
    url: str
    settings: str = ""
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dir.mkdir()
        (self.dir / "artificer.toml").write_text(
            '[data]\ntarget = "bought"\n[stream]\n'
            f'url = "{self.url}"\nevents = "orders"\noutcomes = "truth"\nname = "shop"\ncreate = true\n'
            f"metrics_port = 0\n{self.settings}"
        )
        self.promote(1)

    @property
    def home(self) -> Path:
        return self.dir / ".artificer"

    @property
    def journal(self) -> Path:
        return self.home / "journal.sqlite"

    def promote(self, version: int) -> None:
        (self.home / "bundles").mkdir(parents=True, exist_ok=True)
        content = replace(a_content(), lineage={"version": version})
        sha256 = write_bundle(self.home / "bundles" / f"{version}.artificer", content, CREATED)
        write_pointer(
            self.home / "champion.json", Pointer("shop", version, f"bundles/{version}.artificer", sha256, CREATED)
        )

    def start(self, code: str = "") -> subprocess.Popen[str]:
        """Start the consumer, and wait until it takes events; `code` runs in it before."""
        main = "import sys\nfrom artificer.streams.__main__ import main\nsys.exit(main())"
        process = subprocess.Popen(
            [sys.executable, "-c", f"{code}\n{main}", "--project", str(self.dir), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            assert process.stderr is not None
            raise AssertionError(process.stderr.read())
        self.metrics_url = json.loads(line).get("metrics")
        return process

    def stop(self, process: subprocess.Popen[str]) -> str:
        """Ask for the end; gives what was said."""
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def metric(self, name: str) -> float:
        """A metric's sum over its labels."""
        with urllib.request.urlopen(self.metrics_url, timeout=10) as answer:  # noqa: S310 -- our own
            text = answer.read().decode()
        found = re.findall(rf"^artificer_stream_{name}(?:{{[^}}]*}})? (\S+)$", text, flags=re.MULTILINE)
        return sum(map(float, found))

    def written(self) -> int:
        """How many predictions were written to the journal, doubles counted."""
        return counts(self.journal).predictions if self.journal.exists() else 0

    def kept(self) -> list[PredictionEntry]:
        return predictions(self.journal)


def event(number: int, **changes: Any) -> bytes:
    return json.dumps({**ROW, "id": f"e{number}", "age": number % 90, **changes}).encode()


def publish(url: str, subject: str, messages: list[bytes]) -> None:
    async def run() -> None:
        stream = stream_for(url, create=True)
        await stream.open()
        await stream.prepare(subject)
        for start in range(0, len(messages), 1000):
            some = messages[start : start + 1000]
            await stream.publish(subject, [Message(f"{start + i}-{hash(data)}", data) for i, data in enumerate(some)])
        await stream.close()

    asyncio.run(run())


def published(url: str, subject: str, count: int, durable: str = "reader") -> list[Any]:
    """Read exactly so many messages."""

    async def run() -> list[Event]:
        stream = stream_for(url, create=True)
        await stream.open()
        subscription = await stream.subscribe(subject, durable, most_unacknowledged=100_000)
        events = await take(subscription, count)
        await subscription.acknowledge(events)
        await stream.close()
        return events

    return [json.loads(found.data) for found in asyncio.run(run())]


def wait_until(true: Callable[[], bool], seconds: float = 60, what: str = "") -> None:
    async def run() -> None:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.05)

    try:
        asyncio.run(run())
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
