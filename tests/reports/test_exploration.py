"""The report of an exploration: complete, escaped, small, readable without eyes, and quiet in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from artificer.api import explore

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = '<script>console.error("ran")</script>\n" onload=x 🚲'


def table(rows: int = 600) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    return pl.DataFrame(
        {
            "at": pl.Series(np.arange(rows) * 86_400 * 1_000_000).cast(pl.Datetime("us")),
            "x": x,
            "copy": x * 2,
            EVIL: rng.choice([EVIL, "b", "c"], rows),
            "gappy": pl.Series(rng.normal(size=rows)).set(pl.Series((x > 0.5) & (rng.random(rows) < 0.7)), None),
            "story": [" ".join(["word"] * int(k)) for k in rng.integers(3, 30, rows)],
            "id": [f"row {i}" for i in range(rows)],
            "y": np.where(x + rng.normal(size=rows) > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    path = tmp_path_factory.mktemp("report") / "explore.html"
    return explore(table(), target="y", time="at", output=path), path


class _Outline(HTMLParser):
    """What a screen reader is told."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.unlabelled: list[str] = []
        self.headings: list[int] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.tables = self.captions = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if "id" in given:
            assert given["id"] not in self.ids
            self.ids.add(str(given["id"]))
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag == "svg" and not (given.get("role") == "img" and given.get("aria-label")):
            self.unlabelled.append(tag)
        if given.get("role") == "region" and not given.get("aria-label"):
            self.unlabelled.append("region")
        if tag == "th":
            assert given.get("scope") in ("col", "row")
        if tag == "a" and str(given.get("href")).startswith("#"):
            self.links.append(str(given["href"])[1:])
        self.tables += tag == "table"
        self.captions += tag == "caption"


def test_it_can_be_read_without_eyes(made: tuple[dict[str, Any], Path]) -> None:
    text = made[1].read_text(encoding="utf-8")
    found = _Outline()
    found.feed(text)
    assert {"header", "main", "nav", "footer", "section"} <= set(found.tags)
    assert found.unlabelled == []
    assert found.tables == found.captions > 5
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found.headings, found.headings[1:], strict=False))
    assert set(found.links) <= found.ids
    assert "prefers-color-scheme:dark" in text
    assert ":focus-visible" in text
    assert "<script" not in text
    assert re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text) is None


def test_everything_of_the_document_is_there(made: tuple[dict[str, Any], Path]) -> None:
    document, path = made
    text = path.read_text(encoding="utf-8")
    for section in ("first", "target", "columns", "pairs", "missing", "time", "differences", "method"):
        assert f'<section id="{section}"' in text
    assert document["insights"]
    assert all(one["section"] in text for one in document["insights"])
    assert ["x", "copy"] in document["pairs"]["groups"]
    assert document["report"] == str(path)


@pytest.mark.slow
def test_a_thousand_columns_stay_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    wide = pl.DataFrame({f"column {i}": rng.normal(size=1_000) for i in range(1_000)}).with_columns(
        y=rng.integers(0, 2, 1_000)
    )
    document = explore(wide, target="y", output=tmp_path / "wide.html")
    assert (tmp_path / "wide.html").stat().st_size < 10_000_000
    assert len(document["columns"]) == 1_001


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: apt-get install -y chromium")
def test_a_browser_renders_it_without_a_word_on_the_console(made: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", *quiet, "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", made[1].as_uri()]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert [line for line in found.stderr.splitlines() if "CONSOLE" in line] == []
    # A browser closes what is left open, so the parts are all there only if none swallowed the next.
    text = made[1].read_text(encoding="utf-8")
    assert len(re.findall("<section ", found.stdout)) == len(re.findall("<section ", text)) >= 8
    assert found.stdout.count("</svg>") == text.count("</svg>")


def test_large_files_are_read_some_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table(3_000).with_columns(late=pl.Series([1] * 2_500 + [2] * 500))
    rows.write_parquet(tmp_path / "rows.parquet")
    rows.drop("story").write_csv(tmp_path / "rows.csv")
    for name in ("rows.parquet", "rows.csv"):
        whole = explore(tmp_path / name, target="y")
        monkeypatch.setattr("artificer.api.exploring.PACKED", 0)
        monkeypatch.setattr("artificer.api.exploring.PLAIN", 0)
        monkeypatch.setattr("artificer.profile.profile.MOST_BATCH_ROWS", 1_000)
        parts = explore(tmp_path / name, target="y")
        monkeypatch.undo()
        assert parts["rows"] == whole["rows"] == 3_000
        assert [c["missing"] for c in parts["columns"]] == [c["missing"] for c in whole["columns"]]
        assert [c["distinct"] for c in parts["columns"]] == [c["distinct"] for c in whole["columns"]]
        assert parts["associations"][0]["column"] == whole["associations"][0]["column"]
        late = next(column for column in parts["columns"] if column["name"] == "late")
        assert (late["role"], late["distinct"]) == ("numeric", 2)


def test_files_of_a_folder_are_compared(tmp_path: Path) -> None:
    rows = table(400)
    rows.write_csv(tmp_path / "part-1.csv")
    rows.with_columns(x=pl.col("x") + 3).write_csv(tmp_path / "part-2.csv")
    found = explore(str(tmp_path / "part-*.csv"))
    files = next(one for one in found["comparisons"] if "file" in one["name"])
    assert files["columns"][0]["column"] in ("x", "at")
    assert "(file)" not in [column["name"] for column in found["columns"]]
