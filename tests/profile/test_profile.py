"""Profiles of parts add up to the profile of the whole, within what the sketches promise."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import DataError
from artificer.profile.column import ColumnProfile
from artificer.profile.moments import Moments
from artificer.profile.profile import Profile, batches_of, profile
from artificer.types import Kind

CELLS = st.one_of(
    st.none(), st.floats(-1e6, 1e6), st.integers(-5, 5).map(float), st.sampled_from([float("nan"), float("inf")])
)
WORDS = st.one_of(st.none(), st.text(max_size=4), st.sampled_from(["red", "blue", "a b c"]))


def frame_of(rows: list[tuple[float | None, str | None]]) -> pl.DataFrame:
    numbers, words = [row[0] for row in rows], [row[1] for row in rows]
    return pl.DataFrame(
        {"x": pl.Series(numbers, dtype=pl.Float64), "w": pl.Series(words, dtype=pl.String)}
    ).with_columns(story=pl.col("w"), at=pl.from_epoch((pl.col("x").fill_nan(None).clip(0, 1e5)).cast(pl.Int64)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELLS, WORDS), min_size=1, max_size=60), st.integers(0, 60))
def test_small_tables_add_up_exactly(rows: list[tuple[float | None, str | None]], cut: int) -> None:
    table = frame_of(rows)
    parts = [part for part in (table.head(cut), table.slice(cut)) if part.height]
    whole, added = profile(table, texts=["story"]), profile(parts, texts=["story"])
    assert whole.rows == added.rows == table.height
    assert added.sample.frame.equals(table)
    for a, b in zip(whole.columns, added.columns, strict=True):
        assert (a.rows, a.missing, a.distinct_values) == (b.rows, b.missing, b.distinct_values)
        assert (a.counts and a.counts.most_common()) == (b.counts and b.counts.most_common())
        assert a.levels((0.0, 0.3, 0.5, 1.0)) == b.levels((0.0, 0.3, 0.5, 1.0))
        assert a.compared() == b.compared()
        assert (a.moments.low, a.moments.high, a.lengths.count) == (b.moments.low, b.moments.high, b.lengths.count)
        assert a.moments.mean == pytest.approx(b.moments.mean, rel=1e-9, abs=1e-9)
        assert a.moments.stdev == pytest.approx(b.moments.stdev, rel=1e-6, abs=1e-4)


@pytest.fixture(scope="module")
def large() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 60_000
    return pl.DataFrame(
        {
            "skewed": rng.lognormal(0, 2, n),
            "rising": np.arange(n, dtype=float),
            "codes": rng.integers(0, 30_000, n),
            "names": pl.Series(rng.integers(0, 9_000, n)).cast(pl.String),
            "hue": pl.Series(rng.choice(["red", "green", "blue"], n)),
        }
    )


def parts_of(table: pl.DataFrame, count: int) -> Profile:
    step = -(-table.height // count)
    return profile(table.slice(start, step) for start in range(0, table.height, step))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_sketches_of_parts_keep_their_promise(large: pl.DataFrame, count: int) -> None:
    found = parts_of(large, count)
    levels = (0.01, 0.1, 0.5, 0.9, 0.99)
    for name in ("skewed", "rising", "codes"):
        column, values = found.column(name), np.sort(large[name].to_numpy().astype(float))
        assert 0 < column.rank_error < 0.01
        for level, value in zip(levels, column.levels(levels), strict=True):
            low, high = np.searchsorted(values, [value, value], side="left")[0], np.searchsorted(values, value, "right")
            assert low / len(values) - 4 * column.rank_error <= level <= high / len(values) + 4 * column.rank_error
        assert column.moments.mean == pytest.approx(values.mean(), rel=1e-9)
        assert column.moments.stdev == pytest.approx(values.std(), rel=1e-9)
    for name in ("rising", "codes", "names"):
        column = found.column(name)
        assert abs(column.distinct_values / large[name].n_unique() - 1) < 4 * column.distinct_error
    assert found.column("hue").counts is not None
    assert dict(found.column("hue").counts.rows) == dict(large["hue"].value_counts().iter_rows())


def test_the_number_of_distinct_values_does_not_depend_on_the_cut(large: pl.DataFrame) -> None:
    one, many = parts_of(large, 1), parts_of(large, 9)
    for a, b in zip(one.columns, many.columns, strict=True):
        assert a.distinct_values == b.distinct_values


def test_the_sample_is_uniform_whatever_the_batches() -> None:
    table = pl.DataFrame({"x": np.arange(40_000)})
    small, large = profile(table, sample=2_000), profile(batches_of(table.clone()), sample=2_000)
    many = profile((table.slice(i, 1_000) for i in range(0, 40_000, 1_000)), sample=2_000)
    for found in (small, large, many):
        rows = found.sample.frame["x"].to_numpy()
        assert len(rows) == len(set(rows.tolist())) == 2_000
        # Rows of each tenth of the table: binomial(2000, 0.1) leaves 150..250 with probability 2e-4.
        assert all(150 < count < 250 for count in np.bincount(rows // 4_000, minlength=10))


def test_moments_survive_a_large_offset() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=30_000) + 1e7
    whole = sum((Moments.of(part) for part in np.array_split(values, 13)), Moments())
    assert whole.stdev == pytest.approx(values.std(), rel=1e-6)
    assert whole.skewness == pytest.approx(2**0.5, abs=0.15)
    assert whole.kurtosis == pytest.approx(3.0, abs=0.8)


def test_refusals() -> None:
    with pytest.raises(DataError, match="no rows"):
        profile([])
    with pytest.raises(DataError, match="different columns"):
        profile([pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]})])
    with pytest.raises(DataError, match="cannot be added"):
        ColumnProfile.of(pl.Series("a", [1]), Kind.NUMBERS) + ColumnProfile.of(pl.Series("a", ["x"]), Kind.STRINGS)
    with pytest.raises(DataError, match="holds values of type"):
        profile(pl.DataFrame({"a": [[1, 2]]}))


def test_nothing_in_a_column_is_no_trouble() -> None:
    table = pl.DataFrame({"x": [None, None], "s": pl.Series([None, None], dtype=pl.String), "n": [float("nan")] * 2})
    for column in profile(table).columns:
        assert (column.known, column.missing, column.distinct_values) == (0, 2, 0.0)
        assert column.levels((0.5,)) == []
        assert column.compared().counts == (0,)
