"""Scoring out of core: every row once and in order, whatever is odd and whoever is killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import artificer
from artificer.bundle.format import load_bundle
from artificer.bundle.model import Bundle
from artificer.errors import ArtificerError, DataError, UsageError
from artificer.training.score import score_file, score_frame


def rows(n: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"i": range(n), "size": rng.normal(10, 3, n).round(3), "hue": rng.choice(["red", "blue"], n)})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = rows(300).drop("i")
    table = table.with_columns(sold=pl.Series(["yes", "no"]).gather((table["size"] > 10).cast(pl.UInt32)))
    return artificer.train(table, target="sold", budget="2 fits").save(tmp_path_factory.mktemp("b") / "m.artificer")


@pytest.fixture(scope="module")
def bundle(path: Path) -> Bundle:
    return load_bundle(path)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "arrow"])
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_give_what_the_whole_gives(bundle: Bundle, tmp_path: Path, suffix: str, threads: int) -> None:
    table = rows(1_003)
    table.write_parquet(tmp_path / "in.parquet")
    output = tmp_path / f"out.{suffix}"
    seen: list[str] = []
    found = score_file(
        bundle,
        str(tmp_path / "in.parquet"),
        output,
        threads=threads,
        batch_rows=100,
        watch=lambda message, done, planned: seen.append(message),
    )
    assert (found["rows"], found["rejected"], found["resumed"]) == (1_003, 0, 0)
    readers = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson, "arrow": pl.read_ipc}
    back, whole = readers[suffix](output), score_frame(bundle, table)[0]
    assert back["i"].to_list() == list(range(1_003))
    assert back["prediction"].to_list() == whole["prediction"].to_list()
    np.testing.assert_allclose(back["probability_yes"], whole["probability_yes"], atol=1e-6)
    assert seen[-1] == "1,003 rows scored"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.parquet", output.name]


def test_odd_lines_and_cells_are_counted_over_all_batches(bundle: Bundle, tmp_path: Path) -> None:
    lines = [f"{i},{'much' if i % 50 == 7 else i / 10},red" for i in range(400)]
    lines[123] = "123,4"
    (tmp_path / "in.csv").write_text("i,size,hue\n" + "\n".join(lines) + "\n")
    found = score_file(bundle, str(tmp_path / "in.csv"), tmp_path / "out.csv", threads=2, batch_rows=64)
    assert (found["rows"], found["rejected"]) == (399, 1)
    assert Path(found["rejects"]).read_text().count("\n") == 1
    (note,) = [note for note in found["notes"] if "size" in note]
    assert "8 cells break the rule" in note
    assert "(row 7: 'much')" in note
    assert pl.read_csv(tmp_path / "out.csv").height == 399


KILLED = """
import os, sys
from artificer.bundle.format import load_bundle
from artificer.training import score
keep, left = score._Work.keep, [int(sys.argv[4])]
def counted(self, number, scores):
    keep(self, number, scores)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
score._Work.keep = counted
score.score_file(load_bundle(sys.argv[1]), sys.argv[2], sys.argv[3], threads=2, batch_rows=50)
"""


def test_a_killed_run_goes_on_where_it_was(bundle: Bundle, path: Path, tmp_path: Path) -> None:
    rows(1_000).write_parquet(tmp_path / "in.parquet")
    source, output = str(tmp_path / "in.parquet"), tmp_path / "out.parquet"
    output.write_bytes(b"what was there before")
    for _ in range(2):  # killed twice: at the sixth batch, and six batches later
        done = subprocess.run([sys.executable, "-c", KILLED, path, source, output, "6"], check=False)
        assert done.returncode == -signal.SIGKILL
        assert output.read_bytes() == b"what was there before"
    found = score_file(bundle, source, output, threads=2, batch_rows=50)
    assert 400 <= found["resumed"] < 1_000
    back = pl.read_parquet(output)
    assert back["i"].to_list() == list(range(1_000))
    whole = score_frame(bundle, rows(1_000))[0]
    np.testing.assert_allclose(back["probability_yes"], whole["probability_yes"], atol=1e-6)
    assert {p.name for p in tmp_path.iterdir()} == {"in.parquet", "out.parquet"}


def test_a_changed_input_begins_anew(bundle: Bundle, path: Path, tmp_path: Path) -> None:
    source, output = str(tmp_path / "in.parquet"), tmp_path / "out.parquet"
    rows(1_000).write_parquet(source)
    subprocess.run([sys.executable, "-c", KILLED, path, source, output, "6"], check=False)
    rows(1_000, seed=1).write_parquet(source)
    os.utime(source, (1, 1))
    assert score_file(bundle, source, output, batch_rows=50)["resumed"] == 0


def test_a_table_of_a_database(bundle: Bundle, tmp_path: Path) -> None:
    rows(300).write_parquet(tmp_path / "in.parquet")
    output = f"sqlite:///{tmp_path / 'shop.db'}#scored"
    assert score_file(bundle, str(tmp_path / "in.parquet"), output, batch_rows=70)["rows"] == 300
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        found = connection.execute("select i, prediction, probability_yes from scored").fetchall()
    whole = score_frame(bundle, rows(300))[0]
    assert [(i, told) for i, told, _ in found] == whole.select("i", "prediction").rows()
    with pytest.raises(UsageError, match='has a table "scored" already'):
        score_file(bundle, str(tmp_path / "in.parquet"), output)
    with pytest.raises(UsageError, match="names no table"):
        score_file(bundle, str(tmp_path / "in.parquet"), "sqlite:///shop.db")
    with pytest.raises(ArtificerError, match=r"cannot be written to postgresql://a:\*\*\*@127"):
        score_file(bundle, str(tmp_path / "in.parquet"), "postgresql://a:secret@127.0.0.1:1/x#t")


def test_types_that_change_are_refused_and_nothing_is_left(bundle: Bundle, tmp_path: Path) -> None:
    lines = ['{"size": 1.5, "hue": "red", "extra": 1}'] * 60 + ['{"size": 1.5, "hue": "red", "extra": "x"}'] * 60
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    try:
        found = score_file(bundle, str(tmp_path / "in.jsonl"), tmp_path / "out.parquet", batch_rows=60)
    except DataError as error:
        assert 'column "extra"' in str(error)  # noqa: PT017 (a reader may give the column one type itself)
        assert not (tmp_path / "out.parquet").exists()
    else:
        assert found["rows"] == 120


@pytest.mark.parametrize("name", ["out.txt", "out", "in.parquet"])
def test_outputs_that_cannot_be_are_refused_first(bundle: Bundle, tmp_path: Path, name: str) -> None:
    rows(3).write_parquet(tmp_path / "in.parquet")
    with pytest.raises(UsageError):
        score_file(bundle, str(tmp_path / "in.parquet"), tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["in.parquet"]
