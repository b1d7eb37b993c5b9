"""Several files as one table, packed files, workbooks, SQLite files, nested JSON, and files larger than memory."""

from __future__ import annotations

import bz2
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import openpyxl
import polars as pl
import pyarrow as pa
import pytest

from artificer.errors import SourceError
from artificer.sources.base import ReadOptions
from artificer.sources.reading import read_batches, read_source


def test_a_pattern_is_one_table_and_tells_which_file_a_row_came_from(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        (tmp_path / f"sales-{number}.csv").write_text("a,b\n" + f"{number},x\n" * number)
    result = read_source(tmp_path / "sales-*.csv")
    assert [Path(part.name).name for part in result.parts] == ["sales-1.csv", "sales-2.csv", "sales-10.csv"]
    assert [part.rows for part in result.parts] == [1, 2, 10]
    assert result.part_of_row.tolist() == [0] + [1] * 2 + [2] * 10
    assert result.frame["a"].to_list() == ["1"] + ["2"] * 2 + ["10"] * 10
    assert "stands for 3 files with 13 rows (sales-1.csv 1, sales-2.csv 2, sales-10.csv 10)" in result.notes[0]
    one = read_source(tmp_path / "sales-1.csv")
    assert one.fingerprint == one.parts[0].fingerprint == result.parts[0].fingerprint != result.fingerprint
    with pytest.raises(SourceError, match="no file matches"):
        read_source(tmp_path / "nothing-*.csv")


def test_files_that_differ_in_their_columns_are_united_and_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,price\n1,2.5\n")
    (tmp_path / "b.csv").write_text("price,colour,id\n7,red,2\n")
    (tmp_path / "c.csv").write_text("")
    result = read_source(tmp_path / "*.csv")
    assert result.frame.columns == ["id", "price", "colour"]
    assert result.frame.rows() == [("1", "2.5", None), ("2", "7", "red")]
    assert any('column "colour" is missing in ' in note and "a.csv" in note for note in result.notes)
    assert "1 empty files were passed over" in result.notes
    (tmp_path / "d.csv").write_text("x;y\n1;2\n")
    with pytest.raises(SourceError, match="no column in common"):
        read_source(tmp_path / "*.csv")


def test_types_that_differ_between_files(tmp_path: Path) -> None:
    pl.DataFrame({"n": [1], "d": [True], "x": ["a"]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"n": [2.5], "d": [3], "x": ["b"]}).write_parquet(tmp_path / "2.parquet")
    result = read_source(tmp_path / "*.parquet")
    assert result.frame.rows() == [(1.0, "true", "a"), (2.5, "3", "b")]
    assert any('"d" holds Boolean and Int64 in different parts' in note for note in result.notes)


def test_rejects_of_several_files_name_their_file(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "1,2\n" * 60 + "1,2,3\n")
    result = read_source(tmp_path / "*.csv", options=ReadOptions(rejects_path=tmp_path / "r.jsonl"))
    assert (result.rows_read, result.rows_rejected) == (120, 2)
    written = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [(Path(reject["file"]).name, reject["line"]) for reject in written] == [("a.csv", 62), ("b.csv", 62)]


def test_a_folder_of_partitioned_parquet(tmp_path: Path) -> None:
    root = tmp_path / "sales"
    for year, shop, rows in (("2024", "north%20side", 3), ("2023", "__HIVE_DEFAULT_PARTITION__", 2)):
        folder = root / f"year={year}" / f"shop={shop}"
        folder.mkdir(parents=True)
        pl.DataFrame({"n": list(range(rows))}).write_parquet(folder / "part-0.parquet")
    (root / "_SUCCESS").touch()
    (root / "README.md").write_text("about")
    result = read_source(root)
    assert result.frame.rows() == [(0, "2023", None), (1, "2023", None)] + [(i, "2024", "north side") for i in range(3)]
    assert result.frame.columns == ["n", "year", "shop"]
    assert any("1 files" in note and "passed over" in note for note in result.notes)
    assert read_source(root / "year=2024" / "*" / "*.parquet").rows_read == 3
    assert sum(batch.frame.height for batch in read_batches(root)) == 5
    (root / "more.csv").write_text("n\n1\n")
    with pytest.raises(SourceError, match="files of several kinds"):
        read_source(root)


def packed(data: bytes, codec: str) -> bytes:
    return bz2.compress(data) if codec == "bz2" else pa.compress(data, codec=codec, asbytes=True)


@pytest.mark.parametrize(("suffix", "codec"), [("zst", "zstd"), ("gz", "gzip"), ("bz2", "bz2")])
def test_packed_files(tmp_path: Path, suffix: str, codec: str) -> None:
    data = packed(b"a,b\n" + b"1,2\n" * 5000, codec)
    path = tmp_path / f"t.csv.{suffix}"
    path.write_bytes(data)
    assert read_source(path).rows_read == 5000
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match="damaged"):
        read_source(path)
    lines = tmp_path / f"t.jsonl.{suffix}"
    lines.write_bytes(packed(b'{"a": 1}\n' * 3, codec))
    assert read_source(lines).frame["a"].to_list() == [1, 1, 1]


