"""Tokens: kept as hashes, taken up without a restart, and never a way in by accident."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from artificer.access.audit import Audit
from artificer.access.rates import Rates
from artificer.access.tokens import Keyring, add_token, read_tokens, revoke_token
from artificer.errors import ConfigurationError, UsageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "tokens.json"


def looks(keys: Keyring) -> bool:
    """Look at the file now, whenever the last look was."""
    keys._next_look = 0.0
    return keys.refresh()


def test_the_secret_is_nowhere_and_the_file_is_its_owners(path: Path) -> None:
    secret = add_token(path, "shop", ["view", "predict"], now=5.0, lasts=10.0, rate=3.0)
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    [token] = read_tokens(path)
    assert (token.scopes, token.created, token.expires, token.rate) == (("predict", "view"), 5.0, 15.0, 3.0)
    assert not token.is_over(14.9)
    assert token.is_over(15.0)


@pytest.mark.parametrize("scopes", [[], ["predict", "all"]])
def test_scopes_are_those_there_are(path: Path, scopes: list[str]) -> None:
    with pytest.raises(UsageError, match="predict, outcome, operate, view"):
        add_token(path, "shop", scopes, now=0.0)


@pytest.mark.parametrize("name", ["", "a b", "-a", "x" * 65, "a\n"])
def test_a_name_can_stand_in_a_log(path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="name is 1 to 64"):
        add_token(path, name, ["view"], now=0.0)


def test_two_cannot_have_one_name_and_what_is_not_there_cannot_be_revoked(path: Path) -> None:
    add_token(path, "shop", ["view"], now=0.0)
    with pytest.raises(UsageError, match='there is a token named "shop"'):
        add_token(path, "shop", ["view"], now=0.0)
    with pytest.raises(UsageError, match='no token named "shot"; there is shop'):
        revoke_token(path, "shot")
    assert revoke_token(path, "shop").name == "shop"
    assert read_tokens(path) == []


def test_many_at_once_are_all_kept(path: Path) -> None:
    threads = [
        threading.Thread(target=add_token, args=(path, f"t{i}", ["view"]), kwargs={"now": 0.0}) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {token.name for token in read_tokens(path)} == {f"t{i}" for i in range(8)}


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"format": 2}', '{"format": 1, "tokens": [{"name": "a"}]}', '{"format": 1, "tokens": 5}'),
        json.dumps({"format": 1, "tokens": [{"name": "a", "sha256": "", "scopes": ["root"], "created": 0}]}),
    ],
)
def test_a_file_that_is_none_is_said(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="tokens"):
        read_tokens(path)


def test_a_running_service_takes_up_what_changed(path: Path) -> None:
    keys = Keyring(path, clock=lambda: 100.0)
    assert not keys.needed
    assert not looks(keys)
    old = add_token(path, "shop", ["predict"], now=0.0, lasts=50.0)
    assert looks(keys)
    found = keys.find(old)
    assert keys.needed
    assert found is not None
    assert keys.is_over(found)
    revoke_token(path, "shop")
    new = add_token(path, "shop", ["predict"], now=0.0)
    assert looks(keys)
    assert keys.find(old) is None
    assert keys.find(new) is not None
    assert keys.find("") is None


def test_a_damaged_or_missing_file_opens_nothing(path: Path) -> None:
    secret = add_token(path, "shop", ["predict"], now=0.0)
    keys = Keyring(path)
    path.write_text("{")
    assert not looks(keys)
    assert keys.find(secret) is not None
    path.unlink()
    looks(keys)
    assert keys.needed
    assert keys.find(secret) is None


def test_who_asks_too_often_waits_and_others_do_not() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    assert [rates.wait("a", 10.0) for _ in range(10)] == [0.0] * 10
    assert rates.wait("a", 10.0) == pytest.approx(0.1)
    assert rates.wait("b", 10.0) == 0.0
    now = 0.25
    assert [rates.wait("a", 10.0) > 0 for _ in range(3)] == [False, False, True]
    assert rates.wait("slow", 0.5) == 0.0
    assert rates.wait("slow", 0.5) == pytest.approx(2.0)


def test_names_without_end_do_not_fill_the_memory() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    for i in range(30_000):
        now = float(i)
        rates.wait(str(i), 1.0)
    assert len(rates._buckets) <= 10_000


def test_lines_of_many_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write(actor: str) -> None:
        for i in range(20):
            Audit(path).note("thing.done", actor, durable=False, number=i, text="é\n" * 50)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((line["actor"], line["number"]) for line in lines) == [(a, i) for a in "abcd" for i in range(20)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_is_said_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    Audit(tmp_path / "file" / "audit.jsonl").note("service.ended", "service")
    assert "service.ended" in caplog.text
    Audit(None).note("service.ended", "service")
    assert os.listdir(tmp_path) == ["file"]
