"""Sealed segments: typed, exact, and one with what is not sealed yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.journal.entries import OUTCOMES, PREDICTIONS, OutcomeEntry, PredictionEntry
from artificer.journal.frames import to_entries, to_frame
from artificer.journal.reader import DamagedGroup, counts, labelled, outcomes, predictions
from artificer.journal.sealing import DAY, seal
from artificer.journal.segments import folder_of
from artificer.journal.writer import Journal
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import Role, Task

CONTRACT = Contract(
    (
        ColumnSpec("price", Role.NUMERIC, "numbers", "String", format="1234.5 kg"),
        ColumnSpec("hue", Role.CATEGORICAL, "few texts", "String"),
        ColumnSpec("new", Role.BOOLEAN, "truths", "Boolean", format="yes/no"),
        ColumnSpec("when", Role.DATETIME, "times", "Datetime"),
        ColumnSpec("words", Role.TEXT, "texts", "String"),
        ColumnSpec("customer", Role.ID, "ids", "String"),
    ),
    "y",
    Task.BINARY,
    ("no", "yes"),
    "yes",
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(["2026-01-05T10:30:00", "2026-01-05", "12 kg", "yes", 1.7e9, 0, 1, 1.7e9 + 0.123]),
)
CELLS = st.one_of(SCALARS, st.lists(SCALARS, max_size=2))
COLUMNS = st.sampled_from([*(c.name for c in CONTRACT.columns), "Price", "_id", "_RAW", "_prediction", "free", ""])


def same(left: Any, right: Any) -> bool:
    """Equal, and of one JSON type (an integer that is a float is the same number)."""
    if isinstance(left, list) or isinstance(right, list):
        return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))
    numbers = {int, float}
    return bool(left == right and (type(left) is type(right) or {type(left), type(right)} == numbers))


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.dictionaries(COLUMNS, CELLS, max_size=5), min_size=1, max_size=6),
    told=SCALARS,
    known=st.booleans(),
)
def test_entries_come_back_from_columns_as_they_were(rows: list[dict[str, Any]], told: Any, known: bool) -> None:
    made = [PredictionEntry(str(i), i / 3, "7", row, [0.1, 0.9], told if i else "yes") for i, row in enumerate(rows)]
    back = to_entries(PREDICTIONS, *to_frame(PREDICTIONS, made, CONTRACT if known else None))
    for before, after in zip(made, back, strict=True):
        assert (before.id, before.at, before.version, before.scores) == (
            after.id,
            after.at,
            after.version,
            after.scores,
        )
        assert same(before.prediction, after.prediction)
        for name in {*before.row, *after.row}:
            assert same(before.row.get(name), after.row.get(name)), name
    came = [OutcomeEntry(str(i), i / 3, value) for i, value in enumerate([told, "yes", 3])]
    for before, after in zip(came, to_entries(OUTCOMES, *to_frame(OUTCOMES, came)), strict=True):
        assert same(before.value, after.value)


def filled(path: Path, days: int = 3, each: int = 40) -> None:
    """Some days of predictions in small groups, the groups astride midnight too, and outcomes of half of them."""
    made = [
        PredictionEntry(
            f"p{i}", i * DAY / each, str(1 + i // 50),
            {"price": i / 2, "hue": "red", "when": "2026-01-05T10:30:00", "customer": f"c{i % 7}"},
            [0.25, 0.75], "yes",
        )
        for i in range(days * each)
    ]  # fmt: skip
    with Journal(path) as journal:
        for begin in range(0, len(made), 7):
            part = made[begin : begin + 7]
            journal.append([*part, *(OutcomeEntry(e.id, e.at + 600, "no") for e in part[::2])])


def seen(path: Path) -> tuple[Any, ...]:
    return predictions(path), outcomes(path), labelled(path), counts(path), predictions(path, DAY / 2, 2 * DAY, limit=9)


def test_sealed_and_unsealed_are_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path)
    before = seen(path)
    result = seal(path, 2 * DAY + 5, lambda version: CONTRACT, rows=30)
    assert result.entries > 80
    assert result.damaged == ()
    assert seen(path) == before
    assert seal(path, 2 * DAY + 5).entries == 0
    with Journal(path) as journal:
        journal.append([PredictionEntry("late", DAY, "9", {}, [0.5], "no"), OutcomeEntry("p0", 700.0, "yes")])
    assert {e.id for e in predictions(path, DAY, DAY + 1)} == {"p40", "late"}
    assert outcomes(path, 0, 701)[0] == OutcomeEntry("p0", 700.0, "yes")
    seal(path, 9 * DAY)
    assert outcomes(path, 0, 701)[0] == OutcomeEntry("p0", 700.0, "yes")
    files = sorted(p.relative_to(folder_of(path)).as_posix() for p in folder_of(path).rglob("*.parquet"))
    assert files[0].startswith("kind=outcomes/day=1970-01-01/")
    assert any(name.startswith("kind=predictions/day=1970-01-03/") for name in files)


def test_segments_are_plain_typed_parquet(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path)
    seal(path, 9 * DAY, lambda version: CONTRACT)
    glob = folder_of(path) / "kind=predictions" / "**" / "*.parquet"
    rows = duckdb.sql(
        f"select typeof(price), typeof(hue), typeof(\"when\"), count(*), sum(price) from '{glob}' group by all"
    )
    assert rows.fetchall() == [("DOUBLE", "VARCHAR", "TIMESTAMP", 120, 120 * 119 / 4)]


def test_a_damaged_segment_is_told_and_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path)
    seal(path, 9 * DAY)
    first, second, *_ = sorted(folder_of(path).rglob("kind=predictions/**/*.parquet"))
    data = bytearray(first.read_bytes())
    data[60] ^= 0xFF
    first.write_bytes(data)
    second.unlink()
    damaged: list[DamagedGroup] = []
    kept = predictions(path, damaged=damaged)
    assert len(damaged) == 2
    assert len(kept) + sum(group.count for group in damaged) == 120
    assert {group.segment for group in damaged} == {p.relative_to(folder_of(path)).as_posix() for p in (first, second)}


KILLED = """
import os, sys
from pathlib import Path
from artificer.journal import sealing, segments, store
step = [int(sys.argv[2])]
def counted(function):
    def run(*given, **more):
        result = function(*given, **more)
        step[0] -= 1
        if step[0] < 0:
            os.kill(os.getpid(), 9)
        return result
    return run
import artificer.durable as durable
os.replace, os.fsync = counted(os.replace), counted(os.fsync)
sealing.record_segments = counted(sealing.record_segments)
sealing.note = counted(sealing.note)
sealing.shrink = counted(sealing.shrink)
sealing._settle = counted(sealing._settle)
sealing.seal(Path(sys.argv[1]), 9 * 86400.0, rows=60)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_loses_and_doubles_nothing(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "journal.sqlite"
    filled(path)
    before = seen(path)
    killed = 0
    for step in (0, 1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 30):
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(step)], check=False)
        killed += done.returncode == -9
        assert seen(path) == before
    assert killed > 5
    seal(path, 9 * DAY)
    assert seen(path) == before
    named = {p for p in folder_of(path).rglob("*") if p.is_file()}
    assert counts(path).predictions == 120
    assert seal(path, 9 * DAY).orphans == 0
    assert named == {p for p in folder_of(path).rglob("*") if p.is_file()}
