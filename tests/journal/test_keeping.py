"""Keeping the journal: forgetting, dropping, verifying, asking."""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from artificer.errors import JournalError, UsageError
from artificer.journal import keeping, sealing
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.keeping import forget, retain, status, verify
from artificer.journal.query import query
from artificer.journal.reader import counts, labelled, outcomes, predictions
from artificer.journal.sealing import DAY, seal
from artificer.journal.segments import folder_of
from artificer.journal.store import open_for_reading
from artificer.journal.writer import Journal

SUBJECT = "Erika Mustermann"


def filled(path: Path, seal_until: float = 0.0) -> None:
    """Four days; every fifth row is the subject's, written now as a text and now in a list's company."""
    with Journal(path) as journal:
        for begin in range(0, 80, 8):
            made = [
                PredictionEntry(
                    f"p{i}", i * DAY / 20, "1", {"who": SUBJECT if i % 5 == 0 else f"c{i}", "x": i, "n": 7 + i % 3},
                    [0.25, 0.75], "yes",
                )
                for i in range(begin, begin + 8)
            ]  # fmt: skip
            journal.append([*made, *(OutcomeEntry(e.id, e.at + DAY, "no") for e in made[::2])])
    if seal_until:
        seal(path, seal_until)


@pytest.mark.parametrize("sealed", [0.0, 2 * DAY, 9 * DAY])
def test_a_subject_is_forgotten_everywhere(tmp_path: Path, sealed: float) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path, sealed)
    assert SUBJECT.encode() in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()) or sealed
    left = [e for e in predictions(path) if e.row["who"] != SUBJECT]
    told = [o for o in outcomes(path) if int(o.id[1:]) % 5]
    found = forget(path, "who", f" {SUBJECT} ")
    assert (found.predictions, found.outcomes) == (16, 8)
    assert predictions(path) == left
    assert outcomes(path) == told
    assert counts(path).predictions == 64
    assert verify(path)["damaged"] == []
    whole = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert SUBJECT.encode() not in whole
    (record, *_) = status(path)["audit"]
    assert record["evidence"]["sha256"] == hashlib.sha256(f"{record['evidence']['salt']}{SUBJECT}".encode()).hexdigest()
    assert forget(path, "who", SUBJECT).predictions == 0
    assert forget(path, "n", "7").predictions > 0
    assert not [e for e in predictions(path) if e.row["n"] == 7]


def test_a_forgetting_says_what_a_reader_keeps_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path)

    def on_disk() -> bool:
        return SUBJECT.encode() in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())

    appended: list[float] = []

    def append(seconds: float) -> None:
        """In place of waiting: another process appends."""
        begun = time.monotonic()
        with Journal(path) as other:
            other.append([OutcomeEntry(f"o{len(appended)}", 1.0, "no")])
        appended.append(time.monotonic() - begun)

    monkeypatch.setattr(sealing, "READER_SECONDS", 0.2)
    clock = SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=append)
    monkeypatch.setattr(sealing, "time", clock)
    with Journal(path), closing(open_for_reading(path)) as reader:
        reader.execute("select count(*) from groups").fetchall()
        found = forget(path, "who", SUBJECT)
        assert (found.predictions, found.overwritten) == (16, False)
        assert on_disk()
        assert appended
        assert max(appended) < 2
        reader.execute("rollback")
        again = forget(path, "who", SUBJECT)
        assert (again.predictions, again.overwritten) == (0, True)
        assert not on_disk()


def test_a_forgetting_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path, 2 * DAY)
    before, files = predictions(path), sorted(folder_of(path).rglob("*.parquet"))

    def full(*given: Any) -> Any:
        raise JournalError("the disk is full")

    monkeypatch.setattr(keeping, "note", full)
    with pytest.raises(JournalError, match="full"):
        forget(path, "who", SUBJECT)
    assert predictions(path) == before
    assert sorted(folder_of(path).rglob("*.parquet")) == files


