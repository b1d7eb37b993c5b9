"""The loop's store in a real PostgreSQL server, started for the test on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.loop import actions, cycle
from artificer.problem.project import Project, open_project

INSTALL = "PostgreSQL's server is not installed; on Debian: apt-get install postgresql"


def program(name: str) -> str | None:
    """A server program, which Debian keeps off the PATH."""
    found = [str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    return shutil.which(name) or (found[-1] if found else None)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    initdb, postgres, ready = program("initdb"), program("postgres"), program("pg_isready")
    if not (initdb and postgres and ready):
        pytest.skip(INSTALL)
    folder = tmp_path_factory.mktemp("postgres")
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
        for parent in folder.parents[:3]:
            parent.chmod(parent.stat().st_mode | 0o055)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", data, "-U", "artificer", "--auth=trust", "-E", "UTF8"], user=user, check=True, cwd=folder
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    options = ["-D", data, "-p", port, "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    with subprocess.Popen([postgres, *options], user=user, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                if subprocess.run([ready, "-h", "127.0.0.1", "-p", port, "-t", "1"], check=False).returncode == 0:
                    break
                assert process.poll() is None, "PostgreSQL ended at its start"
            yield f"postgresql://artificer:${{LOOP_PASSWORD}}@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()


@pytest.mark.slow
def test_the_loop_keeps_its_workflows_in_postgresql(
    project: Project, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP_PASSWORD", "not-in-the-file")
    file = project.dir / "artificer.toml"
    file.write_text(file.read_text() + f'\n[stores]\nloop = "{server}"\n')
    opened = open_project(project.dir)
    assert "not-in-the-file" not in str(opened.problem)
    cycle.launch(opened, threads=1)
    try:
        first = cycle.run_first_training("first")
        assert first["promotion"]["promoted"]
        assert cycle.run_cycle("quiet")["action"] == "wait"
    finally:
        cycle.shut_down()
    assert actions.champion_version(opened) == 1
    assert not (opened.home / "loop.sqlite").exists()
    # Another process (here: another launch) finds that the work is done.
    cycle.launch(opened, threads=1)
    try:
        assert cycle.resume() == []
        assert cycle.run_first_training("first") == first
    finally:
        cycle.shut_down()
