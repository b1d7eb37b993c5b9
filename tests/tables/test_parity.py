"""Training and serving read the same row alike: the column-wise and the row-wise reader against each other."""

from __future__ import annotations

import datetime as dt
import json
import math
import string
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import ContractError
from artificer.tables.arrays import to_blocks
from artificer.tables.contract import ColumnSpec, Contract, RowReader
from artificer.tables.formats import NUMBER_BODIES, number_format, time_format
from artificer.tables.parsing import DATES, TIME_PATTERNS, parse_numbers, parse_times
from artificer.types import MISSING_TIME, Blocks, Kind, Role, Task

AFFIXES = ["", "$", "€", "kg", "%", "oz."]
EXAMPLES = [
    body if not mark else (mark + body if mark in "$€" else f"{body} {mark}")
    for body in NUMBER_BODIES
    for mark in AFFIXES
]
NOISE = st.text(alphabet="0123456789.,'-+ ()$€%eE\u00a0\u2212kgo/:TZ", max_size=14)
ANY_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)


def as_json(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return json.loads(json.dumps([{k: as_json(v) for k, v in row.items()} for row in frame.to_dicts()]))  # type: ignore[no-any-return]


def assert_equal(left: Blocks, right: Blocks) -> None:
    np.testing.assert_array_equal(left.numbers, right.numbers)
    assert left.strings.tolist() == right.strings.tolist()
    assert left.texts.tolist() == right.texts.tolist()
    np.testing.assert_array_equal(left.times, right.times)
    assert (left.numbers.dtype, left.times.dtype) == (right.numbers.dtype, right.times.dtype)


@given(NOISE, st.sampled_from(EXAMPLES))
@settings(max_examples=400, deadline=None)
def test_one_text_is_one_number_on_both_paths(text: str, example: str) -> None:
    alone = number_format(example).parse(text)
    (column,) = parse_numbers(pl.Series([text]), example)
    assert (alone is None and math.isnan(column)) or alone == column


@given(st.decimals(-(10**12), 10**12, places=2), st.sampled_from(EXAMPLES))
@settings(max_examples=200, deadline=None)
def test_a_number_written_in_a_format_is_read_back(value: Any, example: str) -> None:
    form = number_format(example)
    text = f"{value:,.2f}".replace(",", "T").replace(".", form.decimal).replace("T", form.thousands)
    text = f"{form.prefix}{text} {form.suffix}"
    assert form.parse(text) == float(value)
    assert parse_numbers(pl.Series([text]), example)[0] == float(value)


TIMES = st.one_of(
    NOISE,
    st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)).map(lambda t: t.isoformat()),
    st.datetimes(dt.datetime(1931, 1, 1), dt.datetime(2029, 1, 1)).flatmap(
        lambda t: st.sampled_from(DATES).map(lambda pattern: t.strftime(pattern))
    ),
    st.builds(lambda d, m, y: f"{d}/{m}/{y}", st.integers(0, 40), st.integers(0, 20), st.integers(1800, 2100)),
)


@given(TIMES, st.sampled_from([*TIME_PATTERNS, "%d/%m/%Y %I:%M %p"]))
@settings(max_examples=600, deadline=None)
def test_one_text_is_one_time_on_both_paths(text: str, pattern: str) -> None:
    alone = time_format(pattern).parse(text)
    (column,) = parse_times(pl.Series([text]), pattern)
    assert column == (MISSING_TIME if alone is None else alone)


@pytest.mark.parametrize("pattern", [pattern for pattern in DATES if "%d" in pattern])
def test_a_date_written_in_a_format_is_read_back(pattern: str) -> None:
    for moment in (dt.date(1970, 1, 1), dt.date(2000, 2, 29), dt.date(1999, 12, 31), dt.date(2021, 3, 1)):
        expected = (moment - dt.date(1970, 1, 1)).days * 86400
        assert time_format(pattern).parse(moment.strftime(pattern)) == expected
        assert parse_times(pl.Series([moment.strftime(pattern)]), pattern)[0] == expected


