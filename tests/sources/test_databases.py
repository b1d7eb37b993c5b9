"""Databases by URL: a real PostgreSQL and a real MariaDB, started for the tests on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pymysql
import pytest

from artificer.errors import SourceError
from artificer.sources.base import ReadOptions
from artificer.sources.reading import read_batches, read_source

ROWS = 20_000


@pytest.fixture(scope="module")
def server(postgres: int) -> str:
    url = f"postgresql://artificer@127.0.0.1:{postgres}/postgres"
    with psycopg.connect(url) as connection:
        rules = Path(str(connection.execute("SHOW hba_file").fetchone()[0]))
        rules.write_text("host all guarded 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        connection.execute(
            'CREATE TABLE "odd ""table" AS SELECT i AS id, i / 4.0 AS price, (i % 3)::text AS kind, i % 2 = 0 AS even, '
            "timestamptz '2024-01-01 00:00Z' + i * interval '1 hour' AS at, date '2024-01-01' + i % 300 AS day, "
            "gen_random_uuid() AS key, jsonb_build_object('n', i) AS doc, interval '90 minutes' AS lasted, "
            "inet '10.0.0.1' AS host, CASE WHEN i % 5 = 0 THEN NULL ELSE i END AS some "
            f"FROM generate_series(1, {ROWS}) i"
        )
    return url


def administering(server: str) -> Any:
    host, port = server.split(":")
    return pymysql.connect(host=host, port=int(port), user="artificer", password="right", database="shop")  # noqa: S106


@pytest.fixture(scope="module")
def other(mariadb: str) -> str:
    with administering(mariadb) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE sales (id INT, price DECIMAL(10, 2), name VARCHAR(20), at DATETIME, note TEXT)")
        cursor.executemany(
            "INSERT INTO sales VALUES (%s, %s, %s, '2024-01-01 10:00:00', NULL)",
            [(i, i / 4, f"100% né {i}") for i in range(3000)],
        )
        connection.commit()
    return f"mysql://artificer:right@{mariadb}/shop"


def test_a_table_of_postgresql(server: str) -> None:
    result = read_source(server, options=ReadOptions(table='odd "table'))
    frame = result.frame.sort("id")
    assert (result.rows_read, result.rows_rejected) == (ROWS, 0)
    assert frame["price"].to_list()[:3] == [0.25, 0.5, 0.75]
    assert frame.schema["at"] == pl.Datetime("us", "UTC")
    assert (frame.schema["even"], frame.schema["day"], frame.schema["some"]) == (pl.Boolean, pl.Date, pl.Int32)
    assert frame["lasted"][0] == "01:30:00"
    assert frame["host"][0].startswith("10.0.0.1")
    assert frame["some"].null_count() == ROWS // 5
    assert result.place == server.replace("artificer@", "***@")
    assert read_source(f'{server}#public.odd "table').fingerprint == result.fingerprint


def test_queries_come_in_batches_and_have_the_fingerprint_of_their_rows(server: str) -> None:
    def asked(query: str) -> Any:
        return ReadOptions(query=query, batch_rows=500)

    up, down = (f'SELECT id, kind FROM "odd ""table" ORDER BY id {way};' for way in ("ASC", "DESC"))
    batches = [batch.frame.height for batch in read_batches(server, options=asked(up))]
    assert sum(batches) == ROWS
    assert max(batches) < ROWS / 2
    assert read_source(server, options=asked(up)).fingerprint == read_source(server, options=asked(down)).fingerprint
    fewer = asked('SELECT id, kind FROM "odd ""table" WHERE id <> 7')
    assert read_source(server, options=fewer).fingerprint != read_source(server, options=asked(up)).fingerprint
    with_percent = asked("SELECT count(*) AS n FROM \"odd \"\"table\" WHERE kind LIKE '%1%' AND kind <> ':a'")
    assert read_source(server, options=with_percent).frame["n"].to_list() == [6667]
    with_comment = asked("SELECT 1.5::numeric AS price -- of those paid")
    assert read_source(server, options=with_comment).frame["price"].to_list() == [1.5]


CUT = (
    "SELECT i, CASE WHEN i = 150000 THEN pg_terminate_backend(pg_backend_pid()) END AS x "
    "FROM generate_series(1, 200000) i"
)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1 AS a WHERE false", "answers no rows for SELECT 1 AS a WHERE false"),
        ("SELECT * FROM nowhere", 'cannot answer .*relation "nowhere" does not exist'),
        ('DELETE FROM "odd ""table" RETURNING id', "read-only transaction"),
        (CUT, "closed the connection after .* nothing of them was kept"),
    ],
)
def test_what_goes_wrong_is_one_sentence(server: str, query: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_source(server, options=ReadOptions(query=query, batch_rows=1000))
    assert "\n" not in str(caught.value)
    assert ". " not in str(caught.value)


def test_credentials(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = server.replace("artificer@", "guarded:${DB_PASSWORD}@")
    monkeypatch.setenv("DB_PASSWORD", "wr0ng-secret")
    with pytest.raises(SourceError, match=r"refuses the credentials .*check the user and \$\{DB_PASSWORD\}") as caught:
        read_source(place, options=ReadOptions(query="SELECT 1 AS a"))
    assert "wr0ng-secret" not in str(caught.value)
    monkeypatch.setenv("DB_PASSWORD", "right")
    assert read_source(place, options=ReadOptions(query="SELECT 1 AS a")).frame["a"].to_list() == [1]
    with pytest.raises(SourceError, match="permission denied"):
        read_source(f'{place}#odd "table')
    with pytest.raises(SourceError, match="name a table or a query"):
        read_source(place)


def test_mariadb(other: str) -> None:
    result = read_source(f"{other}#sales")
    frame = result.frame.sort("id")
    assert frame["price"].to_list()[:3] == [0.0, 0.25, 0.5]
    assert frame["name"][7] == "100% né 7"
    assert (frame.schema["at"], frame.schema["note"]) == (pl.Datetime("us"), pl.Null)
    assert "right" not in result.place
    query = "SELECT id FROM sales WHERE name LIKE '100% n% 1%'"
    batches: Iterator[Any] = read_batches(other, options=ReadOptions(query=query, batch_rows=100))
    heights = [batch.frame.height for batch in batches]
    assert (sum(heights), max(heights)) == (1111, 100)
    for query, message in (
        ("SELECT 1 FROM sales WHERE id < 0", "answers no rows"),
        ("SELECT * FROM nowhere", "cannot answer .*doesn't exist"),
        ("DELETE FROM sales", "READ ONLY transaction"),
    ):
        with pytest.raises(SourceError, match=message):
            read_source(other, options=ReadOptions(query=query))
    with pytest.raises(SourceError, match=r"refuses the credentials .*Access denied"):
        read_source(other.replace("right", "wrong") + "#sales")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver closes once more
def test_mariadb_that_closes_the_connection(other: str) -> None:
    batches = read_batches(other, options=ReadOptions(query="SELECT a.* FROM sales a, sales b", batch_rows=500))
    next(batches)
    with administering(other.split("@")[1].split("/")[0]) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT a.%'")
        cursor.execute(f"KILL {cursor.fetchall()[0][0]}")
    with pytest.raises(SourceError, match=r"closed the connection after [\d,]+ rows"):
        list(batches)


def test_a_database_without_a_driver() -> None:
    with pytest.raises(SourceError, match=r"no place that can be read|not installed"):
        read_source("foo://host/x#t")
