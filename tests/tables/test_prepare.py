"""From table to blocks: bad input gets one clear sentence, and no row or cell vanishes unaccounted."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from artificer.errors import ContractError, DataError, TargetError
from artificer.tables.arrays import encode_target, to_blocks
from artificer.tables.contract import Contract, RowReader, canonical_text
from artificer.tables.door import like, to_polars
from artificer.tables.prepare import prepare
from artificer.types import MISSING_TIME, Role, Task


def table(n: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    return pl.DataFrame(
        {
            "size": rng.normal(size=n),
            "price": [f"{1000 + i},{i % 10}0" for i in range(n)],
            "colour": [("red", "blue", "?")[i % 3] for i in range(n)],
            "bought": [f"{i % 28 + 1:02d}/01/2020" for i in range(n)],
            "sold": [("yes", "no")[i % 2] for i in range(n)],
        }
    )


def test_everything_training_needs() -> None:
    ready = prepare(table(), target="sold", time="bought", group="colour")
    assert ready.contract.task is Task.BINARY
    assert ready.contract.time == "bought"
    assert ready.blocks.numbers.shape == (60, 2)
    assert ready.blocks.numbers[3, 1] == np.float32(1003.3)
    assert ready.y.tolist()[:2] == [1, 0]
    assert ready.class_counts == (30, 30)
    assert ready.times is not None
    assert ready.times[0] == 18262 * 86400
    assert ready.groups is not None
    assert ready.groups[:4].tolist() == [0, 1, 2, 0]
    assert Contract.from_json(json.loads(json.dumps(ready.contract.to_json()))) == ready.contract


def test_serving_reads_the_training_rows_alike() -> None:
    frame = table()
    ready = prepare(frame, target="sold")
    blocks, warnings = RowReader(ready.contract).read(frame.to_dicts())
    np.testing.assert_array_equal(blocks.numbers, ready.blocks.numbers)
    np.testing.assert_array_equal(blocks.times, ready.blocks.times)
    assert blocks.strings.tolist() == ready.blocks.strings.tolist()
    assert not warnings
    colour = ready.contract.column("colour")
    assert (colour.nullable, colour.missing, set(colour.categories)) == (True, ("?",), {"red", "blue"})
    assert not ready.contract.column("size").nullable


def test_rows_without_target_are_dropped_and_counted() -> None:
    frame = table().with_columns(sold=pl.Series(["yes", "no", None, " ", "?"] * 12))
    ready = prepare(frame, target="sold")
    assert (ready.rows.read, ready.rows.used, ready.rows.dropped_target_missing) == (60, 24, 36)
    assert ready.rows_used.tolist()[:4] == [0, 1, 5, 6]
    assert any("36 rows without a value" in note for note in ready.notes)


def test_a_class_with_a_single_row_is_kept_and_reported() -> None:
    frame = table().with_columns(sold=pl.Series(["a"] * 30 + ["b"] * 29 + ["c"]))
    ready = prepare(frame, target="sold")
    assert ready.class_counts == (30, 29, 1)
    assert any('1 classes have a single row ("c")' in note for note in ready.notes)


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda f: f, {"target": "sald"}, TargetError, 'did you mean "sold"'),
        (lambda f: f.with_columns(sold=pl.lit("yes")), {"target": "sold"}, TargetError, "is constant"),
        (lambda f: f.with_columns(sold=pl.lit(None)), {"target": "sold"}, TargetError, "every cell of the target"),
        (lambda f: f.with_columns(sold=pl.lit("?")), {"target": "sold"}, TargetError, "every cell of the target"),
        (lambda f: f.head(1), {"target": "sold"}, DataError, "1 rows with a target are too few"),
        (lambda f: f.head(0), {"target": "sold"}, DataError, "0 rows with a target are too few"),
        (lambda f: f.select("sold"), {"target": "sold"}, DataError, "no column can feed a model"),
        (lambda f: f.select("sold", a=pl.lit(1), b=pl.lit("x")), {"target": "sold"}, DataError, 'every cell is "x"'),
        (lambda f: f, {"target": "sold", "time": "sold"}, DataError, "cannot serve another purpose"),
        (lambda f: f, {"target": "sold", "time": "colour"}, DataError, "does not hold times"),
        (lambda f: f, {"target": "bought"}, TargetError, "holds times"),
    ],
)
def test_what_cannot_be_learnt_from(change: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        prepare(change(table()), **options)
    assert "\n" not in str(caught.value)


def test_infinite_values_are_missing_and_said() -> None:
    frame = table().with_columns(size=pl.Series([np.inf, -np.inf, 1e300] + [0.5] * 57))
    ready = prepare(frame, target="sold")
    assert np.isnan(ready.blocks.numbers[:2, 0]).all()
    assert np.isfinite(ready.blocks.numbers[2, 0])
    assert ready.contract.column("size").nullable
    assert any("2 cells were infinite" in note for note in ready.notes)


def test_labels_keep_their_own_type() -> None:
    cases: list[tuple[list[object], str, list[object]]] = [
        ([0, 1] * 30, "int", [0, 1]),
        (["0", "1"] * 30, "int", [0, 1]),
        ([0.0, 1.0] * 30, "float", [0.0, 1.0]),
        ([False, True] * 30, "bool", [False, True]),
        (["true", "False"] * 30, "bool", [False, True]),
        ([2, 10, 1] * 20, "int", [1, 2, 10]),
    ]
    for labels, kind, expected in cases:
        ready = prepare(table().with_columns(sold=pl.Series(labels)), target="sold")
        found = [ready.contract.label(text) for text in ready.contract.classes]
        assert (ready.contract.label_kind, found) == (kind, expected)
        assert [type(label) for label in found] == [type(label) for label in expected]


def test_new_tables_are_encoded_by_the_old_contract() -> None:
    ready = prepare(table(), target="sold")
    new = pl.DataFrame(
        {
            "colour": ["green", None, "red"],
            "size": ["0.5", "inf", "big"],
            "price": ["1,5", "2.5", ""],
            "bought": ["31/12/2021", "2021-12-31", "soon"],
            "sold": ["no", "yes", "no"],
        }
    )
    blocks, breaches = to_blocks(new, ready.contract, strict=False)
    np.testing.assert_array_equal(
        blocks.numbers, np.array([[0.5, 1.5], [np.nan, np.nan], [np.nan, np.nan]], np.float32)
    )
    assert blocks.strings[:, 0].tolist() == ["green", "", "red"]
    assert blocks.times[0, 0] == blocks.times[1, 0] != MISSING_TIME == blocks.times[2, 0]
    counted = {(breach.column, breach.rule.split(",")[0]): breach.count for breach in breaches}
    assert counted[("size", "must be a number")] == 2
    assert counted[("price", "may not be missing")] == 1
    assert encode_target(new, ready.contract).tolist() == [0, 1, 0]
    with pytest.raises(ContractError, match='row 1, column "price"') as caught:
        to_blocks(new.with_columns(size=pl.lit("1")), ready.contract)
    assert {violation.column for violation in caught.value.violations} == {"price", "bought"}
    with pytest.raises(TargetError, match="cannot be read in 1 rows"):
        encode_target(new.with_columns(sold=pl.Series(["no", "maybe", "yes"])), ready.contract)


def test_an_absent_column_is_an_error_unless_the_model_can_do_without() -> None:
    ready = prepare(table(), target="sold")
    blocks, breaches = to_blocks(table().drop("colour"), ready.contract, strict=False)
    assert set(blocks.strings[:, 0]) == {""}
    assert [breach.rule for breach in breaches] == ["column is absent"]
    with pytest.raises(ContractError, match='lacks the column "size"'):
        to_blocks(table().rename({"size": "sise"}), ready.contract, strict=False)


def test_regression_on_text_numbers() -> None:
    ready = prepare(table(), target="price")
    assert ready.contract.task is Task.REGRESSION
    assert ready.y[:2].tolist() == [1000.0, 1001.1]
    assert ready.contract.classes == ()


@pytest.mark.parametrize("flavour", ["pandas", "arrow", "lazy", "dict", "rows"])
def test_any_flavour_of_table_gives_the_same(flavour: str) -> None:
    frame = table()
    made: Any
    if flavour == "pandas":
        pandas = pytest.importorskip("pandas")
        made = pandas.DataFrame(frame.to_dict(as_series=False), index=range(5, 65))
        returned = like(frame.select("size", "colour"), made)
        assert returned.index.tolist() == list(range(5, 65))
        assert returned["colour"].tolist() == frame["colour"].to_list()
    else:
        made = {
            "arrow": frame.to_arrow,
            "lazy": frame.lazy,
            "dict": lambda: frame.to_dict(as_series=False),
            "rows": frame.to_dicts,
        }[flavour]()
        assert type(like(frame, made)) is type(made)
    ready, straight = prepare(made, target="sold"), prepare(frame, target="sold")
    np.testing.assert_array_equal(ready.blocks.numbers, straight.blocks.numbers)
    assert ready.blocks.strings.tolist() == straight.blocks.strings.tolist()


def test_pandas_oddities() -> None:
    pandas = pytest.importorskip("pandas")
    odd = pandas.DataFrame(
        {
            "mixed": [1, "two", None, 3.0],
            "nullable": pandas.array([1, None, 3, 4], dtype="Int64"),
            "category": pandas.Categorical(["a", None, "b", "a"]),
            "when": pandas.to_datetime(["2020-01-01", None, "2020-01-03", "2020-01-04"], utc=True),
            "float": [1.5, float("nan"), 2.5, 3.5],
        }
    )
    frame = to_polars(odd)
    assert frame["mixed"].to_list() == ["1", "two", None, "3"]
    assert frame["nullable"].to_list() == [1, None, 3, 4]
    assert frame["category"].to_list() == ["a", None, "b", "a"]
    assert frame["when"].null_count() == 1
    assert frame["float"].to_list() == [1.5, None, 2.5, 3.5]
    twice = pandas.concat([odd[["float"]], odd[["float"]]], axis=1)
    assert to_polars(twice).columns == ["float", "float_2"]


@pytest.mark.parametrize("wrong", [3, None, object(), [1, 2], {"a": [1], "b": [1, 2]}, {"a": "text"}])
def test_what_is_no_table_is_refused(wrong: object) -> None:
    with pytest.raises(DataError):
        to_polars(wrong)


def test_two_thousand_columns() -> None:
    rng = np.random.default_rng(0)
    wide = pl.DataFrame(rng.normal(size=(60, 2000)).astype(np.float64), schema=[f"c{i}" for i in range(2000)])
    started = time.monotonic()
    ready = prepare(wide.with_columns(table()["sold"]), target="sold")
    assert ready.blocks.numbers.shape == (60, 2000)
    assert time.monotonic() - started < 60
    assert {spec.role for spec in ready.contract.columns} == {Role.NUMERIC, Role.TARGET}


def test_decimal_classes_are_told_and_read_as_the_same_label() -> None:
    labels = [Decimal("1.00"), Decimal("0.00")] * 30
    contract = prepare(pl.DataFrame({"x": [i * i % 7 for i in range(60)], "y": labels}), target="y").contract
    assert contract.classes == ("0", "1")
    assert [canonical_text(contract.label(name)) for name in contract.classes] == ["0", "1"]
    told = pl.DataFrame({"x": [1, 2], "y": [contract.label(name) for name in contract.classes]})
    assert encode_target(told, contract).tolist() == [0, 1]
