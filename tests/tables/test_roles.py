"""Roles, formats and tasks read off the values, with no help from names or sizes of known data sets."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from artificer.errors import DataError, TargetError
from artificer.tables.contract import ColumnSpec
from artificer.tables.parsing import read_text
from artificer.tables.roles import infer_roles
from artificer.tables.target import infer_task
from artificer.types import Role, Task

N = 200
RNG = np.random.default_rng(7)


def role_of(values: pl.Series | list[object], name: str = "x") -> ColumnSpec:
    column = pl.Series(name, values)
    frame = pl.DataFrame([column, pl.Series("y", np.arange(len(column)) % 2)])
    return infer_roles(frame, "y")[0][0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1,234.5", "12", "1,000,000"], "1,234.5"),
        (["1.234,5", "12", "0,5"], "1.234,5"),
        (["1,5", "12,25", "7"], "1234,5"),
        (["1 234,5", "1\u00a0000\u00a0000,0"], "1 234,5"),
        (["1'234.5", "9"], "1'234.5"),
        (["$1,200", "$7.50"], "$1,234.5"),
        (["12 %", "7.5%"], "1234.5 %"),
        (["60 kg", "2 kg", "1.5 kg"], "1234.5 kg"),
        (["12.0 oz.", "16 oz."], "1234.5 oz."),
        (["1", "-2.5", "+3e5", ".5", "4."], None),
        (["1,234", "5,678", "12"], "1,234.5"),
        (["(1,200)", "1,300", "-5"], "1,234.5"),
    ],
)
def test_number_formats(values: list[str], expected: str | None) -> None:
    reading = read_text(pl.Series(values))
    assert (reading.reads, reading.format, reading.failed) == ("number", expected, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2020-01-31", "2020-02-01 10:00:00", "2020-02-01T10:00Z"], None),
        (["31/01/2020", "01/02/2020"], "%d/%m/%Y"),
        (["01/31/2020", "02/01/2020"], "%m/%d/%Y"),
        (["31.01.2020 18:30", "01.02.2020 7:05"], "%d.%m.%Y %H:%M"),
        (["18.00.00", "19.30.00"], "%H.%M.%S"),
        (["1/31/2020 1:05 PM", "2/1/2020 11:05 AM"], "%m/%d/%Y %I:%M %p"),
        (["April 4th, 2015", "May 31st, 2015"], "%b %d, %Y"),
        (["Aug-62", "Jan-99"], "%b-%y"),
        ([f"2013{m:02d}{d:02d}" for m in (1, 2) for d in range(1, 15)], "%Y%m%d"),
    ],
)
def test_time_formats(values: list[str], expected: str | None) -> None:
    reading = read_text(pl.Series(values))
    assert (reading.reads, reading.format, reading.failed) == ("time", expected, 0)


@pytest.mark.parametrize(
    "values",
    [
        ["60 kg", "2 lbs"] * 5,
        ["A12", "A13"],
        ["02139", "10001", "90210"],
        ["10-20", "20-30"],
        ["31/12/2020", "12/31/2020"] * 10,
        ["1.2.3.4", "10.0.0.1"],
        ["31/02/2020", "31/04/2020"],
    ],
)
def test_what_only_looks_like_numbers_or_dates_stays_text(values: list[str]) -> None:
    assert read_text(pl.Series(values)).reads == "text"


def test_mixed_types_are_numbers_when_nearly_all_parse() -> None:
    mostly = [str(i) for i in range(97)] + ["many", "few", "?"]
    reading = read_text(pl.Series(mostly))
    assert (reading.reads, reading.failed, reading.missing) == ("number", 2, ("?",))
    assert set(reading.examples) == {"many", "few"}
    half = [str(i % 5) for i in range(50)] + ["many", "few"] * 25
    assert read_text(pl.Series(half)).reads == "text"


def test_a_comma_is_decimal_where_other_columns_leave_no_choice() -> None:
    frame = pl.DataFrame({"sure": ["1,5", "2,25"] * 10, "open": ["1,234", "5,678"] * 10, "y": ["0", "1"] * 10})
    specs = {spec.name: spec for spec in infer_roles(frame, "y")[0]}
    assert (specs["sure"].format, specs["open"].format) == ("1234,5", "1234,5")
    alone = infer_roles(frame.drop("sure"), "y")[0][0]
    assert alone.format == "1,234.5"


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (pl.Series(RNG.normal(size=N)), Role.NUMERIC),
        (pl.Series(RNG.integers(0, 3, N)), Role.NUMERIC),
        (pl.Series(RNG.integers(0, 10**6, N)), Role.NUMERIC),
        (pl.Series(np.arange(N) + 17), Role.ID),
        (pl.Series(["red", "green"] * (N // 2)), Role.CATEGORICAL),
        (pl.Series([f"street {i % 90}" for i in range(N)]), Role.CATEGORICAL),
        (pl.Series([f"u{i:05d}" for i in range(N)]), Role.ID),
        (pl.Series([f"the {i} th parcel was late again" for i in range(N)]), Role.TEXT),
        (pl.Series([True, False] * (N // 2)), Role.BOOLEAN),
        (pl.Series(["true", "False"] * (N // 2)), Role.BOOLEAN),
        (pl.Series([None] * N, dtype=pl.String), Role.CONSTANT),
        (pl.Series(["?", " ", None, "NA"] * (N // 4)), Role.CONSTANT),
        (pl.Series([4.0] * N), Role.CONSTANT),
        (pl.Series(["2020-01-01", "2021-05-05"] * (N // 2)), Role.DATETIME),
        (pl.Series([[1]] * N), Role.CONSTANT),
        (pl.Series([[i % 3] for i in range(N)]), Role.TEXT),
        (pl.Series(['["a", 1]', "[]", None, "[2]"] * (N // 4)), Role.TEXT),
        (pl.Series([[[i]] for i in range(N)]), Role.IGNORED),
        (pl.Series(["only", None] * (N // 2)), Role.CATEGORICAL),
    ],
)
def test_roles(values: pl.Series, role: Role) -> None:
    spec = role_of(values)
    assert spec.role is role
    assert len(spec.reason) > 5


def test_whole_numbers_are_keys_only_under_a_keys_name() -> None:
    values = pl.Series(np.random.default_rng(0).permutation(10**6)[:N])
    assert role_of(values, "price").role is Role.NUMERIC
    for name in ("customer_id", "orderId", "ID", "IDpol", "passenger no", "key"):
        assert role_of(values, name).role is Role.ID, name
    for name in ("paid", "humid", "idea_score", "width"):
        assert role_of(values, name).role is Role.NUMERIC, name


def test_a_question_mark_is_a_missing_category() -> None:
    spec = role_of(["a", "b", "?", "None"] * 20)
    assert spec.missing == ("?",)


def test_named_purposes() -> None:
    frame = pl.DataFrame(
        {
            "a": [1.5, 2.0, 3.0],
            "b": ["u", "v", "v"],
            "t": ["2020-01-01"] * 3,
            "k": [1, 2, 3],
            "z": [1, 5, 2],
            "y": [0, 1, 0],
        }
    )
    specs, _ = infer_roles(frame, "y", time="t", ids=["k"], group="b", drop=["a"])
    assert [spec.role.value for spec in specs] == ["ignored", "group", "datetime", "id", "numeric", "target"]
    ordered, _ = infer_roles(frame, "y", time="k")
    assert ordered[3].role is Role.IGNORED


def test_a_purpose_for_an_absent_column_names_the_nearest() -> None:
    frame = pl.DataFrame({"when": ["2020-01-01", "2020-01-02"], "y": [0, 1]})
    with pytest.raises(DataError, match='did you mean "when"'):
        infer_roles(frame, "y", time="wen")


def test_a_time_column_that_does_not_parse_is_refused() -> None:
    frame = pl.DataFrame({"when": ["soon", "later", "2020-01-01"], "y": [0, 1, 0]})
    with pytest.raises(DataError, match=r'time column "when" does not hold times'):
        infer_roles(frame, "y", time="when")


@pytest.mark.parametrize(
    ("labels", "role", "task", "positive", "classes"),
    [
        (["no", "yes"] * 50, Role.CATEGORICAL, Task.BINARY, "yes", ("no", "yes")),
        (["good", "good", "bad"] * 30, Role.CATEGORICAL, Task.BINARY, "bad", ("bad", "good")),
        ([0, 1] * 50, Role.NUMERIC, Task.BINARY, "1", ("0", "1")),
        ([True, False] * 50, Role.BOOLEAN, Task.BINARY, "true", ("false", "true")),
        (["a", "b", "c"] * 30, Role.CATEGORICAL, Task.MULTICLASS, None, ("a", "b", "c")),
        ([1, 2, 10] * 50, Role.NUMERIC, Task.MULTICLASS, None, ("1", "2", "10")),
        ([1.0, 2.0, 10.0] * 50, Role.NUMERIC, Task.MULTICLASS, None, ("1", "2", "10")),
        ([1.5, 2.0, 10.0] * 50, Role.NUMERIC, Task.REGRESSION, None, ()),
        (list(range(100)), Role.NUMERIC, Task.REGRESSION, None, ()),
        ([0] * 700 + [1] * 200 + [2] * 60 + [3] * 10 + [4] * 2, Role.NUMERIC, Task.REGRESSION, None, ()),
    ],
)
def test_tasks(labels: list[object], role: Role, task: Task, positive: str | None, classes: tuple[str, ...]) -> None:
    question = infer_task(pl.Series("y", labels), ColumnSpec("y", role, "", ""))
    assert (question.task, question.positive, question.classes) == (task, positive, classes)
    assert sum(question.counts) in (0, len(labels))


def test_a_stated_positive_class_and_task_are_held_to_the_data() -> None:
    spec = ColumnSpec("y", Role.CATEGORICAL, "", "")
    labels = pl.Series("y", ["Good", "Bad", "Good"])
    assert infer_task(labels, spec, positive="good").positive == "Good"
    with pytest.raises(TargetError, match='has no value "ugly"'):
        infer_task(labels, spec, positive="ugly")
    with pytest.raises(TargetError, match="cannot be a regression"):
        infer_task(labels, spec, task=Task.REGRESSION)
    three = pl.Series("y", [1, 2, 3] * 20)
    with pytest.raises(TargetError, match="cannot be binary"):
        infer_task(three, ColumnSpec("y", Role.NUMERIC, "", ""), task=Task.BINARY)
    assert infer_task(three, ColumnSpec("y", Role.NUMERIC, "", ""), task=Task.REGRESSION).task is Task.REGRESSION