# Workbooks


@pytest.fixture
def book(tmp_path: Path) -> Path:
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "Sales"
    rows = [["Sales of the year"], [], ["shop", "sold", None, "since"], [None, 2023, 2024, None]]
    rows += [["north", 1, 2.5, "2020-01-05"], [None, 3, "#N/A", "2020-01-06"], ["south", 5, None, "2020-01-07"]]
    for row in rows:
        sheet.append(row)
    for area in ("A1:D1", "A3:A4", "B3:C3", "D3:D4", "A5:A6"):
        sheet.merge_cells(area)
    path = tmp_path / "book.xlsx"
    made.save(path)
    return path


def test_merged_header_cells_of_a_workbook(book: Path) -> None:
    result = read_source(book)
    assert result.frame.columns == ["shop", "sold 2023", "sold 2024", "since"]
    assert result.frame["shop"].to_list() == ["north", "north", "south"]
    assert result.frame["sold 2023"].to_list() == [1, 3, 5]
    assert result.frame["sold 2024"].to_list() == [2.5, None, None]
    assert any("the header has 2 lines with merged cells" in note for note in result.notes)
    assert any("rows above the header were passed over" in note for note in result.notes)
    assert any("1 merged areas below the header" in note for note in result.notes)


def test_several_sheets_are_named_and_asked_for(book: Path) -> None:
    made = openpyxl.load_workbook(book)
    made.create_sheet("blank")
    made.create_sheet("Costs").append(["what", "cost"])
    made["Costs"].append(["rent", 3])
    made.save(book)
    with pytest.raises(SourceError, match=r'has 2 sheets \("Sales", "Costs"\); name one .* "book.xlsx#Sales"'):
        read_source(book)
    assert read_source(f"{book}#Costs").frame.rows() == [("rent", 3)]
    assert read_source(book, options=ReadOptions(table="Costs")).rows_read == 1
    with pytest.raises(SourceError, match='no sheet "Cost"; did you mean "Costs"'):
        read_source(f"{book}#Cost")
    with pytest.raises(SourceError, match="holds no rows"):
        read_source(f"{book}#blank")
    plain = book.with_name("t.csv")
    plain.write_text("a\n1\n")
    with pytest.raises(SourceError, match='holds one table, so "Costs" cannot be asked for'):
        read_source(f"{plain}#Costs")


# SQLite


def test_sqlite_files(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('CREATE TABLE "odd ""name" (a, "b c")')
        connection.executemany(
            'INSERT INTO "odd ""name" VALUES (?, ?)', [(i, i / 2 if i % 2 else "x") for i in range(9)]
        )
    assert read_source(path).frame["a"].to_list() == list(range(9))
    assert read_source(path).frame["b c"].to_list()[:3] == ["x", "0.5", "x"]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE other (z)")
    with pytest.raises(SourceError, match=r'has 2 tables \("odd "name", "other"\)'):
        read_source(path)
    assert read_source(f'{path}#odd "name').rows_read == 9
    with pytest.raises(SourceError, match='no table "ohter"; did you mean "other"'):
        read_source(f"{path}#ohter")
    asked = ReadOptions(query='SELECT a FROM "odd ""name" WHERE a > 6', batch_rows=1)
    assert read_source(path, options=asked).frame["a"].to_list() == [7, 8]
    with pytest.raises(SourceError, match="holds no rows"):
        read_source(f"{path}#other")
    with pytest.raises(SourceError, match="no such table: nowhere"):
        read_source(path, options=ReadOptions(query="SELECT * FROM nowhere"))
    with pytest.raises(SourceError, match="cannot be read as an SQLite database"):  # nothing is ever written
        read_source(path, options=ReadOptions(query="DELETE FROM other"))


# Nested JSON


def test_nested_json_with_varying_keys(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows = [
        {"id": 1, "user": {"name": "Ann", "home": {"city": "Oslo"}}, "tags": ["a", "b"], "items": [{"n": 1}]},
        {"id": 2, "user": {"name": "Bob"}, "user.name": "flat"},
        {"id": 3, "user": None, "extra": {}},
        {"id": 4, "user": "deleted", "extra": 7},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    result = read_source(path)
    frame = result.frame
    assert frame["user.name"].to_list() == ["Ann", "flat", None, None] or "user.name_2" in frame.columns
    assert "Bob" in frame["user.name_2"].to_list() + frame["user.name"].to_list()
    assert frame["user.home.city"].to_list() == ["Oslo", None, None, None]
    assert frame["user"].to_list() == [None, None, None, "deleted"]
    assert json.loads(frame["items"][0]) == [{"n": 1}]
    assert any('nested objects ("user", "user.home") were flattened' in note for note in result.notes)
    assert any("not every row has the same keys" in note for note in result.notes)
    assert any('"items": 1 lists of objects stay JSON' in note for note in result.notes)


def test_an_object_used_as_a_dictionary_stays_one_column(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"id": i, "seen": {f"user-{i}": 1, f"user-{i + 1}": 2}}) for i in range(400)))
    result = read_source(path)
    assert result.frame.columns == ["id", "seen"]
    assert json.loads(result.frame["seen"][3]) == {"user-3": 1, "user-4": 2}
    assert any('the keys of "seen" differ' in note for note in result.notes)


