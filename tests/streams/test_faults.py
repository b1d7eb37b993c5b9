"""The consumer and NATS are killed with -9; what was taken is counted before and after."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.journal.reader import labelled, outcomes

from .conftest import Server
from .shop import Shop, event, publish, published, wait_until

DIE = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
HEAD = f"""
from artificer.streams import pump, nats, position
class Count: left = 2
def due():
    Count.left -= 1
    return Count.left <= 0
def die():
    {DIE}
"""
STEPS = {
    "after the pull": """
old = nats._NatsSubscription.next
async def next(self, most, wait):
    found = await old(self, most, wait)
    if found and due(): die()
    return found
nats._NatsSubscription.next = next
""",
    "after the work": """
old = pump.Pump._keep
async def keep(self, entries):
    if due(): die()
    await old(self, entries)
pump.Pump._keep = keep
""",
    "after the journal": """
old = pump.Pump._keep
async def keep(self, entries):
    await old(self, entries)
    if due(): die()
pump.Pump._keep = keep
""",
    "in the midst of publishing": """
old = nats.NatsStream.publish
async def publish(self, subject, messages):
    if messages and due():
        await old(self, subject, messages[: len(messages) // 2])
        die()
    await old(self, subject, messages)
nats.NatsStream.publish = publish
""",
    "after publishing": """
old = nats._NatsSubscription.acknowledge
async def acknowledge(self, events):
    if due(): die()
    await old(self, events)
nats._NatsSubscription.acknowledge = acknowledge
""",
    "in the midst of acknowledging": """
old = nats._NatsSubscription.acknowledge
async def acknowledge(self, events):
    if due():
        await old(self, events[: len(events) // 2])
        await self._connection.flush()
        die()
    await old(self, events)
nats._NatsSubscription.acknowledge = acknowledge
""",
    "before the position is kept": """
old = pump.write_checkpoint
def write(path, checkpoint):
    if checkpoint.done or any(checkpoint.floors.values()): die()
    old(path, checkpoint)
pump.write_checkpoint = write
""",
    "after the position is kept": """
old = pump.write_checkpoint
def write(path, checkpoint):
    old(path, checkpoint)
    if checkpoint.done or any(checkpoint.floors.values()): die()
pump.write_checkpoint = write
""",
}
SOON = "from artificer.streams import nats, pump\nnats.ACK_SECONDS = 1\npump.CHECK_SECONDS = 0.3\n"
"""What was under way is delivered again after a second instead of twenty."""


@pytest.fixture
def shop(nats: Server, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "shop", f"nats://127.0.0.1:{nats.port}", "batch = 50\n")
    yield made
    made.end()


def killed(process: subprocess.Popen[str]) -> None:
    process.wait(60)
    assert process.returncode == -9, process.stderr.read() if process.stderr else ""


@pytest.mark.parametrize(
    ("step", "named"),
    [*((step, True) for step in STEPS), ("after the journal", False), ("in the midst of publishing", False)],
)
def test_a_kill_between_two_steps_loses_and_doubles_nothing(step: str, named: bool, shop: Shop) -> None:
    sent = [event(i) if named else event(i).replace(b'"id"', b'"code"') for i in range(200)]
    publish(shop.url, "orders", sent)
    killed(shop.start(SOON + HEAD + STEPS[step]))
    before = shop.written()
    process = shop.start(SOON)
    wait_until(lambda: shop.written() >= 200 and shop.metric("unacknowledged") == 0 and shop.metric("lag") == 0)
    shop.stop(process)
    # Everything is there once as it was written, not only as it is read.
    assert (shop.written(), len(shop.kept())) == (200, 200), f"{before} before"
    assert sorted(entry.row["age"] for entry in shop.kept()) == sorted(i % 90 for i in range(200))
    told = published(shop.url, "orders.predictions", 200)
    assert {document["id"] for document in told} == {entry.id for entry in shop.kept()}


@pytest.mark.slow
def test_killed_six_times_under_load_nothing_is_lost_or_doubled(shop: Shop) -> None:
    total = 6_000
    publish(shop.url, "orders", [event(i) for i in range(total)])
    seen = []
    for round_ in range(6):
        process = shop.start(SOON)
        wait_until(lambda: shop.written() > min(total - 1, 800 * (round_ + 1)))  # noqa: B023 -- called at once
        process.kill()
        process.wait()
        seen.append(shop.written())
    process = shop.start(SOON)
    wait_until(lambda: shop.written() >= total and shop.metric("unacknowledged") == 0 and shop.metric("lag") == 0)
    shop.stop(process)
    assert seen == sorted(seen)
    assert shop.written() == len(shop.kept()) == total, f"{seen} at the kills"
    assert len({document["id"] for document in published(shop.url, "orders.predictions", total)}) == total


def test_a_killed_broker_is_waited_for(shop: Shop, nats: Server) -> None:
    process = shop.start(SOON)
    publish(shop.url, "orders", [event(i) for i in range(2_000)])
    wait_until(lambda: shop.written() > 300)
    nats.kill()
    before = shop.written()
    wait_until(lambda: shop.metric("retries_total") > 1 or shop.written() == 2_000)
    nats.start()
    publish(shop.url, "orders", [event(i) for i in range(2_000, 3_000)])
    wait_until(lambda: shop.written() >= 3_000 and shop.metric("unacknowledged") == 0 and shop.metric("lag") == 0)
    shop.stop(process)
    assert shop.written() == len(shop.kept()) == 3_000, f"{before} when the broker was killed"
    assert len({document["id"] for document in published(shop.url, "orders.predictions", 3_000)}) == 3_000


def test_killed_between_outcome_and_acknowledgement_the_newest_still_counts(shop: Shop) -> None:
    publish(shop.url, "orders", [event(i) for i in range(20)])
    publish(shop.url, "truth", [b'{"event": "e%d", "value": 0}' % i for i in range(20)])
    publish(shop.url, "truth", [b'{"event": "e%d", "value": 1}' % i for i in range(20)])
    killed(shop.start(SOON + HEAD.replace("left = 2", "left = 1") + STEPS["after publishing"]))
    process = shop.start(SOON)
    wait_until(lambda: shop.metric("unacknowledged") == 0 and shop.metric("lag") == 0 and shop.written() == 20)
    wait_until(lambda: len(outcomes(shop.journal)) == 20)
    shop.stop(process)
    assert {(made.id, outcome.value) for made, outcome in labelled(shop.journal)} == {
        (f"shop:e{i}", 1) for i in range(20)
    }


def test_a_full_disk_holds_the_stream_up_and_loses_nothing(shop: Shop) -> None:
    failing = """
import sqlite3
from artificer.journal import writer
class Full:
    left = 3
old = writer.Journal._commit
def commit(self, items):
    from artificer.errors import JournalError
    if any(item.chunks for item in items) and Full.left > 0:
        Full.left -= 1
        return JournalError("the disk is full.")
    return old(self, items)
writer.Journal._commit = commit
"""
    publish(shop.url, "orders", [event(i) for i in range(100)])
    process = shop.start(SOON + failing)
    assert len(published(shop.url, "orders.predictions", 100)) == 100
    assert "the disk is full" in shop.stop(process)
    assert shop.written() == 100
