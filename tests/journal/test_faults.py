"""What is acknowledged is kept: through kills, full disks and several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from artificer.errors import JournalError
from artificer.journal.entries import PredictionEntry
from artificer.journal.reader import counts, predictions
from artificer.journal.writer import Journal

WRITER = """
import sys, threading
from pathlib import Path
from artificer.journal.entries import PredictionEntry
from artificer.journal.writer import Journal

journal, name, most = Journal(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
mouth = threading.Lock()

def write(thread):
    for i in range(most):
        entry = PredictionEntry(f"{name}-{thread}-{i}", float(i), "1", {"x": i, "c": "some text"}, [0.5], "yes")
        journal.append([entry])
        with mouth:
            sys.stdout.write(entry.id + "\\n")
            sys.stdout.flush()

threads = [threading.Thread(target=write, args=(t,)) for t in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
journal.close()
"""

FULL = """
import resource, sys
from pathlib import Path
from artificer.errors import JournalError
from artificer.journal.entries import PredictionEntry
from artificer.journal.writer import Journal

journal = Journal(Path(sys.argv[1]))
entry = lambda i: PredictionEntry(str(i), float(i), "1", {"text": "x" * 9_000}, [0.5], "yes")
journal.append([entry(0)])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
kept, refused, i = ["0"], 0, 0
while refused < 3:
    i += 1
    try:
        journal.append([entry(i)])
        kept.append(str(i))
    except JournalError as error:
        assert "could not be written" in str(error), error
        assert journal.state.problem is not None
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.append([entry(i + 1)])
kept.append(str(i + 1))
assert journal.state.problem is None
journal.close()
print(" ".join(kept))
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("after", [1, 60, 400])
def test_a_kill_under_load_loses_no_acknowledged_row(tmp_path: Path, after: int) -> None:
    path = tmp_path / "journal.db"
    child = start(WRITER, path, "a", 1_000_000)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(after)]
    child.kill()
    # Lines already in the pipe were acknowledged too; the last may have been cut by the kill.
    rest = child.stdout.read()
    acknowledged += rest[: rest.rfind("\n") + 1].split()
    child.wait()
    child.stdout.close()
    kept = {entry.id for entry in predictions(path)}
    assert len(acknowledged) >= after
    assert set(acknowledged) <= kept
    with Journal(path) as journal:
        journal.append([PredictionEntry("next", 0.0, "1", {}, [0.5], "yes")])
    assert "next" in {entry.id for entry in predictions(path)}


def test_a_full_disk_refuses_and_a_cleared_one_accepts_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    kept = done.stdout.split()
    assert len(kept) > 3
    assert set(kept) <= {entry.id for entry in predictions(path)}


def test_two_processes_write_to_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    children = [start(WRITER, path, name, 40) for name in "ab"]
    acknowledged = [line for child in children for line in child.communicate(timeout=60)[0].split()]
    assert [child.returncode for child in children] == [0, 0]
    assert len(acknowledged) == 2 * 8 * 40
    assert {entry.id for entry in predictions(path)} == set(acknowledged)
    assert counts(path).predictions == len(acknowledged)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(JournalError, match=r"journal\.db"):
        Journal(tmp_path / "journal.db")
