"""Real raw files, read with no help: skipped where the development data are absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artificer.sources.reading import read_source
from artificer.tables.contract import RowReader
from artificer.tables.prepare import Prepared, prepare
from artificer.types import Role, Task


@pytest.fixture(scope="module")
def dev_data() -> Path:
    folder = Path(os.environ.get("ARTIFICER_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "catalogue.json").exists():
        pytest.skip("the development data are not here")
    return folder


def roles(ready: Prepared, role: Role) -> set[str]:
    return {spec.name for spec in ready.contract.columns if spec.role is role}


def test_no_header_and_question_marks(dev_data: Path) -> None:
    result = read_source(dev_data / "adult_raw.csv")
    assert (result.rows_read, result.rows_rejected) == (32561, 0)
    ready = prepare(result.frame, target="column_15")
    assert (ready.contract.task, ready.contract.positive) == (Task.BINARY, ">50K")
    assert ready.contract.column("column_2").missing == ("?",)
    assert len(roles(ready, Role.NUMERIC)) == 6
    assert len(roles(ready, Role.CATEGORICAL)) == 8


def test_blanks_in_a_column_of_numbers(dev_data: Path) -> None:
    frame = read_source(dev_data / "telco_churn.csv").frame
    ready = prepare(frame, target="Churn")
    assert roles(ready, Role.ID) == {"customerID"}
    assert ready.contract.column("TotalCharges").role is Role.NUMERIC
    assert ready.contract.positive == "Yes"
    row = {name: float(cell) if name == "tenure" else cell for name, cell in frame.row(0, named=True).items()}
    for name in ("SeniorCitizen", "MonthlyCharges", "TotalCharges"):
        row[name] = float(row[name])
    blocks, _ = RowReader(ready.contract).read([row])
    assert blocks.numbers.tolist() == ready.blocks.numbers[:1].tolist()
    assert blocks.strings.tolist() == ready.blocks.strings[:1].tolist()


def test_decimal_commas_and_odd_times(dev_data: Path) -> None:
    ready = prepare(read_source(dev_data / "air_quality_raw.csv").frame, target="C6H6(GT)", time="Date")
    assert ready.rows.dropped_target_missing == 114 + 366  # empty lines, and lines whose target is -200
    assert float(ready.y.min()) > 0
    assert ready.contract.column("PT08.S1(CO)").codes == (-200.0,)
    assert ready.contract.column("Time").format == "%H.%M.%S"
    assert ready.contract.column("Date").format == "%d/%m/%Y"
    assert ready.contract.column("T").format == "1234,5"
    assert float(ready.y[0]) == 11.9
    assert len(roles(ready, Role.CONSTANT)) == 2


def test_carriage_returns_and_foreign_bytes(dev_data: Path) -> None:
    result = read_source(dev_data / "craigslist_jobs_raw.csv")
    assert (result.rows_read, result.rows_rejected) == (13845, 0)
    assert any("not UTF-8" in note for note in result.notes)


def test_leading_zeros_are_codes(dev_data: Path) -> None:
    ready = prepare(read_source(dev_data / "horse_colic_raw.csv").frame, target="column_23")
    assert (ready.contract.task, ready.contract.label_kind) == (Task.MULTICLASS, "int")
    assert ready.rows.dropped_target_missing == 1
    assert ready.contract.column("column_25").role is Role.CATEGORICAL


def test_units_empty_columns_and_written_dates(dev_data: Path) -> None:
    ready = prepare(read_source(dev_data / "coffee_ratings_raw.csv").frame, target="quality_score", time="Grading Date")
    assert ready.contract.task is Task.REGRESSION
    assert ready.contract.column("Moisture").format == "1234.5 %"
    assert ready.contract.column("Grading Date").role is Role.DATETIME
    assert len(roles(ready, Role.CONSTANT)) >= 8