CONTRACT = Contract(
    columns=(
        ColumnSpec("float", Role.NUMERIC, "", "Float64"),
        ColumnSpec("text", Role.CATEGORICAL, "", "String", missing=("?", "NA")),
        ColumnSpec("int", Role.NUMERIC, "", "Int64"),
        ColumnSpec("price", Role.NUMERIC, "", "String", format="1.234,5 €", missing=("", "-")),
        ColumnSpec("flag", Role.BOOLEAN, "", "Boolean"),
        ColumnSpec("said", Role.BOOLEAN, "", "String", format="true/false"),
        ColumnSpec("code", Role.CATEGORICAL, "", "Int64"),
        ColumnSpec("weight", Role.CATEGORICAL, "", "Float64"),
        ColumnSpec("at", Role.DATETIME, "", "Datetime"),
        ColumnSpec("day", Role.DATETIME, "", "String", format="%d/%m/%Y"),
        ColumnSpec("epoch", Role.DATETIME, "", "Float64"),
        ColumnSpec("key", Role.ID, "", "String"),
        ColumnSpec("story", Role.TEXT, "", "String", missing=("n/a",)),
        ColumnSpec("tags", Role.TEXT, "", "List(String)", format="list"),
        ColumnSpec("sizes", Role.TEXT, "", "List(Float64)", format="list"),
        ColumnSpec("written", Role.TEXT, "", "String", format="list"),
        ColumnSpec("depth", Role.NUMERIC, "", "Float64", codes=(-999.0, -99.9, 1e30)),
        ColumnSpec("size", Role.NUMERIC, "", "String", format="1,234.5 kg", missing=("?",), codes=(-200.0,)),
        ColumnSpec("until", Role.DATETIME, "", "String", format="%d/%m/%Y", codes=(253402214400.0,)),
        ColumnSpec("net", Role.NUMERIC, "", "String", format="1234.5", units=("oz", "oz.", "ounce"), missing=("?",)),
        ColumnSpec("town", Role.CATEGORICAL, "", "String", spelling={"Bergn": "Bergen", "osló": "Oslo"}),
        ColumnSpec(
            "port", Role.CATEGORICAL, "", "String", categories=("Bergen", "Molde 3"), alike=True, missing=("NA",)
        ),
        ColumnSpec("pier", Role.CATEGORICAL, "", "String", categories=("Bergen", "Ålesund 3", "MOLDE"), variants=True),
        ColumnSpec("rent", Role.NUMERIC, "", "Float64", codes=(-9.0,), scale=((0.1, 9.7, 1000.0), (2e5, 9e5, 0.001))),
    ),
    target="y",
    task=Task.REGRESSION,
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


ROW = st.fixed_dictionaries(
    {
        "float": maybe(st.floats(allow_nan=False, allow_infinity=False)),
        "text": maybe(st.one_of(ANY_TEXT, st.sampled_from(["?", " NA ", "", "\u3000a\t"]))),
        "int": maybe(st.integers(-(2**63), 2**63 - 1)),
        "price": maybe(st.sampled_from(["1.234,56 €", "7", "-", " ", "-3,5€", "(12)"])),
        "flag": maybe(st.booleans()),
        "said": maybe(st.sampled_from(["true", "FALSE", " True ", "1", "0 "])),
        "code": maybe(st.integers(-(2**63), 2**63 - 1)),
        "weight": maybe(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-5, 5).map(float))),
        "at": maybe(st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))),
        "day": maybe(st.sampled_from(["31/12/1999", "1/2/2003", "2003-02-01T10:00:00Z"])),
        "epoch": maybe(st.floats(-62135596800, 253402300799)),
        "key": maybe(st.text(string.ascii_letters)),
        "story": maybe(
            st.one_of(ANY_TEXT, st.sampled_from(["n/a", " \u3000 ", "!?", "The CAFÉ\u2019s \ufb01ne 東京都 👍🏽"]))
        ),
        "tags": maybe(st.lists(maybe(ANY_TEXT), max_size=4)),
        "sizes": maybe(st.lists(maybe(st.floats(allow_nan=False, allow_infinity=False)), max_size=3)),
        "written": maybe(st.lists(st.one_of(ANY_TEXT, st.integers(-9, 9), st.booleans()), max_size=3).map(json.dumps)),
        "depth": maybe(st.one_of(st.floats(-1e3, 1e3), st.sampled_from([-999.0, -99.9, -99.90000001, 1e30]))),
        "size": maybe(st.sampled_from(["-200 kg", "-200.0", "200", "-2,200.5 kg", "?", " -200kg "])),
        "until": maybe(st.sampled_from(["31/12/9999", "9999-12-31", "9999-12-31T00:00:01", "30/12/9999"])),
        "net": maybe(st.sampled_from(["12.0 oz", "7oz.", "16 ounce", "3", " 2.5  oz. ", "?"])),
        "town": maybe(st.one_of(ANY_TEXT, st.sampled_from(["Bergn", " Bergn ", "osló", "Oslo", "bergn"]))),
        "pier": maybe(st.one_of(ANY_TEXT, st.sampled_from(["bergen", "Bergn", "ALESUND  3", "Ålesund 3", "molde"]))),
        "port": maybe(st.one_of(ANY_TEXT, st.sampled_from(["Bergn", "Molde 8", "Mlode 3", " Bregen", "bergen", "NA"]))),
        "rent": maybe(st.one_of(st.floats(-10, 1e6), st.sampled_from([-9.0, 0.1, 9.7, 9.700000001, 1.428, 2e5]))),
    }
)
SCHEMA = {
    "float": pl.Float64, "text": pl.String, "int": pl.Int64, "price": pl.String, "flag": pl.Boolean, "said": pl.String,
    "code": pl.Int64, "weight": pl.Float64, "at": pl.Datetime("us"), "day": pl.String, "epoch": pl.Float64,
    "key": pl.String, "story": pl.String, "tags": pl.List(pl.String), "sizes": pl.List(pl.Float64),
    "written": pl.String, "depth": pl.Float64, "size": pl.String, "until": pl.String, "net": pl.String,
    "town": pl.String, "port": pl.String, "rent": pl.Float64,
}  # fmt: skip


