"""Requests that come together are answered together: in order, each its own, none held up by another's fault."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from artificer.errors import JournalError
from artificer.journal.reader import predictions
from artificer.journal.writer import Journal
from artificer.server.app import Service
from artificer.server.dialects.rows import ROWS
from artificer.server.origin import Gate
from artificer.server.problems import Refusal, Response
from artificer.server.turns import TURN_REQUESTS, Waiting
from artificer.serving.champion import Champion

HEAD = "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


def request(age: Any, path: str = "/v1/predict", more: str = "") -> bytes:
    body = json.dumps({"rows": [{"age": age}]}).encode()
    return f"{HEAD.format(path)}{more}content-length: {len(body)}\r\n\r\n".encode() + body


def connect(served: Any) -> socket.socket:
    host, port = served.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answers(connection: socket.socket, count: int) -> list[tuple[int, dict[str, Any]]]:
    """Read so many answers."""
    found: list[tuple[int, dict[str, Any]]] = []
    with connection.makefile("rb") as stream:
        for _ in range(count):
            status = int(stream.readline().split()[1])
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length"):
                    length = int(line.split()[1])
            found.append((status, json.loads(stream.read(length))))
    return found


def test_requests_sent_ahead_are_answered_in_their_order(regression: Any) -> None:
    ways = ["", "expect: 100-continue\r\n", "x-a: b\r\n"]
    sent = [request(i, "/v1/predict" if i % 5 else "/v1/nothing", ways[i % 3 if i % 3 != 1 else 0]) for i in range(40)]
    with connect(regression) as connection:
        connection.sendall(b"".join(sent))
        found = answers(connection, 40)
    for i, (status, document) in enumerate(found):
        assert status == (200 if i % 5 else 404)
        if status == 200:
            assert document["predictions"][0]["prediction"] == i + 3


def test_a_request_in_pieces_is_one_request(regression: Any) -> None:
    whole = request(7) + request(8)
    for cut in (1, 30, 90, len(request(7)) - 3, len(request(7)) + 5):
        with connect(regression) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(whole[:cut])
            assert regression.predict({"age": 1}).status_code == 200  # by now it has the first piece
            connection.sendall(whole[cut:])
            found = answers(connection, 2)
        assert [(status, told["predictions"][0]["prediction"]) for status, told in found] == [(200, 10.0), (200, 11.0)]


def test_a_wrong_row_is_its_own_senders_trouble(regression: Any) -> None:
    before = len(predictions(regression.journal))
    places = [connect(regression) for _ in range(30)]
    for i, connection in enumerate(places):
        connection.sendall(request("old" if i % 3 == 0 else i))
    for i, connection in enumerate(places):
        [(status, document)] = answers(connection, 1)
        connection.close()
        if i % 3 == 0:
            assert status == 422
            assert document["violations"][0]["value"] == "old"
        else:
            assert (status, document["predictions"][0]["prediction"]) == (200, i + 3)
    assert len(predictions(regression.journal)) == before + 20


def test_a_thousand_clients_at_once_each_get_their_own(regression: Any) -> None:
    before = {entry.id for entry in predictions(regression.journal)}

    async def ask(age: int) -> tuple[int, float, str]:
        host, port = regression.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request(age, more="connection: close\r\n" if age % 7 == 0 else ""))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        told = json.loads(await reader.readexactly(length))
        writer.close()
        return age, told["predictions"][0]["prediction"], told["predictions"][0]["id"]

    async def everybody() -> list[tuple[int, float, str]]:
        return await asyncio.gather(*[ask(age) for age in range(1000)])

    told = asyncio.run(everybody())
    assert all(value == age + 3 for age, value, _ in told)
    kept = {entry.id for entry in predictions(regression.journal)} - before
    assert kept == {name for _, _, name in told}


class Place:
    """A service without a socket."""

    def __init__(self, folder: Path, pointer: Path) -> None:
        self.champion = Champion(pointer)
        self.champion.start()
        self.journal = Journal(folder / "turns.sqlite")
        self.service = Service(self.champion, self.journal, max_body=10**6, gate=Gate("127.0.0.1", local=True))

    def ask(self, bodies: list[bytes], meanwhile: Callable[[], None] | None = None) -> list[Response | Refusal]:
        async def run() -> list[Response | Refusal]:
            loop = asyncio.get_running_loop()
            found: dict[int, Response | Refusal] = {}
            done = loop.create_future()

            def reply(i: int, answer: Response | Refusal) -> None:
                assert i not in found
                found[i] = answer
                if len(found) == len(bodies):
                    done.set_result(None)

            for i, body in enumerate(bodies):
                self.service.turns.put(Waiting(ROWS, body, lambda answer, i=i: reply(i, answer)))  # type: ignore[misc]
            if meanwhile is not None:
                loop.call_soon(meanwhile)
            await done
            return [found[i] for i in range(len(bodies))]

        return asyncio.run(run())

    def close(self) -> None:
        self.champion.stop()
        self.service.close()
        self.journal.close()


@pytest.fixture
def place(promote: Callable[..., Path], tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, promote(1))
    yield made
    made.close()


def test_one_turn_takes_so_many_and_one_version_answers_it(place: Place, promote: Callable[..., Path]) -> None:
    body = b'{"rows": [{"age": 1}]}'

    def promoted() -> None:
        promote(2)
        thread = threading.Thread(target=place.champion.refresh)
        thread.start()
        thread.join()

    told = place.ask([body] * (TURN_REQUESTS + 1), promoted)
    versions = [json.loads(answer.body)["model"]["version"] for answer in told if isinstance(answer, Response)]
    assert versions == [1] * TURN_REQUESTS + [2]
    assert {entry.version for entry in predictions(place.journal.path)} == {"1", "2"}


def test_an_entry_that_cannot_be_kept_is_one_requests_trouble(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    append = place.journal.append_async

    def picky(entries: Any) -> Any:
        if any(entry.row["age"] == 13 for entry in entries):
            raise JournalError("thirteen has no form in the journal.")
        return append(entries)

    monkeypatch.setattr(place.journal, "append_async", picky)
    told = place.ask([b'{"rows": [{"age": %d}]}' % age for age in (12, 13, 14)])
    assert [answer.status for answer in told] == [200, 503, 200]


def test_a_fault_of_the_service_leaves_nobody_waiting(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("broken")

    assert place.champion.predictor is not None
    monkeypatch.setattr(place.champion.predictor, "answers", broken)
    told = place.ask([b'{"rows": []}', b"not JSON", b'{"rows": [[[]]]}'])
    assert sorted(answer.status for answer in told) == [400, 500, 500]
