"""The consumer as a user runs it, against a real NATS server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.journal.reader import labelled

from .conftest import Server
from .shop import Shop, event, publish, published, wait_until


@pytest.fixture
def shop(nats: Server, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "shop", f"nats://127.0.0.1:{nats.port}")
    yield made
    made.end()


def test_events_become_predictions_in_journal_and_stream(shop: Shop) -> None:
    publish(shop.url, "orders", [event(i) for i in range(500)])
    process = shop.start()
    found = published(shop.url, "orders.predictions", 500)
    assert {document["event"] for document in found} == {f"e{i}" for i in range(500)}
    one = next(document for document in found if document["event"] == "e41")
    assert one["id"] == "shop:e41"
    assert one["model"] == {"name": "shop", "version": 1}
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    publish(shop.url, "truth", [json.dumps({"event": f"e{i}", "value": i % 2}).encode() for i in range(500)])
    wait_until(lambda: shop.metric("events_total") == 1000, what="outcomes are taken")
    assert "WARNING" not in shop.stop(process)
    assert shop.written() == 500
    pairs = {made.id: (made, outcome.value) for made, outcome in labelled(shop.journal)}
    assert len(pairs) == 500
    made, value = pairs["shop:e41"]
    assert (made.row["age"], value, made.prediction) == (41, 1, one["prediction"])
    assert "id" not in made.row


def test_what_breaks_the_contract_is_put_aside_and_holds_nobody_up(shop: Shop) -> None:
    bad = [
        b"\xff\xfe",
        b"{",
        b"[1, 2]",
        b"[" * 100_000,
        event(1000, age="old"),
        event(1001, seen="not a time", age="young"),
        event(1002, id=""),
        event(1003, id="x" * 300),
        json.dumps({"age": [1]}).encode(),
        b'{"age": 1e400}',
        b"",
    ]
    publish(shop.url, "orders", [event(0), *bad, event(1)])
    process = shop.start()
    published(shop.url, "orders.predictions", 2)
    letters = published(shop.url, "orders.dead", len(bad))
    assert all(letter["cause"] for letter in letters)
    broken = next(letter for letter in letters if letter.get("event", {}) == json.loads(bad[5]))
    assert {found["column"] for found in broken["violations"]} == {"age", "seen"}
    publish(shop.url, "truth", [b'{"event": "e0", "value": 7}', b'{"event": "e1", "value": 1}', b"{}"])
    assert len(published(shop.url, "orders.dead", 2)) == 2
    wait_until(lambda: shop.metric("dead_letters_total") == len(bad) + 2)
    shop.stop(process)
    assert shop.written() == 2
    assert [(made.id, outcome.value) for made, outcome in labelled(shop.journal)] == [("shop:e1", 1)]


def test_what_its_sender_repeats_is_scored_once(shop: Shop) -> None:
    publish(shop.url, "orders", [event(i % 10) for i in range(30)])
    process = shop.start()
    assert len(published(shop.url, "orders.predictions", 10)) == 10
    wait_until(lambda: shop.metric("repeated_total") == 20)
    shop.stop(process)
    assert shop.written() == 10


def test_a_broken_event_may_be_sent_again_mended(shop: Shop) -> None:
    publish(shop.url, "orders", [event(1, age="old"), event(1), event(1)])
    process = shop.start()
    assert published(shop.url, "orders.predictions", 1)[0]["event"] == "e1"
    wait_until(lambda: shop.metric("repeated_total") == 1)
    shop.stop(process)
    assert shop.written() == 1


def test_a_new_champion_is_taken_up_without_a_lost_or_mixed_answer(shop: Shop) -> None:
    process = shop.start()
    for version in range(2, 12):
        publish(shop.url, "orders", [event(version * 1000 + i) for i in range(200)])
        shop.promote(version)
    publish(shop.url, "orders", [event(99_000)])
    told = {
        document["id"]: document["model"]["version"] for document in published(shop.url, "orders.predictions", 2001)
    }
    shop.stop(process)
    assert {entry.id: int(entry.version) for entry in shop.kept()} == told
    assert shop.written() == 2001


def test_a_second_consumer_of_one_name_is_refused(shop: Shop) -> None:
    shop.start()
    second = shop.start()
    second.wait(30)
    assert second.returncode == 1
    assert second.stderr is not None
    assert "consuming the stream" in second.stderr.read()


def test_without_a_champion_events_wait(shop: Shop) -> None:
    (shop.home / "champion.json").unlink()
    publish(shop.url, "orders", [event(0)])
    process = shop.start()
    wait_until(lambda: shop.metric("lag") == 1)
    shop.promote(1)
    assert len(published(shop.url, "orders.predictions", 1)) == 1
    shop.stop(process)


def test_guards_work_as_they_do_for_http(nats: Server, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop", f"nats://127.0.0.1:{nats.port}", '[guards]\nout_of_contract = "flag"\n')
    publish(shop.url, "orders", [event(0), event(1, age="old")])
    process = shop.start()
    try:
        told = {found["event"]: found.get("guards") for found in published(shop.url, "orders.predictions", 2)}
        assert told["e0"] is None
        assert told["e1"][0]["guard"] == "out_of_contract"
        wait_until(lambda: shop.metric("guarded_rows_total") == 1)
        shop.stop(process)
    finally:
        shop.end()
