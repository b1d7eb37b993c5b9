"""Codes for missing cells: found where they are proven, left alone where they may be values, the same everywhere."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import ContractError
from artificer.tables.arrays import to_blocks
from artificer.tables.codes import number_codes
from artificer.tables.contract import Contract, RowReader
from artificer.tables.prepare import prepare
from artificer.types import MISSING_TIME, Role


def proven(values: np.ndarray) -> list[float]:  # type: ignore[type-arg]
    return [code.value for code in number_codes(values.astype(np.float64)) if code.proven]


SHAPES = {
    "normal": lambda rng, n: rng.normal(40, 9, n),
    "lognormal": lambda rng, n: rng.lognormal(1, 0.6, n),
    "uniform": lambda rng, n: rng.uniform(0, 30, n),
    "counts": lambda rng, n: rng.poisson(12, n).astype(float),
}


@given(
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from([-999.0, -9999.0, -99.0, 9999.0, 99999.0, -200.0, 2147483647.0]),
    st.integers(60, 400),
    st.integers(20, 60),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_a_repeated_code_far_from_the_values_is_proven(shape: str, code: float, n: int, times: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Of few whole numbers each is repeated often, so a code has to be more frequent still.
    values = rng.permutation(np.r_[SHAPES[shape](rng, n), np.full(times * (4 if shape == "counts" else 1), code)])
    if abs(code) == 99.0 and shape in ("normal", "lognormal"):
        values = values[(values < 60) | (values == code)]
    assert proven(values) == [code]


@given(st.sampled_from(sorted(SHAPES)), st.integers(20, 2000), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_clean_columns_have_none(shape: str, n: int, seed: int) -> None:
    values = SHAPES[shape](np.random.default_rng(seed), n)
    assert proven(values) == []
    assert proven(np.round(values)) == []
    assert proven(values * 1000) == []


@pytest.mark.parametrize(
    "values",
    [
        np.r_[np.arange(80) % 5, np.full(9, 9)],  # one label among few
        np.r_[np.linspace(0, 99, 300), np.full(30, 99)],  # capped, not apart
        np.r_[np.linspace(0, 50, 300), [999.0]],  # once: a slip or a value
        np.r_[np.linspace(0, 50, 300), np.full(40, -1)],  # "never", most often
        np.r_[np.linspace(0, 50, 300), np.full(40, 173.0)],  # apart and repeated, but no code
        np.r_[np.linspace(-1000, 1000, 300), np.full(40, -999)],
    ],
)
def test_what_may_be_a_value_stays(values: np.ndarray) -> None:  # type: ignore[type-arg]
    assert proven(values) == []


def table(rows: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    gone = rng.random((2, rows)) < 0.1
    until = [dt.date(9999, 12, 31) if i % 9 == 0 else dt.date(2020, 1, 1) + dt.timedelta(i) for i in range(rows)]
    return pl.DataFrame(
        {
            "size": np.where(gone[0], -200.0, rng.normal(30, 4, rows)),
            "written": [f"{-200 if gone[1][i] else v:.1f} kg" for i, v in enumerate(rng.normal(60, 9, rows))],
            "until": until,
            "y": rng.normal(size=rows),
        }
    )


def test_codes_are_missing_in_training_and_in_serving() -> None:
    frame = table()
    ready = prepare(frame, target="y")
    spec = {column.name: column for column in ready.contract.columns}
    assert (spec["size"].codes, spec["written"].codes, spec["until"].codes) == ((-200.0,), (-200.0,), (253402214400.0,))
    assert spec["size"].low is not None
    assert spec["size"].low > 0
    assert int(np.isnan(ready.blocks.numbers[:, 0]).sum()) == int((frame["size"] == -200).sum())
    assert int((ready.blocks.times == MISSING_TIME).sum()) == int((frame["until"].dt.year() == 9999).sum())
    assert any("-200 stands for a missing cell" in note for note in ready.notes)
    again = Contract.from_json(ready.contract.to_json())
    assert again == ready.contract
    rows = [{"size": -200, "written": "-200.0 kg", "until": "9999-12-31"}, {"size": 30.0, "written": None}]
    blocks, _ = RowReader(again).read(rows)
    assert np.isnan(blocks.numbers).tolist() == [[True, True], [False, True]]
    assert blocks.times[:, 0].tolist() == [MISSING_TIME, MISSING_TIME]


def test_as_is_keeps_every_value() -> None:
    ready = prepare(table(), target="y", as_is=["size", "written", "until"])
    assert all(not column.codes for column in ready.contract.columns)
    assert ready.blocks.numbers.min() == -200


def test_rows_whose_target_is_a_code_have_no_target() -> None:
    frame = table().rename({"y": "other", "size": "y"})
    ready = prepare(frame, target="y")
    assert ready.rows.dropped_target_missing == int((frame["y"] == -200).sum()) > 0
    assert ready.y.min() > 0
    assert prepare(frame, target="y", as_is=["y"]).rows.dropped_target_missing == 0


def test_a_contract_without_codes_is_written_as_before() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0, 3.0], "y": [1.5, 2.5, 3.5]})
    document = prepare(frame, target="y").contract.to_json()
    assert all("codes" not in column for column in document["columns"])
    document["columns"][0] |= {"codes": [-9.0], "nullable": False, "role": Role.NUMERIC.value}
    with pytest.raises(ContractError, match="codes for missing cells"):
        Contract.from_json(document)


def test_codes_seen_where_roles_are_decided_hold_for_rows_without_them() -> None:
    frame = table()
    later = frame.filter((pl.col("size") > 0) & (pl.col("until").dt.year() < 9999))
    ready = prepare(later, target="y", basis=frame)
    assert ready.contract.column("size").codes == (-200.0,)
    assert ready.contract.column("size").nullable
    assert np.isnan(to_blocks(frame.head(50), ready.contract).numbers[:, 0]).any()
