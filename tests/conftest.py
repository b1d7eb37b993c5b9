"""What tests of the whole share: the command line in this process and as a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"{len(lines)} lines on stdout: {self.out[:500]!r}; stderr: {self.err[-2000:]}"
        return json.loads(lines[0], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    @property
    def sentence(self) -> str:
        """The one sentence of a failure, after its form has been checked."""
        assert self.code in (1, 2), f"exit code {self.code}; stdout {self.out[:500]!r}; stderr {self.err[-2000:]}"
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1, self.err
        assert lines[-1] == errors[0], self.err
        others = [line for line in lines[:-1] if not line.startswith(("train:", "train ["))]
        assert not others, f"more than progress and one sentence on stderr: {others}"
        sentence = errors[0].removeprefix("error: ")
        assert len(sentence) < 700
        assert "foreseen" not in sentence
        assert ". " not in sentence.replace("e.g. ", ""), f"more than one sentence: {sentence}"
        return sentence

    def failed(self, code: int = 1) -> str:
        """The sentence of a command called with ``--json``, whose document must say the same."""
        sentence = self.sentence
        assert self.code == code, f"exit code {self.code} where {code} was due: {sentence}"
        document = self.document
        assert document["schema"] == "artificer.error/1"
        assert document["error"]["message"] == sentence
        assert document["error"]["exit_code"] == code
        return sentence

    def done(self) -> Any:
        """The document of a command that succeeded."""
        assert self.code == 0, f"exit code {self.code}; stdout {self.out[:500]!r}; stderr {self.err[-3000:]}"
        return self.document


class CommandLine:
    """Runs ``artificer`` commands."""

    def __call__(self, *arguments: object) -> Answer:
        """In this process, so that libraries are loaded once for all tests."""
        from artificer.cli.app import main

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main([str(argument) for argument in arguments])
            except SystemExit as end:
                code = end.code
        return Answer(code if isinstance(code, int) else 1, out.getvalue(), err.getvalue())

    def start(self, *arguments: object, code: str = "", **options: Any) -> subprocess.Popen[str]:
        """As a process of its own; `code` is Python that runs in it before the command."""
        command = [sys.executable, "-m", "artificer"]
        if code:
            command = [sys.executable, "-c", f"{code}\nfrom artificer.cli import main\nmain()"]
        return subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def process(self, *arguments: object, code: str = "", timeout: float = 120, **options: Any) -> Answer:
        """As a process of its own, to its end."""
        process = self.start(*arguments, code=code, **options)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
            process.wait()
        return Answer(process.returncode, out, err)


@pytest.fixture(scope="session")
def artificer() -> CommandLine:
    return CommandLine()


def _orders(n: int, seed: int = 0, flipped: bool = False) -> dict[str, list[Any]]:
    """Orders that are returned when dear or of shoes; `flipped` is a world where it is the other way round."""
    import numpy as np

    rng = np.random.default_rng(seed)
    price, kind = rng.normal(50, 15, n).round(2), rng.choice(["shoes", "hats", "books"], n)
    signal = (price - 50) / 15 + 1.5 * (kind == "shoes") - 0.5
    returned = (-signal if flipped else signal) + 0.4 * rng.normal(size=n) > 0
    return {"price": price.tolist(), "kind": kind.tolist(), "returned": np.where(returned, "yes", "no").tolist()}


@pytest.fixture(scope="session")
def orders() -> Callable[..., dict[str, list[Any]]]:
    """Makes `n` orders as columns; see `_orders`."""
    return _orders


def _csv(columns: dict[str, Sequence[Any]]) -> str:
    """Columns as CSV; cells are written as they are."""
    lines = [
        ",".join(columns),
        *(",".join("" if v is None else str(v) for v in row) for row in zip(*columns.values(), strict=True)),
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def csv_text() -> Callable[[dict[str, Sequence[Any]]], str]:
    return _csv


@dataclass(frozen=True)
class Shop:
    """A project made without `init`, for tests of what comes after it."""

    dir: Path

    @property
    def home(self) -> Path:
        return self.dir / ".artificer"


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Shop]:
    """Makes a project around a table, given as text, bytes or columns; `settings` are further lines of its file."""

    def make(table: str | bytes | dict[str, Sequence[Any]], target: str = "returned", settings: str = "") -> Shop:
        folder = tmp_path / "shop"
        folder.mkdir(exist_ok=True)
        content = _csv(table) if isinstance(table, dict) else table
        data = content if isinstance(content, bytes) else content.encode()
        (folder / "orders.csv").write_bytes(data)
        first = "" if "budget" in settings else '[training]\nbudget = "2 fits"\n'
        (folder / "artificer.toml").write_text(
            f'{first}[data]\nsource = "orders.csv"\ntarget = "{target}"\n{settings}', encoding="utf-8"
        )
        return Shop(folder)

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[int]:
    """The port of a PostgreSQL server on loopback (user ``artificer``); tests that need it skip where there is none."""
    from artificer.testing import postgres as server

    if not server.installed():
        pytest.skip(server.INSTALL)
    with server.running() as port:
        yield port


# Servers that tests start themselves ---------------------------------------------------------------------------------


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextlib.contextmanager
def _serving(command: list[Any], ready: list[Any], folder: Path) -> Iterator[None]:
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                assert process.poll() is None, f"{command[0]} ended at its start"
                if subprocess.run(ready, check=False, capture_output=True).returncode == 0:
                    break
                select.select([], [], [], 0.1)
            else:
                pytest.fail(f"{command[0]} does not answer")
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MariaDB on loopback: ``host:port``, with a user artificer of the password "right"."""
    install, server = _program("mariadb-install-db"), _program("mariadbd")
    if not (install and server and _program("my_print_defaults")):
        pytest.skip(
            "MariaDB's server is not installed; on Debian: apt-get install mariadb-server-core mariadb-client-core"
        )
    folder = tmp_path_factory.mktemp("mariadb")
    data, port = folder / "data", _free_port()
    common = ["--no-defaults", f"--datadir={data}", *(["--user=root"] if os.geteuid() == 0 else [])]
    command = [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    start = folder / "start.sql"
    start.write_text(
        "CREATE DATABASE shop;\nCREATE USER artificer@'127.0.0.1' IDENTIFIED BY 'right';\n"
        "GRANT ALL ON *.* TO artificer@'127.0.0.1';\n"
    )
    options = [
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        f"--socket={folder / 's'}",
        f"--init-file={start}",
    ]
    code = (
        "import pymysql, sys; "
        f"pymysql.connect(host='127.0.0.1', port={port}, user='artificer', password='right', database='shop')"
    )
    with _serving([server, *common, *options], [sys.executable, "-c", code], folder):
        yield f"127.0.0.1:{port}"
