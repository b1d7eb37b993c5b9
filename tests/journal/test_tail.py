"""The journal's end after a kill or a power loss: cut at the last whole record, and told."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from artificer.errors import JournalError
from artificer.journal.entries import PredictionEntry
from artificer.journal.keeping import status, verify
from artificer.journal.reader import predictions
from artificer.journal.writer import Journal

WRITE_AND_DIE = """
import os, sys
from pathlib import Path
from artificer.journal.entries import PredictionEntry
from artificer.journal.writer import Journal
journal = Journal(Path(sys.argv[1]))
for i in range(int(sys.argv[2])):
    journal.append([PredictionEntry(str(i), float(i), "1", {"text": "x" * 6000}, [0.5], "yes")])
os.kill(os.getpid(), 9)
"""


def dead(path: Path, rows: int) -> Path:
    """A journal whose writer was killed; its log is still there."""
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path), str(rows)], check=False)
    return path.with_name(path.name + "-wal")


def test_a_torn_log_is_cut_at_the_last_whole_commit_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal.sqlite"
    wal = dead(path, 20)
    size = wal.stat().st_size
    with wal.open("r+b") as file:  # the last page was on its way to the disk
        file.seek(size - 3_000)
        file.write(os.urandom(3_000))
    with caplog.at_level(logging.WARNING, logger="artificer.journal"), Journal(path) as journal:
        journal.append([PredictionEntry("next", 99.0, "1", {}, [0.5], "yes")])
    assert [e.id for e in predictions(path)] == [*map(str, range(19)), "next"]
    assert "never finished" in caplog.text
    assert status(path)["audit"][0]["action"] == "cut"
    assert status(path)["audit"][0]["evidence"]["pages"] >= 1


def test_a_whole_log_is_not_talked_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal.sqlite"
    dead(path, 20)
    with caplog.at_level(logging.WARNING, logger="artificer.journal"):
        Journal(path).close()
        Journal(path).close()
    assert caplog.text == ""
    assert len(predictions(path)) == 20
    assert status(path)["audit"] == []


@pytest.mark.parametrize("share", [0.95, 0.6])
def test_a_file_that_lost_its_tail_gives_back_what_is_whole(tmp_path: Path, share: float) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        for i in range(60):
            journal.append([PredictionEntry(str(i), float(i), "1", {"text": "x" * 3000}, [0.5], "yes")])
    whole = path.stat().st_size
    os.truncate(path, int(whole * share))
    with Journal(path) as journal:
        journal.append([PredictionEntry("next", 999.0, "1", {}, [0.5], "yes")])
    kept = [e.id for e in predictions(path)]
    assert kept[-1] == "next"
    assert len(kept) > 60 * share * 0.7
    assert kept[:5] == ["0", "1", "2", "3", "4"]
    assert verify(path)["damaged"] == []
    (aside,) = tmp_path.glob("journal.sqlite.damaged-*Z")
    assert aside.name in str(status(path)["audit"])


@pytest.mark.skipif(shutil.which("mount") is None or os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_read_only_or_full_disk_is_refused_in_a_sentence(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine may not mount disks")
    path = disk / "journal.sqlite"
    try:
        acknowledged = []

        def fill(journal: Journal) -> None:
            for i in range(400):
                journal.append([PredictionEntry(str(i), 1.0, "1", {"text": "x" * 9000}, [0.5], "yes")])
                acknowledged.append(str(i))

        with Journal(path) as journal, pytest.raises(JournalError, match="free space"):
            fill(journal)
        assert len(acknowledged) > 5
        assert {e.id for e in predictions(path)} >= set(acknowledged)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(JournalError, match=r"journal\.sqlite"):
            Journal(path)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
