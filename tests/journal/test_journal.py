"""The journal in one process: what is kept comes back, in windows, joined, once."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import JournalError
from artificer.journal import writer as writer_module
from artificer.journal.entries import OutcomeEntry, PredictionEntry, decode, encode, group_header
from artificer.journal.reader import Counts, counts, labelled, outcomes, predictions
from artificer.journal.writer import Journal


def prediction(name: str, at: float, version: str = "1", row: dict | None = None) -> PredictionEntry:
    return PredictionEntry(name, at, version, {"x": 1.5, "c": "ä"} if row is None else row, [0.25, 0.75], "yes")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "journal.db"


def test_entries_come_back_as_they_went_in(path: Path) -> None:
    row = {"n": None, "i": 7, "f": 0.1, "s": 'a"\n\x00', "b": True, "list": [1, {"k": None}]}
    entry = PredictionEntry("a", 1.0, "3", row, [0.1, 0.9], 7)
    with Journal(path) as journal:
        journal.append([entry, OutcomeEntry("a", 2.0, False)])
    assert predictions(path) == [entry]
    assert outcomes(path) == [OutcomeEntry("a", 2.0, False)]


def test_integers_beyond_64_bits_are_kept_as_numbers(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([prediction("a", 1.0, row={"x": 10**30, "deep": [2**64, -(2**63)], "huge": 10**400})])
    row = predictions(path)[0].row
    assert row["x"] == 1e30
    assert row["deep"] == [float(2**64), -(2**63)]
    assert row["huge"] == str(10**400)


def test_windows_are_half_open_and_cut_through_groups(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([prediction(f"p{i}", float(i)) for i in range(10)])
        journal.append([prediction("late", 3.5, version="2")])
    assert [e.id for e in predictions(path, 3.0, 5.0)] == ["p3", "late", "p4"]
    assert [e.id for e in predictions(path, 3.0, 5.0, version="2")] == ["late"]
    assert [e.id for e in predictions(path, limit=2)] == ["p8", "p9"]
    assert predictions(path, limit=0) == []
    assert predictions(path, 20.0) == []


def test_limit_finds_the_newest_wherever_their_groups_lie(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([prediction("old", 0.0), prediction("newest", 100.0)])
        journal.append([prediction("b", 50.0), prediction("c", 60.0)])
        journal.append([prediction("d", 55.0)])
    assert [e.id for e in predictions(path, limit=2)] == ["c", "newest"]
    assert [e.id for e in predictions(path, limit=3)] == ["d", "c", "newest"]


def test_the_newest_outcome_wins_and_a_repeated_one_counts_once(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([prediction("a", 10.0), prediction("b", 11.0), prediction("c", 12.0)])
        journal.append([OutcomeEntry("a", 30.0, "new"), OutcomeEntry("nobody", 30.0, "yes")])
        journal.append([OutcomeEntry("a", 20.0, "old"), OutcomeEntry("b", 21.0, "no")])
        journal.append([OutcomeEntry("b", 21.0, "no")])
        journal.append([prediction("a", 10.0)])
    assert [(p.id, o.value) for p, o in labelled(path)] == [("a", "new"), ("b", "no")]
    assert [(p.id, o.value) for p, o in labelled(path, since=11.0)] == [("b", "no")]
    assert [e.id for e in predictions(path)] == ["a", "b", "c"]


def test_an_outcome_may_be_dated_before_its_prediction_by_another_clock(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([OutcomeEntry("a", 99_990.0, 1.0)])
        journal.append([prediction("a", 100_000.0)])
    assert len(labelled(path, since=100_000.0)) == 1


@settings(max_examples=25, deadline=None)
@given(
    groups=st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), min_size=1, max_size=4), max_size=6),
    since=st.integers(-1, 51),
    length=st.integers(0, 52),
)
def test_counts_agree_with_what_is_read(
    groups: list[list[tuple[bool, int]]], since: int, length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("counts") / "journal.db"
    number = 0
    with Journal(path) as journal:
        for group in groups:
            entries = []
            for is_prediction, at in group:
                number += 1
                name = str(number)
                entries.append(prediction(name, float(at)) if is_prediction else OutcomeEntry(name, float(at), 1))
            journal.append(entries)
    made, came = predictions(path, since, since + length), outcomes(path, since, since + length)
    times = [e.at for e in [*made, *came]]
    expected = Counts(len(made), len(came), min(times, default=None), max(times, default=None))
    assert counts(path, since, since + length) == expected


def test_appends_that_gather_share_a_commit_and_all_of_them_return(path: Path) -> None:
    async def many() -> None:
        with Journal(path) as journal:
            await asyncio.gather(*[journal.append_async([prediction(str(i), float(i))]) for i in range(500)])
            state = journal.state
            assert state.entries == 500
            assert state.groups < 250
            assert state.problem is None

    asyncio.run(many())
    assert len(predictions(path)) == 500


def test_a_group_ends_when_it_is_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "GROUP_BYTES", 2_000)

    async def many() -> None:
        with Journal(path) as journal:
            large = {"text": "x" * 1_000}
            await asyncio.gather(*[journal.append_async([prediction(str(i), float(i), row=large)]) for i in range(40)])

    asyncio.run(many())
    with sqlite3.connect(path) as connection:
        assert connection.execute("select max(count) from groups").fetchone()[0] <= 2
    assert len(predictions(path)) == 40


def test_threads_append_at_once(path: Path) -> None:
    with Journal(path) as journal:
        threads = [
            threading.Thread(target=lambda t=t: [journal.append([prediction(f"{t}-{i}", 1.0)]) for i in range(20)])
            for t in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(predictions(path)) == 160


def test_a_cancelled_wait_disturbs_nobody(path: Path) -> None:
    async def two() -> None:
        with Journal(path) as journal:
            gone, stays = journal.append_async([prediction("a", 1.0)]), journal.append_async([prediction("b", 1.0)])
            gone.cancel()
            await stays

    asyncio.run(two())
    assert "b" in [e.id for e in predictions(path)]


def test_nothing_to_keep_is_kept_at_once(path: Path) -> None:
    async def nothing() -> None:
        with Journal(path) as journal:
            journal.append([])
            await journal.append_async([])
            await journal.probe_async()

    asyncio.run(nothing())
    assert counts(path) == Counts(0, 0, None, None)


def test_an_entry_without_a_form_is_refused_alone(path: Path) -> None:
    with Journal(path) as journal:
        with pytest.raises(JournalError, match="cannot be journalled"):
            journal.append([prediction("a", 1.0, row={"x": object()})])
        with pytest.raises(JournalError, match="time"):
            journal.append([prediction("a", float("nan"))])
        with pytest.raises(JournalError, match="time"):
            journal.append([prediction("a", float("inf")), prediction("b", 1.0)])
        with pytest.raises(JournalError, match="cannot be journalled"):
            journal.append(["a", "b"])  # type: ignore[list-item]
        journal.append([prediction("fine", 1.0)])
    assert [e.id for e in predictions(path)] == ["fine"]


def test_a_closed_journal_refuses_and_kept_what_waited(path: Path) -> None:
    journal = Journal(path)
    journal.append([prediction("a", 1.0)])
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append([prediction("b", 1.0)])
    assert [e.id for e in predictions(path)] == ["a"]


def test_a_damaged_group_is_reported_and_hides_no_other(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Journal(path) as journal:
        for name in "abc":
            journal.append([prediction(name, 1.0), OutcomeEntry(name, 2.0, 1)])
    with sqlite3.connect(path) as connection:
        connection.execute("update groups set body = substr(body, 1, 12) where seq = 3")
        connection.execute("update groups set body = x'c1', crc = 1011460295 where seq = 6")
    damaged: list = []
    with caplog.at_level(logging.WARNING, logger="artificer.journal"):
        assert [e.id for e in predictions(path, damaged=damaged)] == ["a", "c"]
        assert [p.id for p, _ in labelled(path, damaged=damaged)] == ["a"]
    assert {group.seq for group in damaged} == {3, 6}
    assert "damaged" in caplog.text


def test_a_group_is_valid_msgpack_of_its_entries() -> None:
    entries = [prediction(str(i), float(i)) for i in range(70_000)]
    (chunk,) = encode(entries)
    assert decode(chunk.kind, group_header(chunk.length) + chunk.data) == entries


def test_refusals_name_the_place(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal at"):
        predictions(tmp_path / "absent.db")
    text = tmp_path / "text.db"
    text.write_text("this is a diary, not a database, however long it goes on" * 40)
    with pytest.raises(JournalError, match=r"text\.db"):
        Journal(text)
    with pytest.raises(JournalError, match=r"text\.db"):
        predictions(text)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("create table t (a)")
    with pytest.raises(JournalError, match="not a journal"):
        Journal(other)
    with pytest.raises(JournalError, match="not a journal"):
        predictions(other)
    newer = tmp_path / "newer.db"
    Journal(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("pragma user_version = 99")
    with pytest.raises(JournalError, match="upgrade"):
        Journal(newer)
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="folder"):
        Journal(tmp_path / "file" / "journal.db")


def test_readers_work_while_a_writer_writes(path: Path) -> None:
    with Journal(path) as journal:
        for i in range(20):
            journal.append([prediction(str(i), float(i))])
            assert len(predictions(path)) == i + 1
