"""Each statistic finds what was put into a table, and nothing in tables that hold nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from artificer.errors import DataError, TargetError
from artificer.exploration.codes import MISSING, OTHER, Coded, code_columns
from artificer.exploration.dependence import dependence, table_of
from artificer.exploration.document import document
from artificer.exploration.explore import FILE, PART, Exploration, explore
from artificer.exploration.pairs import pairs
from artificer.exploration.typed import learn_reader
from artificer.profile.profile import profile
from artificer.types import Kind, Task


def explored(table: pl.DataFrame, **more: object) -> Exploration:
    extra = [name for name in (FILE, PART) if name in table.columns]
    reader = learn_reader(table.drop(extra), more.get("target"), time=more.get("time"))
    typed, unread = reader.typed(table)
    return explore(
        profile(typed.with_columns(table.select(extra)), texts=reader.texts),
        reader,
        unread=unread,
        leave_out=extra,
        **more,
    )


@pytest.fixture(scope="module")
def noise() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    n = 3_000
    columns = {f"x{i}": rng.normal(size=n) for i in range(30)}
    hues = {f"h{i}": rng.choice(["a", "b", "c"], n) for i in range(10)}
    return pl.DataFrame({**columns, **hues, "y": rng.choice(["no", "yes"], n)})


def test_nothing_is_found_in_noise(noise: pl.DataFrame) -> None:
    found = explored(noise, target="y")
    assert [one.column for one in found.associations if one.real] == []
    assert found.pairs.groups == ()
    assert float(np.triu(found.pairs.strength, 1).max()) < 0.3
    assert not any(one.real for one in found.interactions)
    assert not any(course.moves for course in found.courses)
    assert not any(column.real for one in found.comparisons for column in one.columns)
    assert any("from chance" in one["title"] for one in document(found, "noise")["insights"])


def test_p_values_and_intervals_keep_their_rate() -> None:
    rng = np.random.default_rng(2)
    low, covered, trials = 0, 0, 400
    for _ in range(trials):
        a, b = rng.integers(0, 6, 800), rng.integers(0, 4, 800)
        low += dependence(table_of(a, b, 6, 4)).p <= 0.05
        x = rng.integers(0, 2, 800)
        y = np.where(rng.random(800) < 0.7, x, 1 - x)
        found = dependence(table_of(x, y, 2, 2))
        # Of two even classes that agree in 70 % of the rows: I = log 2 - H(0.3) = 0.0823.
        true = np.sqrt((1 - np.exp(-2 * 0.082283)) / (1 - 0.25))
        covered += found.low <= true <= found.high
    assert low <= 36  # binomial(400, 0.05): 36 is exceeded with probability 2e-4
    assert covered >= 364  # of 380 expected


@pytest.mark.parametrize("rho", [0.2, 0.5, 0.8])
def test_of_normal_numbers_the_strength_is_the_correlation(rho: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=40_000)
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=40_000)
    a, b = code_columns(pl.DataFrame({"x": x, "y": y}))
    found = dependence(table_of(a.codes, b.codes, len(a.labels), len(b.labels)))
    assert found.strength == pytest.approx(rho, abs=0.04)


def test_codes_bear_odd_columns() -> None:
    table = pl.DataFrame(
        {
            "nothing": pl.Series([None] * 50, dtype=pl.Float64),
            "empty": pl.Series([None] * 50, dtype=pl.String),
            "ids": [f"id {i}" for i in range(50)],
            "one": [7] * 50,
            "infinite": [float("inf"), 1.0] * 25,
        }
    )
    found = {column.name: column for column in code_columns(table)}
    assert found["nothing"].labels == found["empty"].labels == (MISSING,)
    assert OTHER in found["ids"].labels or len(found["ids"].labels) >= 50
    assert found["one"].labels == ("7",)
    assert found["infinite"].labels == ("1", MISSING)
    for column in found.values():
        assert column.codes.min() >= 0
        assert column.codes.max() < len(column.labels)


def test_pairs_are_symmetric_and_find_copies() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=2_000)
    city = rng.choice(["Rome", "Oslo", "Bern", "Kyiv"], 2_000)
    nation = pl.Series(city).replace_strict({"Rome": "it", "Oslo": "no", "Bern": "ch", "Kyiv": "ua"})
    table = pl.DataFrame({"x": x, "scaled": 3 * x + 1, "city": city, "nation": nation, "free": rng.normal(size=2_000)})
    found = pairs(code_columns(table))
    assert np.allclose(found.strength, found.strength.T, atol=1e-5)
    assert set(found.groups) == {("x", "scaled"), ("city", "nation")}
    assert found.strength[found.names.index("free")].argsort()[-2] != found.names.index("free")


def test_many_columns_cost_few_rows() -> None:
    rng = np.random.default_rng(5)
    columns = [Coded(f"c{i}", Kind.STRINGS, rng.integers(0, 12, 4_000), tuple("abcdefghijkl")) for i in range(1_300)]
    found = pairs(columns)
    assert (len(found.names), found.left_out) == (1_200, 100)
    assert found.rows >= 500
    assert found.groups == ()


def test_each_finding_in_one_table() -> None:
    rng = np.random.default_rng(6)
    n = 4_000
    day = np.arange(n) // 10
    a, b = rng.integers(0, 2, (2, n))
    signal = rng.normal(size=n)
    y = (signal + 1.5 * (a ^ b) + rng.normal(size=n) * 0.7 > 0.8).astype(int)
    gap = (rng.random(n) < np.where(y == 1, 0.4, 0.1)) & (np.arange(n) > 5)
    table = pl.DataFrame(
        {
            "at": pl.Series(day * 86_400 * 1_000_000).cast(pl.Datetime("us")),
            "signal": signal,
            "a": a.astype(str),
            "b": b.astype(str),
            "leak": y * 2 + 1,
            "gappy": pl.Series(rng.normal(size=n)).set(pl.Series(gap), None),
            "stepped": rng.normal(size=n) + 2.0 * (day >= 250),
            "weekly": (day % 7 >= 5) * 1.0 + rng.normal(size=n) * 0.2,
            "site": rng.choice(["x", "y"], n),
            PART: np.where(np.arange(n) < 3_200, "train", "test"),
            "y": y,
        }
    )
    found = explored(table, target="y", time="at", group="site")
    told = {one.column: one for one in found.associations}
    assert told["leak"].found.low > 0.95
    assert told["signal"].real
    assert told["signal"].measure == "AUC"
    assert told["signal"].value > 0.7
    joint = next(one for one in found.interactions if set(one.columns) == {"a", "b"})
    assert joint.real
    assert joint.explained > 0.05
    assert [one.column for one in found.missingness.telling if one.real] == ["gappy"]
    courses = {course.column: course for course in found.courses}
    assert found.courses[0].column == "y"
    assert found.clock.unit == "week"
    assert courses["stepped"].change is not None
    assert courses["stepped"].shift > 1
    assert courses["weekly"].season == "day of the week"
    assert courses["signal"].change is None
    parts = next(one for one in found.comparisons if one.sides == ("train", "test"))
    assert parts.rows == (3_200, 800)
    assert next(one.column for one in parts.columns if one.real) in ("at", "stepped")
    assert not any(one.real for one in next(c for c in found.comparisons if "site" in c.name).columns)
    titles = [one["title"] for one in document(found, "table")["insights"]]
    assert '"leak" all but decides "y"' in titles


def test_targets_of_every_task(noise: pl.DataFrame) -> None:
    table = noise.with_columns(
        third=pl.when(pl.col("x0") < -0.5)
        .then(pl.lit("low"))
        .when(pl.col("x0") < 0.5)
        .then(pl.lit("mid"))
        .otherwise(None),
        number=pl.col("x0") * 2 + pl.col("x1"),
    ).with_columns(third=pl.col("third").fill_null("high"))
    several = explored(table.drop("number"), target="third")
    assert several.target is not None
    assert (several.target.task, several.target.values) == (Task.MULTICLASS, None)
    assert several.associations[0].column == "x0"
    number = explored(table.drop("third"), target="number")
    assert [one.column for one in number.associations[:2]] == ["x0", "x1"]
    assert number.associations[0].measure == "Spearman"
    half = table.with_columns(y=pl.when(pl.col("x3") > 0).then(pl.col("y")))
    assert len(explored(half, target="y").target.codes) == half["y"].count()


def test_refusals(noise: pl.DataFrame) -> None:
    with pytest.raises(TargetError, match="no target column"):
        explored(noise, target="yy")
    with pytest.raises(DataError, match="neither times nor numbers"):
        explored(noise.with_columns(at=pl.col("h0")), time=None) and explore(
            profile(noise), learn_reader(noise), time="h1"
        )
    with pytest.raises(DataError, match="group"):
        explored(noise, group="gone")
    with pytest.raises(TargetError, match="constant"):
        explored(noise.with_columns(y=pl.lit("no")), target="y")


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_tiny_tables_are_no_trouble(rows: int) -> None:
    table = pl.DataFrame({"x": range(rows), "s": [None] * rows, "w": ["a"] * rows})
    made = document(explored(table), "tiny")
    assert made["rows"] == rows
    assert [column["name"] for column in made["columns"]] == ["x", "s", "w"]


def test_rows_without_a_time_are_on_neither_side_of_older_and_newer() -> None:
    rng = np.random.default_rng(0)
    n = 4_000
    timed = np.arange(n) >= n // 4
    table = pl.DataFrame({"day": np.arange(float(n)), "x": rng.normal(size=n) + np.where(timed, 0.0, 5.0)})
    table = table.with_columns(pl.when(pl.Series(timed)).then("day").alias("day"))
    (halves,) = (one for one in explored(table, time="day").comparisons if "older half" in one.name)
    assert sum(halves.rows) == timed.sum()
    assert not any(column.real for column in halves.columns)
