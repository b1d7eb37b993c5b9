"""The loop's store in a real PostgreSQL server, started for the test on loopback."""

from __future__ import annotations

import pytest

from artificer.loop import actions, cycle
from artificer.problem.project import Project, open_project


@pytest.mark.slow
def test_the_loop_keeps_its_workflows_in_postgresql(
    project: Project, postgres: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP_PASSWORD", "not-in-the-file")
    server = f"postgresql://artificer:${{LOOP_PASSWORD}}@127.0.0.1:{postgres}/postgres"
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
