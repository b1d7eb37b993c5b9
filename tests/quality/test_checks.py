"""Every quality check keeps the contract, and each finds what it is there for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from artificer.quality.base import Check, checks
from artificer.quality.run import check_table
from artificer.tables.prepare import prepare
from artificer.testing.checks import CHECK_CHECKS, odd_table


@pytest.mark.parametrize("member", checks().values(), ids=lambda member: member.name)
@pytest.mark.parametrize("check", CHECK_CHECKS, ids=lambda check: check.__name__)
def test_contract(member: type[Check], check: Callable[[type[Check]], None]) -> None:
    check(member)


def test_each_trouble_of_the_odd_table_is_found() -> None:
    ready = prepare(odd_table(), target="sold", time="when")
    found = {(finding.rule, finding.column) for finding in check_table(ready.frame, ready.contract)}
    assert found == {
        ("infinite", "size"),
        ("infinite", "again"),
        ("duplicate_column", "again"),
        ("missing_markers", "mixed"),
        ("wrong_cells", "mixed"),
        ("unreadable", "mixed"),
        ("id", "key"),
        ("constant", "same"),
        ("missing", "sparse"),
        ("missing", "hue"),
        ("time", "when"),
        ("leakage", "told"),
    }


@pytest.mark.parametrize("target", ["label", "value", "three"])
def test_a_number_that_gives_the_target_away(target: str) -> None:
    rng = np.random.default_rng(2)
    n = 500
    value = rng.normal(size=n)
    label = np.where(value > 0, "yes", "no")
    table = pl.DataFrame({"noise": rng.normal(size=n), "value": value, "label": label})
    if target == "value":
        table = table.with_columns(told=pl.col("value") * 2 + 1).drop("label")
    elif target == "label":
        table = table.rename({"value": "told"})
    else:
        three = rng.integers(0, 3, n)
        table = table.select(
            "noise", told=pl.Series(three), three=pl.Series(three).replace_strict({0: "a", 1: "b", 2: "c"})
        )
    findings = check_table(table, prepare(table, target=target).contract)
    assert [(finding.rule, finding.column) for finding in findings] == [("leakage", "told")]


def test_strong_but_honest_columns_are_left_alone() -> None:
    rng = np.random.default_rng(4)
    n = 2000
    y = rng.integers(0, 2, n)
    table = pl.DataFrame({"good": y + rng.normal(scale=0.6, size=n), "hue": rng.choice([*"abcdefgh"], n), "y": y})
    assert check_table(table, prepare(table, target="y").contract) == ()


def test_copies_and_rare_classes_are_counted() -> None:
    rng = np.random.default_rng(6)
    table = pl.DataFrame({"a": rng.normal(size=300), "y": ["often"] * 148 + ["other"] * 149 + ["rare"] * 3})
    table = pl.concat([table, table.head(30)])
    findings = {finding.rule: finding for finding in check_table(table, prepare(table, target="y").contract)}
    assert findings["duplicate_rows"].count == 30
    assert findings["rare_class"].count == 3


def test_large_tables_are_sampled_and_say_so() -> None:
    rng = np.random.default_rng(8)
    table = pl.DataFrame({"a": rng.normal(size=5000), "y": rng.integers(0, 2, 5000)})
    contract = prepare(table, target="y").contract
    (finding,) = check_table(table, contract, max_rows=1500)
    assert (finding.rule, finding.count) == ("sampled", 1500)
    assert check_table(table, contract) == ()


def test_a_table_to_be_scored_has_no_target() -> None:
    table = odd_table()
    contract = prepare(table, target="sold").contract
    rules = {finding.rule for finding in check_table(table.drop("sold"), contract)}
    assert "leakage" not in rules
    assert "infinite" in rules
    assert check_table(table.head(0), contract) == ()
