"""Errors that were put into a table are found and repaired; what was not put in is left alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import DataError
from artificer.quality.mending.account import LOG, undo
from artificer.quality.mending.mend import mend
from artificer.testing.dirty import directory, frame, many_sources, scores, shop


@pytest.mark.parametrize("seed", [0, 1])
def test_the_majority_of_sources_is_believed_whatever_their_format(seed: int) -> None:
    found = scores(*many_sources(seed))
    assert found.detection > 0.95
    assert found.repair > 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_damaged_journals_are_told_by_their_other_columns(seed: int) -> None:
    found = scores(*directory(seed))
    assert found.detection > 0.9
    assert found.repair > 0.7  # pages that a spreadsheet took for dates are found, and nothing tells what they were


@pytest.mark.parametrize("seed", [0, 1])
def test_units_scales_words_and_moved_endings(seed: int) -> None:
    found = scores(*shop(seed))
    assert found.detection > 0.97
    assert found.repair > 0.95


@pytest.mark.parametrize("make", [many_sources, directory, shop])
def test_clean_tables_are_left_alone(make) -> None:
    _, clean = make(3)
    log = mend(clean).log.filter(pl.col("cause") != "missing")
    assert log.height <= 0.001 * clean.height * clean.width


def test_properties_that_go_together_most_often_are_no_dependency() -> None:
    rng = np.random.default_rng(0)
    kin = rng.integers(0, 6, 4000)
    share = np.array([0.99, 0.97, 0.55, 0.5, 0.8, 0.6])
    sex = np.where(rng.random(4000) < share[kin], "m", "f")
    job = rng.integers(0, 60, 4000)
    house = np.where(rng.random(4000) < 0.93, job // 6, rng.integers(0, 10, 4000))
    table = frame(
        {
            "kin": [f"kin {k}x" for k in kin],
            "sex": sex.tolist(),
            "job": [f"j{j}" for j in job],
            "house": [f"h{h}" for h in house],
        }
    )
    assert mend(table).log.height == 0


def test_a_rule_of_its_own_is_no_typing_error() -> None:
    """In another state all codes are called after that state, however rare it is."""
    table = frame(
        {
            "state": ["AL"] * 600 + ["AK"] * 12,
            "code": [f"AL_measure_{'abcdef'[i % 6]}" for i in range(600)]
            + [f"AK_measure_{'abcdef'[i % 6]}" for i in range(12)],
        }
    )
    assert mend(table).log.height == 0


def test_a_word_for_missing_that_is_the_tables_only_one_is_kept_and_told() -> None:
    cells = {"a": ["x", "y", "empty"] * 20, "b": ["1", "empty", "3"] * 20}
    kept = mend(frame(cells))
    assert kept.log.height == 0
    assert '"empty"' in kept.notes[0]
    mixed = mend(frame(cells | {"c": ["", "u", "v"] * 20}))
    assert mixed.counts["missing word"] == {"mended": 40}


def test_exact_copies_go_only_where_a_key_proves_them() -> None:
    keyed = pl.DataFrame({"id": [1, 2, 2, 3, 1], "x": [5.0, 6.0, 6.0, 5.0, 5.0]})
    found = mend(keyed, safe=True)
    assert found.frame["id"].to_list() == [1, 2, 3]
    assert found.log["row"].to_list() == [2, 4]
    assert undo(found.frame, found.log).equals(keyed)
    events = pl.DataFrame({"x": [5.0, 6.0, 6.0, 5.0, 5.0]})
    assert mend(events, safe=True).frame.equals(events)


@pytest.mark.parametrize(
    "forms", [('yes "🦆"\nindeed', "no; DROP"), ("yes  indeed", "no\tindeed"), ("indeed", "indead no")]
)
def test_forms_that_stand_all_the_time_are_no_slips(forms: tuple[str, str]) -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"x": rng.normal(size=300), "y": np.array(forms)[(rng.random(300) < 0.49).astype(int)]})
    assert mend(table).log.height == 0


def test_what_lies_between_words_is_kept() -> None:
    cells = [f"{n}\npatients" for n in range(10, 60)] + ["7\npxtients"]
    assert mend(frame({"n": cells})).frame["n"][50] == "7\npatients"


def test_a_log_of_another_table_is_refused() -> None:
    table, _ = shop(0, 300)
    found = mend(table)
    with pytest.raises(DataError, match="does not have"):
        undo(found.frame.head(3), found.log)
    with pytest.raises(DataError, match="lacks the column"):
        undo(found.frame, found.log.drop("before"))


def test_a_number_column_stays_one() -> None:
    rng = np.random.default_rng(1)
    rents = rng.lognormal(7, 0.3, 500)
    rents[:5] /= 1000
    found = mend(pl.DataFrame({"rent": rents}))
    assert found.frame["rent"].dtype == pl.Float64
    assert found.frame["rent"].min() > 100  # type: ignore[operator]
    assert found.log["cause"].unique().to_list() == ["wrong scale"]


CELLS = st.sampled_from(
    ["Bergen", "Bergn", "bergen ", "Oslo", "Oslo NO", "NO", "", "N/A", "empty", "12 oz", "12.0 oz.", "7", "0.7", "9x"]
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=0, max_size=90)
    )
)
def test_undo_gives_the_table_back(rows: list[list[str]]) -> None:
    width = len(rows[0]) if rows else 2
    table = frame({f"c{j}": [row[j] for row in rows] for j in range(width)})
    table = table.with_row_index("id") if len(rows) % 2 else table
    found = mend(table)
    assert undo(found.frame, found.log).equals(table)
    assert found.log.columns == list(LOG)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([1.5, 2.0, 1500.0, None, float("nan"), float("inf"), -3.0]), min_size=0, max_size=80),
    st.randoms(use_true_random=False),
)
def test_odd_types_go_through(numbers: list[float | None], random) -> None:
    n = len(numbers)
    table = pl.DataFrame(
        {
            "n": pl.Series(numbers, dtype=pl.Float64),
            "b": pl.Series([random.random() < 0.5 for _ in range(n)], dtype=pl.Boolean),
            "l": pl.Series([[1, 2]] * n, dtype=pl.List(pl.Int64)),
            "t": pl.Series([None] * n, dtype=pl.Datetime),
            "z": pl.Series([None] * n, dtype=pl.Null),
            "e\n\"'🙂": pl.Series(["a"] * n, dtype=pl.String),
        }
    )
    found = mend(table)
    assert found.frame.schema == table.schema
    assert undo(found.frame, found.log).equals(table)


def test_a_gap_is_not_filled_with_what_is_merely_frequent() -> None:
    rng = np.random.default_rng(3)
    kind = rng.choice(["private", "state", "self"], 3000, p=[0.8, 0.1, 0.1])
    kind[rng.random(3000) < 0.05] = ""
    noise = [rng.choice(["a", "b", "c"], 3000) for _ in range(3)]
    table = pl.DataFrame({"kind": kind, **{f"n{i}": values for i, values in enumerate(noise)}})
    made = mend(table.with_columns(pl.col("kind").replace("", None))).log.filter(pl.col("action") == "mended")
    assert made.height == 0
