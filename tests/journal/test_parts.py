"""A file for each serving process, all of them one journal to whoever reads it."""

from __future__ import annotations

from pathlib import Path

from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.keeping import forget, retain, status, verify
from artificer.journal.query import query
from artificer.journal.reader import counts, labelled, made_in, outcomes, predictions
from artificer.journal.sealing import DAY, seal
from artificer.journal.store import part_of, parts_of
from artificer.journal.writer import Journal


def made(number: int) -> PredictionEntry:
    row = {"who": "Erika" if number % 6 == 0 else "c", "x": float(number)}
    return PredictionEntry(f"p{number:02}", number * DAY / 10, "1", row, [0.25, 0.75], "yes")


def filled(path: Path) -> None:
    """Thirty predictions over three days and three files; each outcome in another file than its prediction."""
    for slot in range(3):
        with Journal(part_of(path, slot)) as journal:
            for number in range(slot, 30, 3):
                journal.append([made(number), OutcomeEntry(f"p{(number + 1) % 30:02}", 9 * DAY, "no")])


def test_parts_are_read_as_one_before_and_after_sealing(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path)
    (tmp_path / "journal.whatever.sqlite").write_bytes(b"another file")
    assert [part.name for part in parts_of(path)] == ["journal.sqlite", "journal.w1.sqlite", "journal.w2.sqlite"]
    for _ in range(2):
        assert [e.id for e in predictions(path)] == [f"p{i:02}" for i in range(30)]
        assert [e.id for e in predictions(path, limit=4)] == ["p26", "p27", "p28", "p29"]
        newest = made_in(path, 0.0, 99 * DAY, 4, ["x"])
        assert len(newest.entries) + sum(frame.height for frame, _ in newest.frames) == 4
        assert len(outcomes(path)) == len(labelled(path)) == 30
        assert (counts(path).predictions, counts(path, DAY, 2 * DAY).predictions) == (30, 10)
        assert query(path, "select count(*), sum(x) from labelled")["rows"] == [[30, 435.0]]
        assert status(path)["predictions"] == 30
        assert verify(path)["damaged"] == []
        seal(path, 3 * DAY)
    assert status(path)["sealed"]["entries"] == 30


def test_a_subject_is_forgotten_in_all_parts(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path)
    seal(path, DAY)
    found = forget(path, "who", "Erika")
    assert (found.predictions, found.outcomes) == (5, 5)
    assert {e.row["who"] for e in predictions(path)} == {"c"}
    assert len(outcomes(path)) == len(labelled(path)) == 25
    assert retain(path, 2 * DAY) > 0
    assert predictions(path)[0].id == "p20"
