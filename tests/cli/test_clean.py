"""`artificer clean`: a cleaned copy, an account of it, and the way back; the source is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from artificer.cli.app import main
from artificer.testing.dirty import shop


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["clean", *map(str, arguments)])
    return int(str(ended.value.code))


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    shop(0, 600)[0].write_csv(path)
    return path


@pytest.mark.parametrize("log", ["log.parquet", "log.jsonl"])
def test_there_and_back(sheet: Path, log: str, capsys: pytest.CaptureFixture[str]) -> None:
    before, folder = sheet.read_bytes(), sheet.parent
    out, place = folder / "clean.parquet", folder / log
    assert call(sheet, "--output", out, "--log", place, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "artificer.clean/1"
    assert document["cells"]["mended"] > 100
    assert {"unit in a number", "wrong scale", "missing word"} <= {item["cause"] for item in document["causes"]}
    cleaned = pl.read_parquet(out)
    assert cleaned["weight"].dtype == pl.Int64  # every text comes back from the number
    assert cleaned["price"].cast(pl.Float64).min() > 50  # type: ignore[operator]
    back = folder / "back.csv"
    assert call(out, "--undo", "--log", place, "--output", back) == 0
    assert back.read_bytes() == before == sheet.read_bytes()


def test_a_person_reads_what_was_done(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(sheet, "--output", sheet.parent / "clean.csv") == 0
    out = capsys.readouterr().out
    assert "wrong scale" in out
    assert "cells mended" in out
    assert (sheet.parent / "clean.log.parquet").is_file()


def test_safe_mends_alone(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(sheet, "--output", sheet.parent / "clean.parquet", "--safe", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert {item["cause"] for item in document["causes"]} == {"missing word", "text that is something else"}


def test_nothing_is_written_over(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sheet.read_bytes()
    link = sheet.parent / "link.csv"
    link.symlink_to(sheet)
    assert call(sheet, "--output", sheet) == 2
    assert call(sheet, "--output", link) == 2
    assert call(sheet, "--output", sheet.parent / "a.parquet", "--log", sheet.parent / "a.parquet") == 2
    assert call(sheet, "--output", sheet.parent / "a.parquet", "--log", sheet) == 2
    assert call(sheet, "--output", sheet.parent / "a.xyz") == 2
    assert call() == 2
    assert call(sheet, "--undo", "--output", sheet.parent / "b.csv", "--log", sheet.parent / "none.parquet") == 1
    assert sheet.read_bytes() == before
    assert "Traceback" not in capsys.readouterr().err


def test_cells_like_formulas_are_counted_and_guarded_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "odd.csv", tmp_path / "clean.csv"
    path.write_text("id,text,n\n1,=cmd|' /C calc'!A0,-5\n2,@SUM(A1),+7\n3,plain,3\n")
    assert call(path, "--output", out, "--json") == 0
    assert "2 cells begin like a formula" in json.loads(capsys.readouterr().out)["notes"][-1]
    assert "\n1,=cmd" in out.read_text()
    assert call(path, "--output", out, "--guard-formulas") == 0
    assert "\n1,'=cmd" in out.read_text()
    assert "-5" in out.read_text()
    assert "'-5" not in out.read_text()


def test_a_project_has_its_own_table(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sheet.parent / "artificer.toml").write_text('[data]\nsource = "sales.csv"\ntarget = "rating"\n')
    assert call("--project", sheet.parent, "--output", sheet.parent / "clean.parquet", "--json") == 0
    assert json.loads(capsys.readouterr().out)["source"].endswith("sales.csv")


def test_the_log_of_another_table_is_refused_and_ones_own_is_found(
    sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sheet.parent
    assert call(sheet, "--output", folder / "clean.csv") == 0
    assert call(folder / "clean.csv", "--undo", "--output", folder / "back.csv") == 0
    assert (folder / "back.csv").read_bytes() == sheet.read_bytes()
    pl.read_csv(folder / "clean.csv").sample(fraction=1.0, shuffle=True, seed=1).write_csv(folder / "shuffled.csv")
    log = folder / "clean.log.parquet"
    capsys.readouterr()
    assert call(folder / "shuffled.csv", "--undo", "--log", log, "--output", folder / "wrong.csv") == 1
    assert "the log is of another table" in capsys.readouterr().err
    assert not (folder / "wrong.csv").exists()


def test_lines_that_cannot_be_read_are_told_or_stop_it(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, out = sheet.read_text().rstrip("\n"), sheet.parent / "clean.parquet"
    sheet.write_text(text + "\nbroken,line" * 2 + "\n")
    assert call(sheet, "--output", out, "--json") == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any(note.startswith("2 lines of the source could not be read") for note in notes)
    sheet.write_text(text + "\nbroken,line" * 300 + "\n")
    assert call(sheet, "--output", out) == 1
    assert "300 of 900 lines" in capsys.readouterr().err
