"""Production rows under the source's: no value changed or lost in silence, no column turned into another."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.tables.formats import NUMBER_BODIES, number_format, time_format
from artificer.tables.parsing import CLOCKS, DATES
from artificer.tables.prepare import prepare
from artificer.training.combine import combine


def test_rows_take_the_types_of_the_source() -> None:
    frame = pl.DataFrame({"t": [datetime(2020, 1, 1)], "d": [date(2020, 1, 1)], "x": [1.5], "b": [True], "s": ["1"]})
    rows = [
        {"t": "2021-01-01T05:00:00Z", "d": "2021-02-03", "x": 3, "b": False, "s": 7, "more": 1},
        {"t": "2021-01-01 05:00:00", "x": None, "s": 2.5},
        {"t": "not a time", "x": "4"},
    ]
    found = combine(frame, rows)
    joined = found.frame
    assert joined.schema == frame.schema
    assert joined["t"].to_list()[1:] == [datetime(2021, 1, 1, 5), datetime(2021, 1, 1, 5), None]
    assert joined["d"].to_list()[1:] == [date(2021, 2, 3), None, None]
    assert joined["s"].to_list()[1:] == ["7", "2.5", None]
    assert joined["x"].to_list()[1:] == [3.0, None, 4.0]
    assert found.notes == (
        'column "t": 1 value from production ("not a time") fit no '
        "Datetime(time_unit='us', time_zone=None) and count as missing",
    )


def test_zones_are_kept() -> None:
    frame = pl.DataFrame({"t": [datetime(2020, 1, 1, tzinfo=UTC)]})
    joined = combine(frame, [{"t": "2021-01-01T05:00:00+02:00"}]).frame
    assert joined["t"][1] == datetime(2021, 1, 1, 3, tzinfo=UTC)


def test_text_columns_stay_text() -> None:
    frame = pl.DataFrame({"a": ["12", "x"]})
    assert combine(frame, [{"a": 3.0}, {"a": True}, {"a": None}]).frame["a"].to_list()[2:] == ["3", "true", None]


@pytest.mark.parametrize(
    ("dtype", "first", "sent", "kept"),
    [
        (pl.Int64, 1, [2.7, 3.0], [2.7, 3.0]),
        (pl.Int8, 1, [300, -1000.0], [300, -1000]),
        (pl.UInt8, 1, [-3], [-3]),
        (pl.UInt64, 1, [-3], [-3]),
        (pl.Int64, 1, [1e30], [1e30]),
        (pl.Float32, 0.5, [1e200], [1e200]),
        (pl.Time, time(1), ["09:30", "09:30:15", 3600], [time(9, 30), time(9, 30, 15), time(1)]),
        (pl.Duration("ms"), timedelta(1), [90, 0.0005], [timedelta(seconds=90), timedelta(microseconds=500)]),
        (pl.Duration("us"), timedelta(1), ["1 day, 2:00:00"], [timedelta(1, 7200)]),
        (pl.Date, date(2020, 1, 1), ["2021-05-06T07:08:09"], [datetime(2021, 5, 6, 7, 8, 9)]),
        (pl.Datetime("ms"), datetime(2020, 1, 1), ["2021-05-06T07:08:09.000123"], [datetime(2021, 5, 6, 7, 8, 9, 123)]),
        (pl.Enum(["a"]), "a", ["b"], ["b"]),
        (pl.Boolean, True, [0, 1, False], [False, True, False]),
    ],
)  # fmt: skip
def test_a_value_outside_the_source_s_type_widens_the_column(
    dtype: Any, first: Any, sent: list[Any], kept: Any
) -> None:
    frame = pl.DataFrame({"a": pl.Series([first], dtype=dtype)})
    found = combine(frame, [{"a": value} for value in sent])
    assert found.frame["a"].tail(len(sent)).to_list() == kept
    assert not any("fit no" in note for note in found.notes)


def test_what_cannot_be_held_is_counted() -> None:
    frame = pl.DataFrame({"n": [1], "b": [True], "t": [time(1)], "l": [[1]]})
    found = combine(
        frame, [{"n": "many", "b": 2, "t": "2020-01-01", "l": [[3]]}, {"n": {}, "b": None, "t": None, "l": None}]
    )
    assert [note.split(" value")[0] for note in found.notes] == [
        'column "n": 2',
        'column "b": 1',
        'column "t": 1',
        'column "l": 1',
    ]
    assert found.frame.tail(2).rows() == [(None,) * 4] * 2


def test_lists_come_back_as_the_source_writes_them() -> None:
    frame = pl.DataFrame({"l": [[1], [2]], "j": ['["a"]', "[]"]})
    found = combine(frame, [{"l": [3, 4], "j": ["b", 1]}, {"l": "[5]", "j": '["c"]'}, {"l": None, "j": None}])
    assert found.frame.tail(3).rows() == [([3, 4], '["b", 1]'), ([5], '["c"]'), (None, None)]
    assert combine(frame, [{"l": ["x"], "j": []}]).frame["l"].to_list() == [["1"], ["2"], ["x"]]


def test_a_target_of_whole_numbers_keeps_the_fractions_of_outcomes() -> None:
    frame = pl.DataFrame({"x": np.arange(100) % 7 * 0.5, "y": np.arange(100)})
    found = combine(frame, [{"x": 1.25, "y": 2.7}])
    ready = prepare(found.frame, target="y", basis=found.source)
    assert ready.y[-1] == 2.7


def test_an_outcome_of_a_third_class_is_a_class() -> None:
    frame = pl.DataFrame({"x": np.arange(100) % 7 * 0.5, "y": ["good", "bad"] * 50})
    found = combine(frame, [{"x": 1.25, "y": "odd"}, {"x": 1.5, "y": "odd"}])
    assert prepare(found.frame, target="y", basis=found.source).contract.classes == ("bad", "good", "odd")


WRITTEN = [prefix + body + suffix for body in NUMBER_BODIES for prefix, suffix in (("", ""), ("$", ""), ("", " kg"))]


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53), st.sampled_from(WRITTEN))
def test_numbers_are_read_back_as_written(value: float, example: str) -> None:
    form = number_format(example)
    assert form.parse(form.write(value)) == value


@given(st.datetimes(min_value=datetime(1, 1, 1)), st.sampled_from([*DATES, *CLOCKS, "%d/%m/%Y %H:%M:%S", "iso"]))
def test_times_are_read_back_as_written_or_not_written(at: datetime, pattern: str) -> None:
    seconds = int((at.replace(microsecond=0) - datetime(1970, 1, 1)).total_seconds())
    text = time_format(pattern).write(seconds)
    assert text is None or time_format(pattern).parse(text) == seconds
    midnight = int((datetime(2013, 5, 17) - datetime(1970, 1, 1)).total_seconds())
    assert time_format("%d/%m/%Y").write(midnight) == "17/05/2013"


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(WRITTEN),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %b %Y", "%d/%m/%Y %H:%M:%S"]),
    st.sampled_from(["yes/no", "true/false"]),
    st.integers(0, 2**31),
)
def test_columns_stay_what_they_were_for_the_source_alone(example: str, pattern: str, flags: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    yes, _, no = flags.partition("/")
    days = [datetime(2020, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 1500, 320)]
    prices = np.round(rng.uniform(-5, 5000, 320), 2)
    epoch = [int((day - datetime(1970, 1, 1)).total_seconds()) for day in days]
    source = pl.DataFrame(
        {
            "price": ["?" if i == 7 else number_format(example).write(float(p)) for i, p in enumerate(prices[:300])],
            "d": [time_format(pattern).write(s) for s in epoch[:300]],
            "flag": [yes if i % 3 else no for i in range(300)],
            "few": [f"{i % 4}" for i in range(300)],
            "nr": [str(i) for i in range(300)],
            "y": [i % 2 for i in range(300)],
        }
    )
    rows = [
        {"price": float(p), "d": d.isoformat(), "flag": flags[0] == "t" or yes, "few": int(i % 4), "nr": 7 * i, "y": 1}
        for i, (p, d) in enumerate(zip(prices[300:], days[300:], strict=True))
    ]  # fmt: skip
    found = combine(source, rows)
    alone, both = prepare(source, target="y"), prepare(found.frame, target="y", basis=found.source)
    assert [(c.name, c.role, c.format, c.missing) for c in both.contract.columns] == [
        (c.name, c.role, c.format, c.missing) for c in alone.contract.columns
    ]
    place = both.contract.names(both.contract.column("price").kind).index("price")  # type: ignore[arg-type]
    assert both.blocks.numbers[-20:, place].tolist() == prices[300:].astype(np.float32).tolist()
    assert both.blocks.times[-20:, 0].tolist() == epoch[300:]
    assert found.notes == ()


def test_a_living_export_counts_each_row_once() -> None:
    source = pl.DataFrame({"x": ["1,5", "2,5", "3,5", "3,5"], "y": [0, 1, 1, 1]})
    found = combine(source, [{"x": 3.5, "y": 1}, {"x": 9.5, "y": 0}])
    assert found.frame.rows() == [("1,5", 0), ("2,5", 1), ("3,5", 1), ("3,5", 1), ("9,5", 0)]
    assert "1 rows of the source" in found.notes[0]


def test_named_ids_tell_rows_apart() -> None:
    source = pl.DataFrame({"id": [1, 2, None], "x": [1.0, 2.0, 2.0], "y": [0, 1, 1]})
    found = combine(source, [{"id": 2, "x": 2.5, "y": 0}, {"id": 3, "x": 1.0, "y": 0}], ["id"])
    assert found.frame.rows() == [(1, 1.0, 0), (None, 2.0, 1), (2, 2.5, 0), (3, 1.0, 0)]
