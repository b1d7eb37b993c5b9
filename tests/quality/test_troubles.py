"""Each trouble is put into clean generated tables and found, in the rows where it was put; clean tables stay quiet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.quality.base import Checked, Finding, checks
from artificer.quality.run import survey
from artificer.tables.prepare import prepare
from artificer.tables.untargeted import untargeted

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=4, deadline=None)


def clean(seed: int, rows: int = 600) -> dict[str, Any]:
    """A table with nothing wrong: shapes that columns have, related to the target as columns are."""
    rng = np.random.default_rng(seed)
    size, rate = rng.normal(size=rows), rng.lognormal(1, 0.7, rows)
    start = dt.datetime(2024, 1, 1)
    return {
        "size": size,
        "rate": rate,
        "visits": rng.poisson(7, rows),
        "heat": rng.normal(20, 8, rows),
        "hue": rng.choice(["red", "green", "blue"], rows),
        "town": rng.choice([f"town {i}" for i in range(12)], rows),
        "at": [start + dt.timedelta(hours=i) for i in range(rows)],
        "y": np.where(size + 0.4 * rate + rng.normal(size=rows) > 2, "yes", "no"),
    }


def found(
    table: dict[str, Any], target: str | None = "y", deep: bool = False, **named: Any
) -> dict[tuple[str, str | None], Finding]:
    frame = pl.DataFrame(table)
    if target is None:
        contract, _ = untargeted(frame, **named)
        return {(f.rule, f.column): f for f in survey(Checked(frame, contract), deep=deep).findings}
    ready = prepare(frame, target=target, **named)
    return {(f.rule, f.column): f for f in survey(Checked(ready.frame, ready.contract), deep=deep).findings}


@given(SEEDS)
@FEW
def test_clean_tables_stay_quiet(seed: int) -> None:
    assert found(clean(seed)) == {}
    assert found(clean(seed), None) == {}


def rounded(seed: int) -> dict[str, Any]:
    table = clean(seed)
    return table | {"rate": np.round(table["rate"], 1), "heat": np.round(table["heat"])}


@given(SEEDS)
@FEW
def test_clean_tables_of_rounded_values_stay_quiet(seed: int) -> None:
    table = rounded(seed)
    del table["at"]
    assert found(table) == {}


def places(seed: int, count: int, rows: int = 600) -> np.ndarray:  # type: ignore[type-arg]
    return np.sort(np.random.default_rng(seed + 1).choice(rows, count, replace=False))


def put(table: dict[str, Any], column: str, rows: Any, values: Any) -> dict[str, Any]:
    changed = np.array(table[column], dtype=object if isinstance(values, str) else np.float64)
    changed[rows] = values
    return table | {column: changed.tolist()}


NUMBER_TROUBLES: dict[str, tuple[str, str, Callable[[np.ndarray], Any], int]] = {  # type: ignore[type-arg]
    "a code": ("disguised_missing", "heat", lambda old: np.full(len(old), -999.0), 20),
    "a wrong sign": ("impossible", "rate", lambda old: -old - 3.0, 4),
    "a zero out of reach": ("impossible", "far", lambda old: np.zeros(len(old)), 4),
    "a slip of the decimal point": ("outliers", "heat", lambda old: np.full(len(old), 2140.0), 2),
    "grams among kilograms": ("mixed_units", "mass", lambda old: old * 1000, 50),
    "pounds among kilograms": ("mixed_units", "mass", lambda old: old * 2.20462, 60),
    "Fahrenheit": ("mixed_units", "body", lambda old: old * 1.8 + 32, 60),
}


@pytest.mark.parametrize("trouble", NUMBER_TROUBLES)
@given(SEEDS)
@FEW
def test_wrong_numbers_are_found_in_their_rows(trouble: str, seed: int) -> None:
    rule, column, change, count = NUMBER_TROUBLES[trouble]
    rng = np.random.default_rng(seed)
    table = clean(seed) | {
        "far": rng.normal(60, 5, 600),
        "mass": rng.lognormal(4, 0.09, 600),
        "body": rng.normal(37, 1.2, 600),
    }
    assert (rule, column) not in found(table)
    rows = places(seed, count)
    old = np.asarray(table[column])[rows]
    finding = found(put(table, column, rows, change(old)))[rule, column]
    assert finding.count == count
    assert finding.rows == tuple(rows[:10].tolist())
    assert finding.evidence
    assert finding.mend


@given(SEEDS)
@FEW
def test_words_among_numbers_and_dates_in_two_formats(seed: int) -> None:
    table = clean(seed)
    rng = np.random.default_rng(seed)
    number = [str(v) for v in np.round(rng.normal(50, 9, 600), 1)]
    part = places(seed, 150)
    words = list(number)
    for row in part:
        words[row] = ("pending", "see notes", "by phone")[row % 3]
    days = [dt.date(2023, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 400, 600)]
    dates = [day.strftime("%d.%m.%Y" if i in set(part.tolist()) else "%Y-%m-%d") for i, day in enumerate(days)]
    made = found(
        table | {"number": words, "day": dates, "unsure": ["unknown" if i % 9 == 0 else "a" for i in range(600)]}
    )
    assert made["mixed_types", "number"].count == 150
    assert made["mixed_types", "number"].rows == tuple(part[:10].tolist())
    assert made["several_formats", "day"].count == 150
    assert "%d.%m.%Y" in made["several_formats", "day"].evidence
    assert made["disguised_missing", "unsure"].count == 67
    assert {rule for rule, _ in made} <= {"mixed_types", "several_formats", "disguised_missing", "id_as_feature"}


@given(SEEDS)
@FEW
def test_numbers_as_text_are_read_and_told(seed: int) -> None:
    table = clean(seed)
    made = found(table | {"price": [f"{v:.2f} €".replace(".", ",") for v in table["rate"]]})
    assert set(made) == {("written_as_text", "price")}
    assert made["written_as_text", "price"].applied


@given(SEEDS)
@FEW
def test_near_duplicates_and_rows_shared_by_train_and_test(seed: int) -> None:
    table = clean(seed)
    frame = pl.DataFrame(table)
    twins = frame[places(seed, 20).tolist()].with_columns(visits=pl.col("visits") + 100)
    made = found(pl.concat([frame, twins]).to_dict(as_series=False))
    assert made["near_duplicates", None].count == 40
    assert '"visits" (40)' in made["near_duplicates", None].evidence
    copies = pl.concat([frame, frame.head(30)])
    ready = prepare(copies, target="y")
    checked = Checked(ready.frame, ready.contract, test=np.arange(630) >= 600)
    finding = next(f for f in survey(checked).findings if f.rule == "train_test_overlap")
    assert (finding.count, finding.severity) == (30, "error")


def test_near_texts() -> None:
    rng = np.random.default_rng(4)
    words = [f"word{i}" for i in range(400)]
    texts = [" ".join(rng.choice(words, 30)) for _ in range(200)]
    texts[50] = texts[7] + " again"
    texts[90] = texts[7].replace(texts[7].split()[3], "other")
    made = found({"said": texts, "x": rng.normal(size=200), "y": rng.normal(size=200)})
    assert made["near_texts", "said"].rows == (7, 50, 90)


@given(SEEDS)
@FEW
def test_keys_and_columns_that_hardly_vary(seed: int) -> None:
    table = clean(seed)
    rng = np.random.default_rng(seed)
    made = found(
        table
        | {
            "ticket": np.cumsum(rng.integers(1, 9, 600)),
            "label": [f"L{rng.integers(0, 500)}" if i % 4 else f"M{i}" for i in range(600)],
            "flat": np.where(np.arange(600) == 77, 3.0, 1.0),
        }
    )
    assert made["id_as_feature", "ticket"].severity == "warning"
    assert ("id_as_feature", "label") in made
    assert made["near_constant", "flat"].count == 1


@given(SEEDS)
@FEW
def test_wrong_labels_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, rate = rng.normal(size=(2, 800))
    truth = np.where(size > 0.3, "big", np.where(rate > 0, "quick", "slow"))
    wrong = places(seed, 16, 800)
    noted = truth.copy()
    noted[wrong] = np.where(truth[wrong] == "big", "slow", "big")
    made = found({"size": size, "rate": rate, "kind": noted}, "kind", deep=True)
    finding = made["label_errors", "kind"]
    assert len(set(finding.rows) & set(wrong.tolist())) >= 0.7 * len(finding.rows)
    assert 8 <= finding.count <= 32
    assert "rather" in finding.examples[0]


def test_overlapping_classes_are_no_label_errors() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=1000)
    table = {"x": x, "noise": rng.normal(size=1000), "y": np.where(x + 2 * rng.normal(size=1000) > 0, "a", "b")}
    assert "label_errors" not in {rule for rule, _ in found(table, deep=True)}


@given(SEEDS)
@FEW
def test_columns_that_are_known_only_after(seed: int) -> None:
    table = clean(seed)
    rng = np.random.default_rng(seed)
    yes = np.array(table["y"]) == "yes"
    closed = np.where(yes & (rng.random(600) < 0.5), rng.normal(9, 1, 600), np.nan)
    paid = np.where(yes & (rng.random(600) < 0.4), rng.integers(5, 90, 600), 0)
    made = found(table | {"closed": [None if np.isnan(v) else v for v in closed], "paid": paid})
    assert made["known_after", "closed"].severity == "warning"
    assert made["known_after", "paid"].severity == "warning"


@pytest.mark.parametrize("how", ["sum", "difference", "five", "product", "quotient"])
@given(SEEDS)
@FEW
def test_columns_that_add_up_to_the_target(how: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    part = {f"p{j}": rng.lognormal(1, 0.5, 400) for j in range(5)}
    noise = {f"n{j}": rng.lognormal(1, 0.5, 400) for j in range(3)}
    a, b = part["p0"], part["p1"]
    y = {"sum": a + b, "difference": a - b, "five": sum(part.values()), "product": a * b, "quotient": a / b}[how]
    table: dict[str, Any] = {**part, **noise, "y": y}
    evidence = found(table)["arithmetic_leakage", None].evidence
    assert {name for name in table if f'"{name}"' in evidence} == (set(part) if how == "five" else {"p0", "p1"})
    table["y"] = y + rng.normal(0, 0.05, 400)
    assert "arithmetic_leakage" not in {rule for rule, _ in found(table)}


def test_a_column_far_stronger_than_all_others() -> None:
    rng = np.random.default_rng(9)
    y = rng.integers(0, 2, 2000)
    weak = {f"w{j}": y + rng.normal(0, 4, 2000) for j in range(6)}
    made = found({**weak, "told": y + rng.normal(0, 0.5, 2000), "y": y})
    assert ("leakage_suspect", "told") in made
    assert "leakage_suspect" not in {rule for rule, _ in found({**weak, "y": y})}


def test_classes_and_values_that_are_nearly_always_the_same() -> None:
    table = clean(3)
    rare = np.where(np.arange(600) % 30 == 0, "yes", "no")
    assert found(table | {"y": rare})["imbalance", "y"].count == 580
    counts = np.where(np.arange(600) % 15 == 0, np.arange(600) / 7, 0.0)
    assert found(table | {"y": counts})["imbalance", "y"].count == 561


@given(SEEDS)
@FEW
def test_rows_out_of_order_and_gaps(seed: int) -> None:
    frame = pl.DataFrame(clean(seed))
    late = int(places(seed, 1, 400)[0]) + 50
    gone = frame.filter(~pl.int_range(pl.len()).is_between(late, late + 11))
    finding = found(gone.to_dict(as_series=False))["time_gaps", "at"]
    assert finding.count == 1
    assert "12 steps are missing; the longest 13 h" in finding.evidence
    order = np.arange(600)
    order[[10, 300]] = order[[300, 10]]
    moved = found(frame[order.tolist()].to_dict(as_series=False), time="at")
    assert moved["out_of_order", "at"].severity == "warning"
    assert moved["out_of_order", "at"].rows[0] == 11


def test_rows_that_do_not_go_together() -> None:
    rng = np.random.default_rng(6)
    a = rng.normal(size=800)
    table = {"a": a, "b": a + rng.normal(0, 0.02, 800), "c": -a + rng.normal(0, 0.02, 800), "y": rng.normal(size=800)}
    assert found(table) == {}
    table["b"][123] = -table["a"][123] - 1.5
    finding = found(table)["joint_outliers", None]
    assert finding.rows == (123,)
    assert '"b"' in finding.evidence


def test_many_columns_with_one_trouble_are_told_together() -> None:
    rng = np.random.default_rng(2)
    rare = {f"c{j}": np.where(rng.permutation(600) < 2, 1.5 + j, 0.0) for j in range(40)}
    made = [f for f in found(clean(1) | rare).values() if f.rule == "near_constant"]
    assert len(made) == 9
    assert any("32 more columns" in f.evidence for f in made)


def test_every_check_is_named_in_the_manual() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "quality.md").read_text()
    assert [name for name in checks() if f"`{name}`" not in page] == []
