"""Joins tell each row what was known at its time, against a naive loop; they refuse what would mislead."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import ConfigurationError, DataError
from artificer.joins.join import join
from artificer.problem.joins import Join
from artificer.problem.load import parse_problem

KEY = st.sampled_from(["a", "b", None])
MOMENT = st.one_of(st.none(), st.integers(0, 12))
VALUE = st.one_of(st.none(), st.integers(-9, 9).map(float))
LEFT = st.lists(st.tuples(KEY, MOMENT), min_size=1, max_size=8)
RIGHT = st.lists(st.tuples(KEY, MOMENT, VALUE), max_size=12)


def tables(left: list[Any], right: list[Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = pl.DataFrame(left, schema={"k": pl.String, "t": pl.Int64}, orient="row")
    return rows, pl.DataFrame(right, schema={"k": pl.String, "t": pl.Int64, "v": pl.Float64}, orient="row")


@given(LEFT, RIGHT, st.sampled_from([None, "3s"]))
@settings(max_examples=150, deadline=None)
def test_as_of_against_a_loop(left: list[Any], right: list[Any], within: str | None) -> None:
    rows, table = tables(left, right)
    spec = Join(name="j", source="s", on=["k"], time="t", columns=["v"], within=within)
    found = join(rows, table, spec, "t").frame["j_v"].to_list()
    expected = []
    for key, at in left:
        known = (
            [] if key is None or at is None else [r for r in right if r[0] == key and r[1] is not None and r[1] <= at]
        )
        if within:
            known = [r for r in known if r[1] >= at - 3]
        newest = max((r[1] for r in known), default=None)
        expected.append([r for r in known if r[1] == newest][-1][2] if known else None)
    assert found == expected


@given(LEFT, RIGHT, st.sampled_from([None, "3s"]))
@settings(max_examples=150, deadline=None)
def test_aggregates_against_a_loop(left: list[Any], right: list[Any], within: str | None) -> None:
    rows, table = tables(left, right)
    wanted = ["mean", "sum", "last"] + ([] if within else ["min", "max"])
    spec = Join(name="j", source="s", on={"k": "k"}, time="t", aggregate={"v": wanted}, within=within)
    frame = join(rows, table, spec, "t").frame
    for i, (key, at) in enumerate(left):
        known = (
            [] if key is None or at is None else [r for r in right if r[0] == key and r[1] is not None and r[1] < at]
        )
        if within:
            known = [r for r in known if r[1] >= at - 3]
        known.sort(key=lambda r: r[1])
        values = [r[2] for r in known if r[2] is not None]
        assert frame["j_count"][i] == len(known)
        assert (
            frame["j_mean_v"][i] == pytest.approx(statistics.fmean(values)) if values else frame["j_mean_v"][i] is None
        )
        assert frame["j_sum_v"][i] == (pytest.approx(math.fsum(values)) if values else None)
        assert frame["j_last_v"][i] == (known[-1][2] if known else None)
        assert frame["j_recency"][i] == (pytest.approx((at - known[-1][1]) / 86_400) if known else None)
        if not within:
            assert frame["j_min_v"][i] == min(values, default=None)
            assert frame["j_max_v"][i] == max(values, default=None)


def test_a_look_up_matches_keys_however_they_are_written() -> None:
    rows = pl.DataFrame({"customer": ["7", "8", "9", None], "shop": [1, 1, 2, 1]})
    table = pl.DataFrame({"id": [7, 9, 8], "shop": ["1", "1", "1"], "age": [30, 40, 50]})
    spec = Join(name="c", source="s", on={"customer": "id", "shop": "shop"})
    found = join(rows, table, spec)
    assert found.frame["c_age"].to_list() == [30, 50, None, None]
    assert found.frame.columns == ["customer", "shop", "c_age"]
    assert found.notes == ("join c: 2 of 4 rows found nothing there",)


def test_fan_out_is_refused_with_the_numbers() -> None:
    rows = pl.DataFrame({"k": ["a", "a", "b"]})
    table = pl.DataFrame({"k": ["a", "a", "a", "b"], "x": [1, 2, 3, 4]})
    message = r'1 of its 2 keys stand several times \("a" 3 times\), so 3 rows would become 7'
    with pytest.raises(DataError, match=message):
        join(rows, table, Join(name="j", source="s", on=["k"]))


def test_what_came_later_is_refused() -> None:
    rows = pl.DataFrame({"k": ["a", "b"], "at": ["2024-01-05 10:00:00", "2024-01-05 10:00:00"]})
    table = pl.DataFrame({"k": ["a", "b"], "paid": ["2024-01-01", "2024-02-01"], "x": [1, 2]})
    spec = Join(name="j", source="s", on=["k"])
    with pytest.raises(DataError, match=r'would tell 1 of 2 rows what came later: its "paid" \(2024-02-01\)'):
        join(rows, table, spec, "at")
    assert join(rows, table, spec.model_copy(update={"known_ahead": ("paid",)}), "at").frame["j_x"].to_list() == [1, 2]
    assert join(rows, table, spec.model_copy(update={"columns": ("x",)}), "at").frame["j_x"].to_list() == [1, 2]
    timed = Join(name="j", source="s", on=["k"], time="paid")
    assert join(rows, table, timed, "at").frame["j_x"].to_list() == [1, None]
    with pytest.raises(DataError, match="name its time column"):
        join(rows, table, Join(name="j", source="s", on=["k"], aggregate={}), "at")
    assert join(rows, table, Join(name="j", source="s", on=["k"], aggregate={})).frame["j_count"].to_list() == [1, 1]


def test_within_one_second_nothing_is_known_early() -> None:
    rows = pl.DataFrame({"k": ["a"], "at": ["2024-01-05 10:00:00.2"]}).with_columns(pl.col("at").str.to_datetime())
    table = rows.with_columns(pl.col("at") + pl.duration(milliseconds=500), x=pl.lit(1))
    assert join(rows, table, Join(name="j", source="s", on=["k"], time="at"), "at").frame["j_x"].to_list() == [None]


def test_names_that_would_stand_twice_and_columns_that_are_not_there() -> None:
    rows, table = pl.DataFrame({"k": ["a"], "j_x": [1]}), pl.DataFrame({"k": ["a"], "x": [1]})
    with pytest.raises(DataError, match='would make the column "j_x"'):
        join(rows, table, Join(name="j", source="s", on=["k"]))
    with pytest.raises(DataError, match='no column "kk"'):
        join(rows, table, Join(name="i", source="s", on={"k": "kk"}))
    with pytest.raises(DataError, match='no column "y"'):
        join(rows, table, Join(name="i", source="s", on=["k"], columns=["y"]))


START = '[data]\ntarget = "y"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[data.join]]\nname = "a"\nsource = "s"\n', r"\[\[data.join\]\] lacks on"),
        (
            '[[data.join]]\nname = "a"\nsource = "s"\non = ["k"]\ntme = "t"\n',
            '"tme" is not a key of .*did you mean "time"',
        ),
        ('[[data.join]]\nname = "a"\nsource = "s"\non = ["k"]\ntime = "t"\n', "name it as data.time"),
        ('[[data.join]]\nname = "a"\nsource = "s"\non = ["k"]\n' * 2, 'two joins are called "a"'),
        ('source = "postgresql://me:hunter2@db/x"\n', "without a password"),
        ('[[data.join]]\nname = "a"\nsource = "mysql://me:hunter2@db/x"\non = ["k"]\n', "without a password"),
        ('[[data.join]]\nname = "a"\nsource = "s"\non = ["k"]\naggregate = { x = ["mode"] }\n', "must be a table like"),
    ],
)
def test_declarations_that_do_not_hold(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        parse_problem(START + text)
    assert "hunter2" not in str(caught.value)


def test_decimal_keys_are_those_of_whole_numbers() -> None:
    table = pl.DataFrame({"k": [Decimal("7.00"), Decimal("2.50"), Decimal(10) ** 20 + 1], "n": [5, 6, 7]})
    rows = pl.DataFrame({"k": ["7", "2.5", str(10**20 + 1), str(10**20)]})
    found = join(rows, table, Join(name="v", source="t.csv", on=["k"])).frame
    assert found["v_n"].to_list() == [5, 6, 7, None]


LARGE = st.one_of(st.integers(-9, 9).map(float), st.sampled_from([1e17, -1e17, 3e30, 1e-9]))


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 30), LARGE), max_size=40), st.integers(0, 31))
@settings(max_examples=150, deadline=None)
def test_a_large_value_outside_the_window_leaves_no_trace(right: list[Any], at: int) -> None:
    rows, table = tables([("a", at), ("b", at)], right)
    spec = Join(name="j", source="s", on=["k"], time="t", aggregate={"v": ["sum", "mean"]}, within="5s")
    frame = join(rows, table, spec, "t").frame
    for i, key in enumerate("ab"):
        values = [v for k, t, v in right if k == key and at - 5 <= t < at]
        bound = 1e-13 * math.fsum(map(abs, values))
        total = pytest.approx(math.fsum(values), rel=0, abs=bound) if values else None
        mean = pytest.approx(math.fsum(values) / len(values), rel=0, abs=bound) if values else None
        assert (frame["j_sum_v"][i], frame["j_mean_v"][i]) == (total, mean)


def test_whole_numbers_written_with_a_point_are_the_same_key() -> None:
    rows = pl.DataFrame({"k": ["1", "2", "30"]})
    table = pl.DataFrame({"k": ["1.0", "2.00", "30.5"], "v": [7, 8, 9]})
    spec = Join(name="j", source="s", on=["k"], columns=["v"])
    assert join(rows, table, spec, None).frame["j_v"].to_list() == [7, 8, None]
