from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from artificer.training.combine import append_rows


def test_rows_take_the_types_of_the_source() -> None:
    frame = pl.DataFrame({"t": [datetime(2020, 1, 1)], "d": [date(2020, 1, 1)], "x": [1.5], "b": [True], "s": ["1"]})
    rows = [
        {"t": "2021-01-01T05:00:00Z", "d": "2021-02-03", "x": 3, "b": False, "s": 7, "more": 1},
        {"t": "2021-01-01 05:00:00", "x": None, "s": 2.5},
        {"t": "not a time", "x": "4"},
    ]
    joined = append_rows(frame, rows)
    assert joined.schema == frame.schema
    assert joined["t"].to_list()[1:] == [datetime(2021, 1, 1, 5), datetime(2021, 1, 1, 5), None]
    assert joined["d"].to_list()[1:] == [date(2021, 2, 3), None, None]
    assert joined["s"].to_list()[1:] == ["7", "2.5", None]
    assert joined["x"].to_list()[1:] == [3.0, None, 4.0]


def test_zones_are_kept() -> None:
    frame = pl.DataFrame({"t": [datetime(2020, 1, 1, tzinfo=UTC)]})
    joined = append_rows(frame, [{"t": "2021-01-01T05:00:00+02:00"}])
    assert joined["t"][1] == datetime(2021, 1, 1, 3, tzinfo=UTC)


def test_text_columns_stay_text() -> None:
    frame = pl.DataFrame({"a": ["12", "x"]})
    assert append_rows(frame, [{"a": 3.0}, {"a": True}, {"a": None}])["a"].to_list()[2:] == ["3", "true", None]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Int8])
def test_a_number_that_does_not_fit_is_not_wrapped_round(dtype: pl.DataType) -> None:
    frame = pl.DataFrame({"a": pl.Series([1], dtype=dtype)})
    assert append_rows(frame, [{"a": 2.5}, {"a": 1e30}])["a"].to_list()[1:] != [2, -1]
