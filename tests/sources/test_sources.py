"""Every source keeps the contract; delimited text of every dialect is read with each line accounted for."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from artificer.errors import SourceError
from artificer.sources.base import ReadOptions, Source, sources
from artificer.sources.delimited import _read_by_record
from artificer.sources.dialect import Dialect
from artificer.sources.reading import read_source
from artificer.sources.scanning import read_with_duckdb
from artificer.sources.sqlite import quoted
from artificer.testing.sources import SOURCE_CHECKS, Writer, sample_table


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    frame.write_csv(path, separator="\t" if path.suffix in (".tsv", ".tab") else "|" if path.suffix == ".psv" else ",")


def write_json(frame: pl.DataFrame, path: Path) -> None:
    frame.write_json(path) if path.suffix == ".json" else frame.write_ndjson(path)


def write_arrow(frame: pl.DataFrame, path: Path) -> None:
    frame.write_ipc_stream(path) if path.suffix == ".arrows" else frame.write_ipc(path)


def write_excel(frame: pl.DataFrame, path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (frame.columns, *frame.rows()):
        book.active.append(row)
    book.save(path)


def write_sqlite(frame: pl.DataFrame, path: Path) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = ", ".join(quoted(name) for name in frame.columns)
        connection.execute(f"CREATE TABLE rows ({columns})")
        connection.executemany(f"INSERT INTO rows VALUES ({', '.join('?' * frame.width)})", frame.rows())


WRITERS: dict[str, Writer] = {
    "csv": write_csv,
    "json": write_json,
    "arrow": write_arrow,
    "excel": write_excel,
    "sqlite": write_sqlite,
    "parquet": lambda frame, path: frame.write_parquet(path),
}


@pytest.mark.parametrize("member", sources().values(), ids=lambda member: member.name)
@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__)
def test_contract(member: type[Source], check: Callable[[type[Source], Writer, Path], None], tmp_path: Path) -> None:
    check(member, WRITERS[member.name], tmp_path)


def read(tmp_path: Path, data: str | bytes, **options: object) -> tuple[pl.DataFrame, tuple[str, ...]]:
    path = tmp_path / "table.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    result = read_source(path, options=ReadOptions(**options))  # type: ignore[arg-type]
    assert result.rows_read == result.frame.height
    return result.frame, result.notes


ROWS = [("Ann", "1,5", "red"), ("Bob", "2,25", "blue"), ("Çem", "7", "red"), ("Dörte", "-3", "green")] * 5


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_dialects(tmp_path: Path, delimiter: str, quote: str, end: str, encoding: str) -> None:
    lines = [delimiter.join(["name", "price", "colour"])]
    lines += [delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in ROWS]
    frame, _ = read(tmp_path, (end.join(lines) + end).encode(encoding))
    assert frame.columns == ["name", "price", "colour"]
    assert frame.rows() == ROWS


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("a,b\n1,2\n3,4", ["a", "b"], 2),
        ("1,2\n3,4\n5,6\n", ["column_1", "column_2"], 3),
        ("39, State-gov, 77516\n50, Private, 83311\n", ["column_1", "column_2", "column_3"], 2),
        ("x,yes\ny,no\nx,yes\ny,no\nx,no\nz,yes\n", ["column_1", "column_2"], 6),
        ("name,kind\n" + "x,yes\ny,no\n" * 9, ["name", "kind"], 18),
        ("0,1,2\n5.1,3.5,1.4\n4.9,3.0,1.4\n", ["0", "1", "2"], 2),
        ("country,2019,2020,2021\nFR,1,2,3\nDE,4,5,6\n", ["country", "2019", "2020", "2021"], 2),
        ("Report of May\n\na,b,c\n1,2,3\n4,5,6\n7,8,9\n", ["a", "b", "c"], 3),
        ("a,b\nr1,1,2\nr2,3,4\n", ["row_name", "a", "b"], 2),
        ("a,b\n1,2,\n3,4,\n", ["a", "b", "column_3"], 2),
        (",a,b\n0,1,2\n1,3,4\n", ["column_1", "a", "b"], 2),
        ("only\none, or two\nthree\n", ["only"], 2),
        ("date;x\n01/02/2020;1,5\n02/02/2020;2,5\n03/02/2020;3,5\n", ["date", "x"], 3),
    ],
)
def test_where_the_table_begins(tmp_path: Path, text: str, columns: list[str], rows: int) -> None:
    frame, _ = read(tmp_path, text)
    assert (frame.columns, frame.height) == (columns, rows)


def test_the_caller_may_know_better(tmp_path: Path) -> None:
    frame, notes = read(tmp_path, "1;2\n3;4\n", header=True)
    assert (frame.columns, frame.height) == (["1", "2"], 1)
    assert notes == ()
    frame, _ = read(tmp_path, "a;b\nc;d\n", header=False, delimiter=";")
    assert frame.height == 2
    assert read(tmp_path, "name\nЖЩ\n".encode("cp1251"), encoding="cp1251")[0]["name"].to_list() == ["ЖЩ"]
    with pytest.raises(SourceError, match='encoding "klingon" is unknown'):
        read(tmp_path, "a,b\n1,2\n", encoding="klingon")


def test_column_names_that_stand_twice(tmp_path: Path) -> None:
    frame, notes = read(tmp_path, "a,a,b,a_2\n1,2,x,3\n4,5,y,6\n")
    assert frame.columns == ["a", "a_3", "b", "a_2"]
    assert any('"a" stands twice' in note for note in notes)


def test_refused_lines_are_written_down_and_counted(tmp_path: Path) -> None:
    lines = ["a,b,c", *(f'{i},"two\nlines",z' for i in range(50)), "1,2", "1,2,3,4", *("7,8,9" for _ in range(50))]
    path, rejects = tmp_path / "t.csv", tmp_path / "home" / "rejects.jsonl"
    path.write_text("\n".join(lines) + "\n")
    result = read_source(path, options=ReadOptions(rejects_path=rejects))
    assert (result.rows_read, result.rows_rejected, result.rejects_path) == (100, 2, rejects)
    written = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(entry["line"], entry["text"]) for entry in written] == [(102, "1,2"), (103, "1,2,3,4")]
    assert [entry["cause"].split(" (")[0] for entry in written] == ["too few fields", "too many fields"]


def test_too_many_refused_lines_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"2 of 10 lines .* more than the allowed 5% \(line 2: too few"):
        read(tmp_path, "a,b\n1\n2\n" + "3,4\n" * 8)
    frame, _ = read(tmp_path, "a,b\n1\n2\n" + "3,4\n" * 8, max_reject_share=0.2)
    assert frame.height == 8


def test_a_stray_quote_costs_one_line_and_not_the_rest_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 100 + '"open,2\n' + "3,4\n" * 100 + "5,6\n")
    result = read_source(path, options=ReadOptions(rejects_path=tmp_path / "r.jsonl"))
    assert (result.rows_read, result.rows_rejected) == (201, 1)
    assert json.loads((tmp_path / "r.jsonl").read_text()) == {
        "line": 102,
        "cause": "a quote is not closed",
        "text": '"open,2',
    }


CELL = st.sampled_from(["a", "1", "", '"q"', '"a,b"', '"l\n2"', 'x"y', '"un', '"e""e"', '"a"b', "é", '""'])
RECORD = st.lists(CELL, min_size=1, max_size=4).map(",".join)


@given(st.lists(RECORD, min_size=1, max_size=8).map("\n".join), st.integers(1, 3))
@example('a,a,"un\n"q","a"b,a', 1)
@example(',"a,b",a,"un\né,"a,b","a,b","un\né,"q",é', 2)
@settings(max_examples=120, deadline=None)
def test_duckdb_and_the_record_reader_agree(tmp_path_factory: pytest.TempPathFactory, text: str, width: int) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "t.csv"
    path.write_text(text)
    dialect = Dialect(",", '"', '"', 0, False, tuple("abc"[:width]))
    fast, slow = read_with_duckdb(path, dialect), _read_by_record(path, dialect)
    lines = text.count("\n") + 1
    assert slow.frame.height + len(slow.rejects) <= lines
    if fast is not None:
        assert fast.frame.rows() == slow.frame.rows()
        assert [reject.line for reject in fast.rejects] == [reject.line for reject in slow.rejects]


@given(st.lists(st.lists(st.sampled_from(["a", "1", "", "é"]), min_size=1, max_size=4), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_every_line_is_a_row_or_a_reject(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "t.csv"
    path.write_text("a,b\n" + "x,2\n" * 90 + "\n".join(",".join(row) for row in rows) + "\n")
    blank = sum(row == [""] for row in rows)
    options = ReadOptions(delimiter=",", header=True, max_reject_share=1.0)
    result = read_source(path, options=options)
    assert result.rows_read + result.rows_rejected == 90 + len(rows) - blank


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n", "no rows below its header"),
        (b"a,b", "no rows below its header"),
        (b"\n\n", "no rows"),
        (b"PK\x03\x04rest", "Excel"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\x80\x04\x95rest", "pickle"),
        (b"\x1f\x8b\x08damaged", "damaged gzip"),
        (b"PAR1" + b"x" * 100, "no Parquet file"),
    ],
)
def test_files_that_hold_no_table(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        read_source(path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    path.chmod(0)
    with pytest.raises(SourceError, match="may not be read"):
        read_source(path)


def test_odd_names_of_files(tmp_path: Path) -> None:
    path = tmp_path / "what[1]*'?.csv"
    path.write_text("a,b\n1,2\n")
    (tmp_path / "what1.csv").write_text("a,b\n3,4\n5,6\n")
    assert read_source(path).frame.rows() == [("1", "2")]
    with pytest.raises(SourceError, match="there is no file"):
        read_source(tmp_path / "nowhere" / "t.csv")
    with pytest.raises(SourceError):
        read_source("nul\0byte.csv")


def test_packed_csv(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_source(path).frame.rows() == [("1", "2")]


def test_a_few_damaged_bytes_do_not_change_the_encoding(tmp_path: Path) -> None:
    good = "name,n\n" + "Zoë,1\nJosé,2\n" * 20
    frame, notes = read(tmp_path, good.encode() + b"bad\xff,3\n")
    assert frame["name"][0] == "Zoë"
    assert frame["name"][-1] == "bad\ufffd"
    assert any("damaged bytes" in note for note in notes)


def test_json_lines_with_damage(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    good = [json.dumps({"a": i, "b": "x" if i % 2 else 7, "big": 2**70}) for i in range(60)]
    path.write_text("\n".join([*good, "{broken", "[1, 2]", "", '{"c": {"deep": 1}}']))
    result = read_source(path, options=ReadOptions(rejects_path=tmp_path / "r.jsonl"))
    assert (result.rows_read, result.rows_rejected) == (61, 2)
    assert result.frame["b"].to_list()[:2] == ["7", "x"]
    assert result.frame["big"][0] == 2.0**70
    assert [json.loads(line)["line"] for line in (tmp_path / "r.jsonl").read_text().splitlines()] == [61, 62]
    one = tmp_path / "one.json"
    one.write_text('{"a": [1,\n 2]}')
    with pytest.raises(SourceError, match="one JSON object"):
        read_source(one)


def test_tables_in_memory_pass_through() -> None:
    frame = sample_table()
    result = read_source(frame)
    assert result.frame is frame
    assert result.rows_read == frame.height
    assert result.fingerprint == read_source(frame.clone()).fingerprint
    changed = frame.with_columns(number=pl.Series([str(i + 1) for i in range(frame.height)]))
    assert read_source(changed).fingerprint != result.fingerprint
    assert read_source(frame.reverse()).fingerprint != result.fingerprint