# Large files


def test_batches_of_csv_are_the_rows_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = [f'{i},"two\nlines"' if i % 7 == 0 else f"{i},x" for i in range(5000)]
    path.write_text("a,b\n" + "\n".join([*lines[:100], "1,2,3", *lines[100:]]) + "\n")
    whole = read_source(path)
    for text in (None, '"open,2\n'):
        if text:
            path.write_text(path.read_text() + text + "9,9\n" * 50)
            whole = read_source(path)
        batches = list(read_batches(path, options=ReadOptions(batch_rows=999)))
        assert pl.concat([batch.frame for batch in batches]).equals(whole.frame)
        assert sum(len(batch.rejects) for batch in batches) == whole.rows_rejected
        assert max(batch.frame.height for batch in batches) <= 2048
        assert len(batches) > 3


@pytest.mark.slow
def test_a_csv_that_breaks_at_row_three_million(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as file:
        file.write(b"id,price\n" + b"".join(b"%d,%d.5\n" % (i, i % 97) for i in range(2_999_999)))
        file.write(b'3000000,"broken\n')
        file.write(b"".join(b"%d,1.5\n" % i for i in range(3_000_001, 3_100_000)))
        file.write(b"one,two,three\n")
    result = read_source(path, options=ReadOptions(rejects_path=tmp_path / "r.jsonl"))
    assert (result.rows_read, result.rows_rejected) == (2_999_999 + 99_999, 2)
    kept = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["text"]) for reject in kept] == [
        (3_000_001, '3000000,"broken'),
        (3_100_001, "one,two,three"),
    ]


PEAK = """
import resource, sys
from artificer.sources.base import ReadOptions
from artificer.sources.reading import read_batches
import duckdb, polars, pyarrow.parquet
warm = list(read_batches(sys.argv[1]))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, rows = peak(), 0
for batch in read_batches(sys.argv[2]):
    rows += batch.frame.height
print(rows, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "csv.zst", "parquet"])
def test_a_large_file_streams_in_bounded_memory(tmp_path: Path, kind: str) -> None:
    """320 MB of text; what is held at a time is a small part of it, so a file of any size can be read."""
    rows, block = 1_600_000, 100_000
    small, large = tmp_path / "small.csv", tmp_path / f"large.{kind}"
    small.write_text("a,b\n" + "1,2\n" * 1000)
    if kind == "parquet":
        import pyarrow.parquet as pq

        table = pl.DataFrame({f"c{j}": [f"{i * 7919 + j:024d}" for i in range(block)] for j in range(8)}).to_arrow()
        with pq.ParquetWriter(large, table.schema, use_dictionary=False) as writer:
            for _ in range(rows // block):
                writer.write_table(table)
    else:
        lines = "".join(",".join(f"{i * 7919 + j:024d}" for j in range(8)) + "\n" for i in range(block)).encode()
        head = ",".join(f"c{j}" for j in range(8)).encode() + b"\n"
        opened = pa.output_stream(str(large), compression="zstd" if kind.endswith("zst") else None)
        with opened as out:
            out.write(head)
            for _ in range(rows // block):
                out.write(lines)
    told = subprocess.run([sys.executable, "-c", PEAK, small, large], check=True, capture_output=True, text=True)
    assert len(told.stdout.split()) == 2, told.stdout[:500]
    count, megabytes = told.stdout.split()
    assert int(count) == rows
    assert float(megabytes) < 350


@pytest.mark.parametrize(
    "data", [b'a,b\r\n1,"x\r\ny"\r\n', b'a,b\n1,"x\ry"\n', b'a,b\n1,"x\r\ny"\n', b'a,b\r1,"x\ry"\r']
)
def test_carriage_returns_inside_cells_are_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    note = "the file has carriage returns; every line break inside a quoted cell was read as a line feed"
    result = read_source(path)
    assert result.frame["b"].to_list() == ["x\ny"]
    assert note in result.notes
    assert [note in batch.notes for batch in read_batches(path)].count(True) == 1
    for plain in (data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), b"a,b\r\n1,x\r\n"):
        path.write_bytes(plain)
        assert read_source(path).notes == ()


def test_spaces_at_the_end_of_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"price ",name, place \t,kind\n1,a,b,c\n2,d,e,f\n')
    result = read_source(path)
    assert result.frame.columns == ["price", "name", "place", "kind"]
    assert result.notes == ('spaces at the end of the column name "price" and of 1 more were removed',)
