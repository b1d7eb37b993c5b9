"""Who may ask: tokens wrong, expired, missing and changed while the service runs; rates; pages; TLS; the audit log."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from artificer.access.tokens import add_token, revoke_token
from artificer.journal.reader import predictions
from artificer.server.admission import ANYBODY, Admission
from artificer.server.problems import Refusal

ROW = {"age": 40, "city": "Rome"}
BODY = json.dumps({"rows": [ROW]}).encode()
PAGE = "https://app.example"


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, running_at: Callable[..., Any], promote_at: Callable[..., Path]
) -> Iterator[Any]:
    """A service that asks for tokens, and the secrets."""
    folder = tmp_path_factory.mktemp("guarded")
    promote_at(folder, 3)
    file = folder / "tokens.json"
    secrets = {name: add_token(file, name, [name], now=0.0) for name in ("predict", "outcome", "operate", "view")}
    secrets["old"] = add_token(file, "old", ["predict"], now=0.0, lasts=1.0)
    secrets["slow"] = add_token(file, "slow", ["predict"], now=0.0, rate=0.02)
    flags = ["--tokens", str(file), "--audit", str(folder / "audit.jsonl"), "--origin", PAGE]
    running = running_at(folder, *flags)
    running.secrets, running.tokens = secrets, file
    yield running
    assert running.end() == 0


def ask(running: Any, token: str | None, path: str = "/v1/predict", **more: Any) -> httpx.Response:
    headers = {"content-type": "application/json", **more.pop("headers", {})}
    if token is not None:
        headers["authorization"] = f"Bearer {running.secrets.get(token, token)}"
    if path in ("/v1/predict", "/v1/outcomes"):
        content = more.pop("content", BODY if path == "/v1/predict" else b'{"outcomes": []}')
        return running.client.post(path, content=content, headers=headers)  # type: ignore[no-any-return]
    return running.client.get(path, headers=headers)  # type: ignore[no-any-return]


def test_a_token_opens_what_it_is_for_and_nothing_else(guarded: Any) -> None:
    doors = {
        "predict": ["/v1/predict"],
        "outcome": ["/v1/outcomes"],
        "view": ["/v1/model", "/metrics", "/", "/docs", "/openapi.json"],
        "operate": [],
    }
    for name in doors:
        for scope, paths in doors.items():
            for path in paths:
                answer = ask(guarded, name, path)
                assert answer.status_code == (200 if name == scope else 403), (name, path)
                if name != scope:
                    assert answer.json()["type"] == "urn:artificer:problem:scope"
                    assert f'scope="{scope}"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("token", [None, "art_wrong", "old", "é", "x" * 4000])
def test_without_a_good_token_nothing_is_answered_or_kept(guarded: Any, token: str | None) -> None:
    before = len(predictions(guarded.journal))
    headers = {} if token is None else {"authorization": b"Bearer " + guarded.secrets.get(token, token).encode()}
    for path, content in (("/v1/predict", BODY), ("/v1/predict", b"{" * 200_000), ("/v1/outcomes", b"")):
        answer = guarded.client.post(path, content=content, headers={"content-type": "application/json", **headers})
        assert answer.status_code == 401
        assert answer.json()["type"] == "urn:artificer:problem:token"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/metrics", "/v1/model", "/nothing"):
        assert guarded.client.get(path, headers=headers).status_code == 401
    assert len(predictions(guarded.journal)) == before


def test_other_kinds_of_authorization_are_no_token(guarded: Any) -> None:
    secret = guarded.secrets["predict"]
    for value in ("", "Bearer", f"Basic {secret}", secret, f"Bearer {secret}x", f"Bearer {secret} x"):
        assert ask(guarded, None, headers={"authorization": value}).status_code == 401
    assert ask(guarded, None, headers={"authorization": f"bearer {secret}"}).status_code == 200


def test_probes_need_no_token(guarded: Any) -> None:
    assert ask(guarded, None, "/health/live").status_code == 200
    assert ask(guarded, None, "/health/ready").status_code == 200


def test_tokens_change_without_a_restart_and_the_change_is_noted(guarded: Any) -> None:
    new = add_token(guarded.tokens, "new", ["predict"], now=0.0)
    while ask(guarded, new).status_code == 401:
        pass
    assert ask(guarded, new).status_code == 200
    revoke_token(guarded.tokens, "new")
    while ask(guarded, new).status_code == 200:
        pass
    assert ask(guarded, new).status_code == 401
    lines = [json.loads(line) for line in (guarded.folder / "audit.jsonl").read_text().splitlines()]
    actions = [line["action"] for line in lines]
    assert actions[0] == "service.started"
    assert actions.count("tokens.taken") >= 2
    assert "champion.taken" in actions
    assert ask(guarded, "outcome", "/v1/outcomes").status_code == 200
    last = json.loads((guarded.folder / "audit.jsonl").read_text().splitlines()[-1])
    assert (last["action"], last["actor"]) == ("outcomes.taken", "outcome")
    everything = (guarded.folder / "audit.jsonl").read_text() + guarded.errors.read_text()
    assert not any(secret in everything for secret in guarded.secrets.values())


def test_who_asks_too_often_is_told_when_to_come_again(guarded: Any) -> None:
    answers = [ask(guarded, "slow") for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 429, 429, 429]
    assert 1 < int(refused[0].headers["retry-after"]) <= 50
    assert refused[0].json()["type"] == "urn:artificer:problem:rate"
    assert ask(guarded, "predict").status_code == 200


def test_pages_that_are_named_may_ask_and_read(guarded: Any) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    before = guarded.client.options("/v1/predict", headers={"origin": PAGE, **asked})
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == PAGE
    assert "authorization" in before.headers["access-control-allow-headers"]
    answer = ask(guarded, "predict", headers={"origin": PAGE})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["vary"] == "origin"
    assert ask(guarded, "view", "/v1/model", headers={"origin": PAGE}).headers["access-control-allow-origin"] == PAGE
    for origin in ("https://evil.example", "null", "http://app.example"):
        answer = ask(guarded, "predict", headers={"origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert guarded.client.options("/v1/predict", headers={"origin": origin, **asked}).status_code == 403


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl (apt-get install openssl)")
def test_with_a_certificate_it_speaks_tls_and_takes_up_a_new_one(
    promote: Callable[..., Path], running_at: Callable[..., Any], tmp_path: Path
) -> None:
    def certify() -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-keyout", "key.pem", "-out", "chain.pem", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    def shown(url: str) -> str:
        host, port = url.removeprefix("https://").split(":")
        return ssl.get_server_certificate((host, int(port)))

    promote()
    certify()
    flags = ["--certificate", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "key.pem")]
    running = running_at(tmp_path, *flags)
    try:
        assert running.url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=str(tmp_path / "chain.pem"))
        with httpx.Client(base_url=running.url, verify=trusted) as client:
            for _ in range(3):
                assert client.post("/v1/predict", content=BODY, headers={"content-type": "application/json"}).is_success
        old = shown(running.url)
        with pytest.raises(httpx.HTTPError):
            httpx.get(running.url.replace("https", "http") + "/health/live")
        certify()
        while shown(running.url) == old:
            pass
        assert shown(running.url) == (tmp_path / "chain.pem").read_text()
    finally:
        assert running.end() == 0


def test_a_certificate_that_cannot_be_used_is_said(promote: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text("none")
    command = [sys.executable, "-m", "artificer.server", "--pointer", str(promote()), "--port", "0"]
    command += ["--journal", str(tmp_path / "j.sqlite"), "--certificate", str(tmp_path / "chain.pem")]
    for more, said in (([], "give the other PEM file too"), (["--key", str(tmp_path / "key.pem")], "cannot be used")):
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_the_refusal_names_the_rate_that_this_process_grants() -> None:
    admission = Admission(rate=10.0, share=0.25)
    with pytest.raises(Refusal, match=r"may ask 2\.5 times a second here"):
        [admission.spend(ANYBODY) for _ in range(100)]