def test_old_days_are_dropped_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path, 2 * DAY)
    assert retain(path, DAY + 5) > 0
    assert {e.at >= DAY for e in predictions(path)} <= {True}
    kept = predictions(path)
    assert retain(path, DAY + 5) == 0
    assert predictions(path) == kept
    assert retain(path, 9 * DAY) > 0
    assert not list(folder_of(path).rglob("*.parquet"))


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path, 2 * DAY)
    assert verify(path)["entries"] == 120
    file = next(folder_of(path).rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-9])
    (found,) = verify(path)["damaged"]
    assert found["segment"].endswith(file.name)
    assert found["reason"] == "its checksum does not match"


def test_sql_sees_sealed_and_unsealed_as_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path, 2 * DAY)
    with Journal(path) as journal:
        journal.append([PredictionEntry("new", 9 * DAY, "2", {"x": 0.5, "other": True}, [1.0], 3)])
        journal.append([OutcomeEntry("p0", 9 * DAY, "yes")])
    answer = query(path, "select count(*), sum(x), min(_time), count(other) from predictions")
    assert [str(cell) for cell in answer["rows"][0]] == ["81", "3160.5", "1970-01-01 00:00:00", "1"]
    answer = query(path, "select _outcome, count(*) from labelled group by all order by all")
    assert answer["rows"] == [["no", 39], ["yes", 1]]
    assert len(labelled(path)) == 40
    assert query(path, "select _id from predictions", limit=5)["more"]


@pytest.mark.parametrize("sealed", [0.0, DAY])
@pytest.mark.parametrize("values", [("yes", "no", "yes"), ("no", "yes", "no")])
def test_of_outcomes_with_one_time_the_last_written_counts_in_sql_too(
    tmp_path: Path, values: tuple[str, ...], sealed: float
) -> None:
    """Two in one append, the third in another."""
    path = tmp_path / "journal.sqlite"
    for count in (2, 3):
        with Journal(path) as journal:
            if count == 2:
                journal.append([PredictionEntry(f"p{i}", 5.0, "1", {"x": i}, [1.0], "no") for i in range(40)])
            written = [OutcomeEntry(f"p{i}", 9.0, value) for value in values[:2] for i in range(40)]
            journal.append(written if count == 2 else [OutcomeEntry(f"p{i}", 9.0, values[2]) for i in range(20)])
        if count == 2 and sealed:
            seal(path, sealed)
    expected = {made.id: outcome.value for made, outcome in labelled(path)}
    assert set(expected.values()) == {"yes", "no"}
    assert dict(query(path, "select _id, _outcome from labelled")["rows"]) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "drop view predictions",
        "select 1; select 2",
        "select nothing from predictions",
        "copy (select 1) to 'out.csv'",
        "select * from read_csv('/etc/passwd')",
        "attach 'other.db'",
        "select * from 'journal.sqlite'",
        "",
        "gibberish",
    ],
)
def test_sql_may_only_read_the_journal(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path, 2 * DAY)
    with pytest.raises(UsageError):
        query(path, sql)


def test_an_empty_journal_can_be_asked(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    assert query(path, "select count(*) from labelled")["rows"] == [[0]]
    assert status(path)["first_at"] is None
    assert seal(path, 9 * DAY).entries == 0


def test_a_sealing_waits_for_a_forgetting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one has written and not yet recorded is no orphan to the other."""
    path = tmp_path / "journal.sqlite"
    filled(path, 2 * DAY)
    write, seen = keeping.write_segment, []

    def meanwhile(*given: Any) -> Any:
        segment = write(*given)
        other = threading.Thread(target=lambda: seen.append(seal(path, 9 * DAY)))
        other.start()
        other.join(0.3)
        assert other.is_alive()
        others.append(other)
        return segment

    others: list[threading.Thread] = []
    monkeypatch.setattr(keeping, "write_segment", meanwhile)
    forget(path, "who", SUBJECT)
    for other in others:
        other.join()
    assert {found.orphans for found in seen} == {0}
    assert verify(path)["damaged"] == []
    assert counts(path).predictions == 64
