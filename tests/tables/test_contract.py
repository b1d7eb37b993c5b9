"""The contract: JSON form, canonical texts, and the reader that holds rows to it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from artificer.errors import ContractError
from artificer.tables.contract import ColumnSpec, Contract, RowReader, canonical_text
from artificer.types import FLOAT32_MAX, MISSING_TIME, Kind, Role, Task


def column(name: str, role: Role, **more: Any) -> ColumnSpec:
    return ColumnSpec(name, role, "for the test", "String", **more)


@pytest.fixture
def contract() -> Contract:
    return Contract(
        columns=(
            column("age", Role.NUMERIC, nullable=False),
            column("city", Role.CATEGORICAL, categories=("Rome", "Oslo"), missing=("?",)),
            column("member", Role.BOOLEAN, format="yes/no"),
            column("price", Role.NUMERIC, format="1.234,5", missing=("n/a",)),
            column("at", Role.DATETIME, format="%d/%m/%Y"),
            column("key", Role.ID),
        ),
        target="churn",
        task=Task.BINARY,
        classes=("No", "Yes"),
        positive="Yes",
    )


def good(**changes: Any) -> dict[str, Any]:
    row = {"age": 41, "city": "Rome", "member": True, "price": 3.5, "at": "02/01/1970", "key": 7, "churn": None}
    return {**row, **changes}


def test_json_form_gives_the_contract_back(contract: Contract) -> None:
    assert Contract.from_json(json.loads(json.dumps(contract.to_json()))) == contract


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 2},
        {"columns": "age"},
        {"columns": [{"name": "a"}]},
        {"task": "clustering"},
        {"classes": ["No"]},
        {"label_kind": "pickle"},
        {"surprise": 1},
    ],
)
def test_what_is_no_contract_is_refused(contract: Contract, damage: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        Contract.from_json({**contract.to_json(), **damage})


def test_columns_of_a_kind_keep_their_order(contract: Contract) -> None:
    assert contract.names(Kind.NUMBERS) == ("age", "member", "price")
    assert contract.names(Kind.STRINGS) == ("city",)
    assert contract.names(Kind.TIMES) == ("at",)


def test_one_category_however_it_is_written() -> None:
    assert {canonical_text(v) for v in (3, 3.0, "3", " 3\u00a0", np.int64(3), np.float32(3))} == {"3"}
    assert canonical_text(np.True_) == canonical_text(True) == "true"
    assert canonical_text(1e300) == "1e+300"


def test_a_good_row(contract: Contract) -> None:
    blocks, warnings = RowReader(contract).read([good()])
    assert blocks.numbers.tolist() == [[41.0, 1.0, 3.5]]
    assert blocks.numbers.dtype == np.float32
    assert blocks.strings.tolist() == [["Rome"]]
    assert blocks.times.tolist() == [[86400]]
    assert warnings == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price": "1.234,56 "}, 1234.56),
        ({"price": "n/a"}, math.nan),
        ({"price": None}, math.nan),
        ({"price": 1e300}, FLOAT32_MAX),
        ({"price": -(10**400)}, -FLOAT32_MAX),
    ],
)
def test_numbers_that_are_accepted(contract: Contract, changes: dict[str, Any], expected: float) -> None:
    blocks, _ = RowReader(contract).read([good(**changes)])
    np.testing.assert_array_equal(blocks.numbers[0, 2], np.float32(expected))


@pytest.mark.parametrize(
    ("changes", "column", "rule"),
    [
        ({"age": None}, "age", "may not be missing"),
        ({"age": "41"}, "age", "must be a number"),
        ({"age": True}, "age", "must be a number"),
        ({"age": [1]}, "age", "must be a number"),
        ({"age": math.nan}, "age", "must be finite"),
        ({"age": math.inf}, "age", "must be finite"),
        ({"price": "12.34"}, "price", 'must be a number, or a text like "1.234,5"'),
        ({"price": "1" * 400}, "price", "must be finite"),
        ({"member": 2}, "member", "must be true or false"),
        ({"member": "maybe"}, "member", "must be true or false"),
        ({"city": {"a": 1}}, "city", "must be a text, a number or a boolean"),
        ({"city": "x" * 10_001}, "city", "must be at most 10,000 characters long"),
        ({"city": 10**20_000}, "city", "must be at most 10,000 characters long"),
        ({"city": "\ud800"}, "city", "must be valid Unicode text"),
        ({"at": "yesterday"}, "at", 'must be an ISO 8601 time or seconds since 1970, or like "%d/%m/%Y"'),
        ({"at": True}, "at", "must be an ISO 8601 time or seconds since 1970"),
        ({"at": 1e18}, "at", "must lie between the years 1 and 9999"),
        ({"at": math.nan}, "at", "must lie between the years 1 and 9999"),
    ],
)
def test_a_broken_cell_is_named(contract: Contract, changes: dict[str, Any], column: str, rule: str) -> None:
    with pytest.raises(ContractError) as caught:
        RowReader(contract).read([good(), good(**changes)])
    (violation,) = caught.value.violations
    assert (violation.row, violation.column, violation.rule) == (1, column, rule)
    json.dumps(violation.value, allow_nan=False)
    assert len(str(caught.value)) < 300


def test_absent_is_missing_and_unknown_columns_are_named_once(contract: Contract) -> None:
    blocks, warnings = RowReader(contract).read([{"age": 1, "extra": 1}, {"age": 2, "extra": 1, "Age": 3}])
    assert np.isnan(blocks.numbers[:, 1:]).all()
    assert blocks.strings.tolist() == [[""], [""]]
    assert blocks.times.tolist() == [[MISSING_TIME]] * 2
    assert [warning.split('"')[1] for warning in warnings] == ["Age", "extra"]


def test_all_violations_are_reported_up_to_a_hundred(contract: Contract) -> None:
    with pytest.raises(ContractError, match="and at least 99 more") as caught:
        RowReader(contract).read(["no object", *[good(age="x", at="x")] * 200])
    assert len(caught.value.violations) == 100
    assert caught.value.violations[0].rule == "must be an object of column names and values"


def test_a_category_in_any_json_type(contract: Contract) -> None:
    blocks, _ = RowReader(contract).read([good(city=v) for v in (3, 3.0, "3", " 3 ", True, "?", "")])
    assert blocks.strings[:, 0].tolist() == ["3", "3", "3", "3", "true", "", ""]


def test_no_rows_and_no_columns() -> None:
    blocks, _ = RowReader(Contract((), "y", Task.REGRESSION)).read([{}, {}])
    assert (blocks.numbers.shape, blocks.strings.shape, blocks.times.shape) == ((2, 0), (2, 0), (2, 0))


def test_labels_come_back_in_their_own_type() -> None:
    of = {"int": "1", "float": "1.5", "bool": "true", "string": "1"}
    labels = [Contract((), "y", Task.BINARY, ("a", "b"), None, kind).label(text) for kind, text in of.items()]  # type: ignore[arg-type]
    assert labels == [1, 1.5, True, "1"]


@pytest.mark.parametrize("costs", [(1.0,), (1.0, -1.0), (0.0, 0.0), (1.0, float("inf")), (float("nan"), 1.0)])
def test_costs_travel_with_the_contract_and_odd_ones_are_refused(costs: tuple[float, ...]) -> None:
    contract = Contract((), "y", Task.BINARY, ("no", "yes"), "yes", costs=(1.0, 7.3))
    assert Contract.from_json(json.loads(json.dumps(contract.to_json()))) == contract
    with pytest.raises(ContractError, match="costs"):
        Contract.from_json({**contract.to_json(), "costs": list(costs)})