@given(st.lists(ROW, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_a_table_and_its_json_rows_give_the_same_blocks(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    blocks, warnings = RowReader(CONTRACT).read(rows_of(frame))
    assert_equal(blocks, to_blocks(frame, CONTRACT))
    assert warnings == ()


ODD_CELL = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=1)
)
ODD_ROW = st.one_of(
    ROW.map(lambda row: {name: cell for name, cell in row.items() if not isinstance(cell, dt.datetime)}),
    st.dictionaries(st.sampled_from([*CONTRACT.names(Kind.NUMBERS), "text", "day", "story", "shoe", "y"]), ODD_CELL),
    ODD_CELL,
)


@given(st.lists(st.lists(ODD_ROW, max_size=6), max_size=4))
@settings(max_examples=150, deadline=None)
def test_requests_read_together_are_read_as_alone(groups: list[list[Any]]) -> None:
    """Whole columns at once and cell by cell, one request or many: the same blocks, the same sentences."""
    alone: list[Any] = []
    blocks: list[Blocks] = []
    for group in groups:
        reader = RowReader(CONTRACT)
        try:
            read, warnings = reader._read_cells(group)
        except ContractError as error:
            alone.append((str(error), error.violations))
        else:
            blocks.append(read)
            alone.append(warnings)
    reader = RowReader(CONTRACT)
    for _ in range(2):  # the second time it remembers
        together, found = reader.read_each(groups)
        told = [(str(of), of.violations) if isinstance(of, ContractError) else of for of in found]
        assert repr(told) == repr(alone)
        assert_equal(together, Blocks.joined(blocks) if blocks else reader.read([])[0])


def test_good_rows_are_read_as_whole_columns() -> None:
    row = {
        "float": 1.5, "text": "a", "int": None, "flag": True, "said": "TRUE", "code": 7, "weight": 2.0, "at": 1e9,
        "day": "31/12/1999", "epoch": 5, "key": "k", "story": "a tale", "tags": ["x"], "written": "[1]",
        "depth": -999.0, "town": "Bergn", "port": "Bergn", "pier": "BERGEN", "rent": 1.5, "until": "31/12/9999",
    }  # fmt: skip
    reader = RowReader(replace(CONTRACT, columns=tuple(c for c in CONTRACT.columns if c.name in row)))
    whole = reader._whole.read([row, row])
    assert whole is not None
    assert_equal(reader._settled(whole), reader._read_cells([row, row])[0])
    assert reader._whole.read([row, {**row, "float": 1e39}]) is None
    assert reader._whole.read([row, {**row, "shoe": 1}]) is None


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "n": maybe(NOISE),
                "t": maybe(TIMES),
                "b": maybe(NOISE),
                "w": maybe(NOISE),
                "l": maybe(st.sampled_from(["[]", '["a", 1]', "[", "[[1]]", " ", "a", "{}"])),
            }
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=200, deadline=None)
def test_both_paths_refuse_the_same_cells(rows: list[dict[str, Any]]) -> None:
    contract = Contract(
        (
            ColumnSpec("n", Role.NUMERIC, "", "String", format="1,234.5", missing=("",)),
            ColumnSpec("t", Role.DATETIME, "", "String", format="%d/%m/%Y", missing=("",)),
            ColumnSpec("b", Role.CATEGORICAL, "", "String", nullable=False),
            ColumnSpec("w", Role.TEXT, "", "String", nullable=False),
            ColumnSpec("l", Role.TEXT, "", "String", nullable=False, format="list"),
        ),
        "y",
        Task.REGRESSION,
    )
    frame = pl.DataFrame(rows, schema=dict.fromkeys("ntbwl", pl.String))
    refused: dict[str, set[int]] = {name: set() for name in "ntbwl"}
    for breach in to_blocks(frame, contract, strict=False)[1]:
        refused[breach.column] |= set(breach.rows)
    alone: dict[str, set[int]] = {name: set() for name in "ntbwl"}
    try:
        assert_equal(RowReader(contract).read(rows)[0], to_blocks(frame, contract))
    except ContractError as error:
        for violation in error.violations:
            alone[violation.column].add(violation.row)
    assert refused == alone


