"""Columns whose names hold quotes, newlines, emoji, SQL, markup and templates, along the whole street."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

TARGET = 'was it "sold"?\n🦆'
YES, NO = 'yes, "🦆"', "no'; DROP"
NUMBERS = (
    'he said "hi"',
    "line\nbreak",
    "'; DROP TABLE rows; --",
    "comma, tab\t;",
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}",
    "[bold]rich[/bold]",
    "back\\slash\\n",
    "$HOME `id` %s {0}",
    "../../etc/passwd",
    "=1+1",
    "ünï côdé \u202e",
    "a.b[0]",
    "long " * 60 + "end",
)
CATEGORY = "🦆 emoji"


def table(rows: int = 120) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, len(NUMBERS)))
    frame = pl.DataFrame({name: x[:, j].round(4) for j, name in enumerate(NUMBERS)})
    words = pl.Series(CATEGORY, rng.choice(['a "b"', "c\nd", "'; DROP TABLE rows; --", "🦆"], rows))
    return frame.with_columns(words, pl.Series(TARGET, np.where(x[:, 0] + 0.5 * rng.normal(size=rows) > 0, YES, NO)))


@pytest.fixture(scope="module")
def project(artificer: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A project of that table, and what its training said."""
    folder = tmp_path_factory.mktemp("names")
    table().write_csv(folder / "odd.csv")
    artificer("init", folder / "odd.csv", "--target", TARGET, "--project", folder / "p", "--json").done()
    return folder / "p", artificer("train", "--project", folder / "p", "--budget", "2 fits", "--json").done()


def test_names_are_kept_as_they_are(project: tuple[Path, Any]) -> None:
    found = {column["name"]: column["role"] for column in project[1]["columns"]}
    assert found == {**dict.fromkeys(NUMBERS, "numeric"), CATEGORY: "categorical", TARGET: "target"}
    assert project[1]["rows"]["rejected"] == 0


def test_the_report_shows_them_and_runs_none(project: tuple[Path, Any]) -> None:
    report = Path(project[1]["report"]).read_text(encoding="utf-8")
    assert "<script>alert" not in report
    assert "&lt;script&gt;alert(1)" in report
    assert "{{ 7*7 }}" in report.replace("&#123;", "{").replace("&#125;", "}")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_rows_are_scored_from_any_file_to_any(
    suffix: str, project: tuple[Path, Any], artificer: Any, tmp_path: Path
) -> None:
    folder, frame = project[0], table(20)
    output = tmp_path / f"scored{suffix}"
    artificer("predict", folder.parent / "odd.csv", "-o", output, "--project", folder, "--json").done()
    again = tmp_path / "again.parquet"
    artificer("predict", output, "-o", again, "--project", folder, "--json").done()  # what was written is read again
    scored = pl.read_parquet(again)
    assert set(frame.columns) <= set(scored.columns)
    assert set(scored[f"predicted_{TARGET}" if f"predicted_{TARGET}" in scored.columns else "prediction"]) <= {YES, NO}


def test_they_are_checked(project: tuple[Path, Any], artificer: Any) -> None:
    table_of = project[0].parent / "odd.csv"
    document = artificer("check", table_of, "--target", TARGET, "--json").done()
    assert all(finding["column"] is None or finding["column"] in table().columns for finding in document["findings"])
    assert artificer("check", table_of, "--target", TARGET).code == 0


def test_they_are_served(project: tuple[Path, Any], artificer: Any) -> None:
    service = artificer.start("serve", "--project", project[0], "--port", 0, "--json")
    row = table(1).drop(TARGET).to_dicts()[0]
    try:
        _asks(json.loads(service.stdout.readline())["url"], row)
    finally:
        service.terminate()
        service.communicate(timeout=30)


def _asks(url: str, row: Any) -> None:
    with closing(httpx.Client(base_url=url, timeout=30)) as client:
        answer = client.post("/v1/predict", json={"rows": [row]})
        assert answer.status_code == 200
        assert answer.json()["predictions"][0]["prediction"] in (YES, NO)
        refused = client.post("/v1/predict", json={"rows": [{**row, NUMBERS[0]: "x"}]})
        assert refused.status_code == 422
        assert refused.json()["violations"][0]["column"] == NUMBERS[0]
        assert "<script>alert" not in client.get("/").text
        assert json.loads(client.get("/openapi.json").text)
