"""Web pages on the machine are kept out, by name and by origin; programs and the service's own pages are not."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest

from artificer.journal.reader import counts
from artificer.server import origin
from artificer.server.origin import Gate
from artificer.server.problems import Refusal

ROW = {"age": 40, "city": "Rome", "member": True, "seen": "2026-01-01T00:00:00Z"}
BODY = json.dumps({"rows": [ROW]}).encode()
TYPED = {"content-type": "application/json"}
READ = ["/", "/docs", "/openapi.json", "/v1/model", "/health/live", "/health/ready", "/metrics", "/nowhere"]
FOREIGN = [
    *("evil.example", "evil.example:8400", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.0.2.1:8400"),
    *("0.0.0.0:8400", "[2001:db8::1]", "[::1].evil.example", "::1", "localhost:80:80", "a b", "127.0.0.1@evil"),
    *("[", ":"),
]
LOCAL = ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "127.9.8.7:8400", "[::1]", "[::1]:8400", ""]


def refused(answer: Any, status: int, kind: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:artificer:problem:{kind}"


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/outcomes"])
def test_a_body_without_a_type_is_refused_and_not_journalled(served: Any, path: str) -> None:
    before = counts(served.journal)
    refused(served.client.post(path, content=BODY), 415, "media-type")
    refused(served.client.post(path, content=BODY, headers={"content-type": ""}), 415, "media-type")
    assert counts(served.journal) == before


@pytest.mark.parametrize("path", READ)
def test_a_rebound_name_reads_nothing(served: Any, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = served.client.request(method, path, headers={"host": "evil.example:8400"})
        assert answer.status_code == 421
        assert b"Rome" not in answer.content
    refused(served.client.get(path, headers={"host": "evil.example"}), 421, "host")


def test_a_rebound_name_writes_nothing(served: Any) -> None:
    before = counts(served.journal)
    same = {**TYPED, "host": "evil.example", "origin": "http://evil.example"}
    refused(served.client.post("/v1/predict", content=BODY, headers=same), 421, "host")
    assert counts(served.journal) == before


@pytest.mark.parametrize(
    "page", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1", "", "file://"]
)
def test_a_page_of_another_origin_may_not_post(served: Any, page: str) -> None:
    before = counts(served.journal)
    refused(served.client.post("/v1/predict", content=BODY, headers={**TYPED, "origin": page}), 403, "origin")
    assert counts(served.journal) == before


def test_the_services_own_pages_may_post(served: Any) -> None:
    port = urlsplit(served.url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        headers = {**TYPED, "host": host, "origin": f"http://{host}"}
        assert served.client.post("/v1/predict", content=BODY, headers=headers).status_code == 200
    assert served.client.get("/docs", headers={"origin": "https://evil.example"}).status_code == 200


def test_programs_are_answered(served: Any) -> None:
    parts = urlsplit(served.url)
    request = urllib.request.Request(f"{served.url}/v1/predict", BODY, TYPED)  # noqa: S310 -- our own service
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.status == 200
    connection = http.client.HTTPConnection("localhost", parts.port, timeout=30)
    connection.request("POST", "/v1/predict", BODY, TYPED)
    assert connection.getresponse().status == 200
    connection.close()
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as old:
        head = f"POST /v1/predict HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
        old.sendall(head.encode() + BODY)
        assert old.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_hosts(host: str) -> None:
    gate = Gate("127.0.0.1", local=True)
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            gate.check([(b"host", b"localhost"), (b"host", host.encode())], writes=False)
        assert caught.value.status == 421
    Gate("0.0.0.0", local=False).check([(b"host", host.encode())], writes=True)  # noqa: S104


@pytest.mark.parametrize("host", LOCAL)
def test_hosts_of_this_machine(host: str) -> None:
    Gate("127.0.0.1", local=True).check([(b"host", host.encode())], writes=True)


def test_the_name_it_was_told_to_listen_on_is_its_own() -> None:
    Gate("Box.lan", local=True).check([(b"host", b"box.LAN:8400")], writes=False)
    with pytest.raises(Refusal):
        Gate("127.0.0.1", local=True).check([(b"host", b"box.lan:8400")], writes=False)


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "_REMEMBERED", 3)
    gate = Gate("127.0.0.1", local=True)
    for port in range(10):
        gate.check([(b"host", b"localhost:%d" % port)], writes=False)
    assert len(gate._accepted) == 3


def test_on_a_remote_address_origin_and_host_must_still_agree() -> None:
    gate = Gate("0.0.0.0", local=False)  # noqa: S104
    gate.check([(b"origin", b"https://shop.example"), (b"host", b"Shop.example")], writes=True)
    with pytest.raises(Refusal) as caught:
        gate.check([(b"origin", b"https://evil.example"), (b"host", b"shop.example")], writes=True)
    assert caught.value.status == 403