@pytest.mark.parametrize("form", [None, "true/false", "yes/no", "0/1", "t/f"])
@pytest.mark.parametrize(
    "cell", ["true", " TRUE", "1", "0", "False", "yes", "No ", "t", "F", "2", "1.0", "?", "on", None]
)
def test_one_text_is_one_boolean_on_both_paths(cell: str | None, form: str | None) -> None:
    column = ColumnSpec("b", Role.BOOLEAN, "", "String", format=form, missing=("?",))
    contract = Contract((column,), "y", Task.REGRESSION)
    blocks, breaches = to_blocks(pl.DataFrame({"b": [cell]}, schema={"b": pl.String}), contract, strict=False)
    reader = RowReader(contract)
    if breaches:
        for rows in ([{"b": cell}], [{"b": cell}] * 5):
            with pytest.raises(ContractError, match="must be true or false"):
                reader.read(rows)
    else:
        assert_equal(blocks, reader.read([{"b": cell}])[0])


def test_mends_of_cells_are_the_contracts_and_old_contracts_have_none() -> None:
    assert Contract.from_json(json.loads(json.dumps(CONTRACT.to_json()))) == CONTRACT
    plain = CONTRACT.to_json()["columns"][0]
    assert not {"units", "spelling", "variants", "alike", "scale"} & set(plain)
    rows = [{"net": "12.0 oz.", "town": "Bergn", "rent": 1.5}, {"net": "3", "town": "Oslo", "rent": 800.0}]
    blocks = RowReader(CONTRACT).read(rows * 20)[0]
    place = CONTRACT.names(Kind.NUMBERS).index
    assert blocks.numbers[:2, place("net")].tolist() == [12.0, 3.0]
    assert blocks.numbers[:2, place("rent")].tolist() == [1500.0, 800.0]
    assert blocks.strings[:2, CONTRACT.names(Kind.STRINGS).index("town")].tolist() == ["Bergen", "Oslo"]
    broken = CONTRACT.to_json()
    broken["columns"][0]["scale"] = [[1, 0, 5]]
    with pytest.raises(ContractError, match="not a contract"):
        Contract.from_json(broken)
