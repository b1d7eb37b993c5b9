"""A real PostgreSQL server for tests: made, started on loopback and ended by the test that needs it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "PostgreSQL's server is not installed; on Debian: apt-get install postgresql"


def program(name: str) -> str | None:
    """A server program, which Debian keeps off the PATH."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    return shutil.which(name) or (found[-1] if found else None)


def installed() -> bool:
    """Whether there is a server to start; where not, tests skip with ``INSTALL``."""
    return all(program(name) for name in ("initdb", "postgres", "pg_isready"))


@contextmanager
def running() -> Iterator[int]:
    """Start a server in a temporary folder; gives its port on 127.0.0.1, user ``artificer``, any password."""
    # Not in pytest's folder, which other users may not enter.
    with (
        tempfile.TemporaryDirectory(prefix="artificer-postgres-", ignore_cleanup_errors=True) as name,
        _running(Path(name)) as port,
    ):
        yield port


@contextmanager
def _running(folder: Path) -> Iterator[int]:
    initdb, postgres, ready = program("initdb"), program("postgres"), program("pg_isready")
    if initdb is None or postgres is None or ready is None:
        raise FileNotFoundError(INSTALL)
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = str(folder / "data")
    made = [initdb, "-D", data, "-U", "artificer", "--auth=trust", "-E", "UTF8"]
    subprocess.run(made, user=user, check=True, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: S603
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ["-D", data, "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    with subprocess.Popen([postgres, *options], user=user, cwd=folder, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            for _ in range(100):
                asked = [ready, "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
                if subprocess.run(asked, check=False, stdout=subprocess.DEVNULL).returncode == 0:  # noqa: S603
                    break
                assert process.poll() is None, "PostgreSQL ended at its start"
            yield port
        finally:
            process.terminate()
