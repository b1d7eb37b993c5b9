"""The same model behind what others serve models with, each in an environment of its own, which is made where absent.

Used by ``benchmarks/serving.py``; none of the peers writes down what it predicts.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SERVERS = HERE / "peers"
COMMON = ("lightgbm", "pandas", "scikit-learn", "joblib")
START_SECONDS = 120.0


@dataclass(frozen=True)
class Peer:
    """How a peer is installed, started and asked."""

    name: str
    packages: tuple[str, ...]
    command: str
    path: str
    body: str


PEERS = {
    "fastapi": Peer(
        "FastAPI over pandas",
        ("fastapi", "uvicorn[standard]", *COMMON),
        f"uvicorn fastapi_server:app --app-dir {SERVERS} --port {{port}} --no-access-log",
        "/predict",
        "rows",
    ),
    "bentoml": Peer(
        "BentoML",
        ("bentoml", *COMMON),
        f"bentoml serve bento_server:Scorer --port {{port}} --host 127.0.0.1 --working-dir {SERVERS}",
        "/predict",
        "rows",
    ),
    "mlflow": Peer(
        "MLflow serve",
        ("mlflow", *COMMON),
        "mlflow models serve -m {folder}/mlflow --env-manager local -p {port} --host 127.0.0.1",
        "/invocations",
        "split",
    ),
}


def environment(folder: Path, peer: Peer, key: str) -> Path:
    """The peer's environment, made where absent; gives its folder of programs."""
    place = folder / key
    ready = place / ".ready"
    if not ready.exists():
        print(f"making the environment of {peer.name} in {place} (once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *peer.packages], check=True)
        ready.touch()
    return place / "bin"


def bodies(folder: Path, rows: list[dict[str, Any]], counts: tuple[int, ...]) -> None:
    """Write the requests of the peers."""
    names = list(rows[0])
    for count in counts:
        split = {"columns": names, "data": [[row[name] for name in names] for row in rows[:count]]}
        (folder / f"split{count}.json").write_text(json.dumps({"dataframe_split": split}))


@contextlib.contextmanager
def serving(key: str, environments: Path, folder: Path) -> Iterator[tuple[int, str, float]]:
    """Serve with a peer; gives its process, the URL to post to, and the seconds from start to the first prediction."""
    peer = PEERS[key]
    programs = environment(environments, peer, key)
    place = folder / key
    place.mkdir(exist_ok=True)
    train = [str(programs / "python"), str(SERVERS / "pipeline.py"), str(folder / "table.json"), str(place)]
    log = (place / "log").open("w")
    subprocess.run(train, check=True, stdout=log, stderr=log)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    fill = {"port": port, "folder": place}
    command = [part.format(**fill) for part in peer.command.split()]
    command[0] = str(programs / command[0])
    variables = {**os.environ, "MODEL": str(place / "model.joblib"), "PATH": f"{programs}:{os.environ['PATH']}"}
    variables.pop("PYTHONPATH", None)
    started = time.perf_counter()
    server = subprocess.Popen(command, env=variables, stdout=log, stderr=log, cwd=place, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}{peer.path}"
        wait(url, (folder / f"{peer.body}1.json").read_bytes(), server, place / "log")
        yield server.pid, url, time.perf_counter() - started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        log.close()


def wait(url: str, body: bytes, server: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until the first prediction comes."""
    end = time.perf_counter() + START_SECONDS
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError) as error:
            if server.poll() is not None or time.perf_counter() > end:
                raise RuntimeError(f"no answer from {url} ({error}): {log.read_text()[-2000:]}") from error
        time.sleep(0.02)
