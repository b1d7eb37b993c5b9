from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.clock import ManualClock
from artificer.errors import ArtificerError
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.writer import Journal
from artificer.loop.observe import collect_labelled, read_collected
from artificer.loop.probation import ALPHA, milestone, production_frame
from artificer.loop.service import Service
from artificer.problem.project import Project


@given(st.integers(1, 500), st.integers(0, 100_000))
def test_looks_between_milestones_see_the_same_rows(first: int, rows: int) -> None:
    found = milestone(rows, first)
    if rows < first:
        assert found is None
    else:
        assert found is not None
        judged, alpha = found
        assert first <= judged <= rows
        assert milestone(judged, first) == found
        assert 0 < alpha <= ALPHA / 2


def test_all_judgements_together_spend_alpha() -> None:
    levels = {milestone(rows, 10) for rows in range(10, 5000)}
    assert sum(level for found in levels if found for level in [found[1]]) <= ALPHA


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\u0085", "\n", "\r", "\x00", '"', "\U0001f600"])
def test_any_character_survives_the_snapshot(project: Project, odd: str) -> None:
    text = f"a{odd}b"
    with Journal(project.journal) as journal:
        journal.append([PredictionEntry("1", 1.0, "1", {"x": 1.0, "z": text}, [0.0], 0.0)])
        journal.append([OutcomeEntry("1", 2.0, 3.5)])
    collected = collect_labelled(project, project.runs / "r")
    assert read_collected(collected) == [{"x": 1.0, "z": text, "y": 3.5}]


def test_a_project_without_a_journal_has_no_labels(project: Project) -> None:
    assert collect_labelled(project, project.runs / "r")["rows"] == 0


def test_columns_of_several_types_become_text() -> None:
    frame = production_frame([{"a": 1, "b": "x"}, {"a": "two"}, {"a": None, "b": "y"}])
    assert frame["a"].to_list() == ["1", "two", None]
    assert frame["b"].to_list() == ["x", None, "y"]


ECHO = 'import sys; print(\'{"url": "here"}\', flush=True); sys.stdin.read()'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


@pytest.fixture
def service(log: Path) -> Iterator[Service]:
    with Service([sys.executable, "-c", ECHO], log, ManualClock()) as started:
        yield started


def test_a_dead_service_is_started_again_with_growing_pauses(service: Service) -> None:
    clock = service.clock
    assert isinstance(clock, ManualClock)
    assert service.url == "here"
    assert not service.keep_alive()
    for pause in (0.0, 2.0, 4.0):
        process = service._process
        assert process is not None
        process.kill()
        process.wait()
        if pause:
            clock.advance(pause - 0.1)
            assert not service.keep_alive(), "it is not said to be started while it is only waited for"
            clock.advance(0.2)
        assert service.keep_alive()
    assert service.restarts == 3


def test_a_service_that_ends_at_once_says_why(log: Path) -> None:
    code = "import sys; sys.stderr.write('error: the port is taken.\\n'); sys.exit(1)"
    with pytest.raises(ArtificerError, match="the port is taken"), Service([sys.executable, "-c", code], log):
        pass


def test_the_server_does_not_outlive_its_starter(project: Project) -> None:
    command = [sys.executable, "-m", "artificer.server", "--port", "0", "--json", "--until-eof"]
    places = ["--pointer", str(project.champion_file), "--journal", str(project.journal)]
    with subprocess.Popen([*command, *places], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert isinstance(server.stdout, io.BufferedReader)
        assert b"url" in server.stdout.readline()
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(20) == 0
