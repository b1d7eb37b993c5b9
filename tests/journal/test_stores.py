"""Every kind of store keeps the one contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from artificer.errors import ConfigurationError, JournalError
from artificer.journal.reader import predictions
from artificer.journal.writer import Journal
from artificer.problem.places import StoreURL
from artificer.problem.project import open_project
from artificer.testing.journals import check_store, made


def test_a_file_keeps_the_contract(tmp_path: Path) -> None:
    check_store(tmp_path / "journal.sqlite")


@pytest.mark.slow
def test_postgresql_keeps_the_contract(postgres: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_PASSWORD", "s3cret")
    place = StoreURL(f"postgresql://artificer:${{JOURNAL_PASSWORD}}@127.0.0.1:{postgres}/postgres")
    with pytest.raises(JournalError, match="no journal in"):
        predictions(place)
    check_store(place)


def test_a_database_that_is_away_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_PASSWORD", "s3cret")
    place = StoreURL("postgresql://artificer:${JOURNAL_PASSWORD}@127.0.0.1:1/x?connect_timeout=2")
    for use in (Journal, predictions):
        with pytest.raises(JournalError, match="check the database") as told:
            use(place)
        assert "s3cret" not in str(told.value)


@pytest.mark.slow
def test_a_connection_that_breaks_is_opened_again(postgres: int) -> None:
    import psycopg

    url = f"postgresql://artificer@127.0.0.1:{postgres}/template1"
    with Journal(StoreURL(url)) as journal:
        journal.append([made(1, 1.0)])
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'artificer'")
        with pytest.raises(JournalError, match="could not be written"):
            journal.append([made(2, 2.0)])
        journal.append([made(3, 3.0)])
        assert journal.state.problem is None
    assert [e.id for e in predictions(StoreURL(url))] == ["p1", "p3"]


def test_a_project_names_its_journal(make_project: object) -> None:
    shop = make_project({"a": [1, 2], "returned": ["yes", "no"]})  # type: ignore[operator]
    file = shop.dir / "artificer.toml"
    text = file.read_text()
    assert open_project(shop.dir).journal == open_project(shop.dir).home / "journal.sqlite"
    file.write_text(text + '[stores]\njournal = "postgresql://u:${PW}@db/x"\n')
    assert open_project(shop.dir).journal == StoreURL("postgresql://u:${PW}@db/x")
    file.write_text(text + '[stores]\njournal = "mysql://db/x"\n')
    with pytest.raises(ConfigurationError, match="postgresql://"):
        open_project(shop.dir)
