"""Mends that a model learns through: proven on folds, kept in the contract, the same for rows to be predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import artificer
from artificer.problem.load import build_problem
from artificer.tables.contract import Contract, RowReader
from artificer.testing.dirty import misspelt
from artificer.training.intake import prepare_for
from artificer.training.mends import rules_of, with_rules


def sales(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """Misspelt towns, rents in thousands, weights in several spellings; the target depends on what is meant."""
    rng = np.random.default_rng(seed)
    town = rng.integers(0, 4, rows)
    names = np.array(["Bergen Havn", "Oslo Sentrum", "Stavanger", "Trondheim"])
    rent = rng.lognormal(7, 0.3, rows)
    weight = rng.integers(5, 40, rows)
    price = 100 * town + rent / 10 + 5 * weight + rng.normal(0, 10, rows)
    texts = names[town].astype(object)
    for row in rng.choice(rows, rows // 20, replace=False):
        texts[row] = misspelt(texts[row], rng)
    rent = np.where(rng.random(rows) < 0.02, rent / 1000, rent)
    unit = np.array([" kg", " kgs", ""])[rng.integers(0, 3, rows)]
    return pl.DataFrame(
        {
            "town": texts.astype(str),
            "rent": rent,
            "weight": [f"{w}{u}" for w, u in zip(weight, unit, strict=True)],
            "price": price,
        }
    )


def problem(mode: str = "proven", budget: str = "10 fits"):
    return build_problem(
        {"data": {"target": "price"}, "training": {"budget": budget}, "cleaning": {"mode": mode}}, "a test"
    )


def test_units_are_read_out_of_numbers_unless_cleaning_is_off() -> None:
    column = prepare_for(problem("safe"), sales()).contract.column("weight")
    assert (column.role.value, column.units) == ("numeric", ("kg", "kgs"))
    assert prepare_for(problem("off"), sales()).contract.column("weight").role.value == "categorical"


def test_rules_are_of_the_rows_they_are_read_off() -> None:
    ready = prepare_for(problem(), sales())
    rules = {rule.column.name: rule for rule in rules_of(ready.contract, ready.blocks)}
    assert set(rules) == {"town", "rent"}
    assert rules["town"].cells >= 25
    assert set(rules["town"].column.spelling.values()) <= {"Bergen Havn", "Oslo Sentrum", "Stavanger", "Trondheim"}
    contract, blocks = with_rules(ready.contract, ready.blocks, tuple(rules.values()))
    assert len(set(blocks.strings[:, 0])) <= 8
    assert blocks.numbers[:, contract.names(contract.column("rent").kind).index("rent")].min() > 100
    assert ready.blocks.strings.tolist() != blocks.strings.tolist()  # what was given stays as it was
    again = Contract.from_json(contract.to_json())
    rows = [{"town": row["town"], "rent": row["rent"], "weight": row["weight"]} for row in sales().to_dicts()]
    served, _ = RowReader(again).read(rows)
    np.testing.assert_array_equal(served.numbers, blocks.numbers)
    assert served.strings.tolist() == blocks.strings.tolist()


@pytest.mark.slow
def test_a_proven_mend_reaches_the_bundle(tmp_path: Path) -> None:
    run = artificer.train(sales(), target="price", budget="10 fits")
    notes = [note for note in run.document["notes"] if note.startswith("mended, in rows to be predicted too")]
    assert len(notes) == 1
    assert "rmse" in notes[0]
    assert "town" in notes[0]
    path = run.save(str(tmp_path / "m.artificer"))
    model = artificer.load(path)
    good = pl.DataFrame({"town": ["Stavanger"], "rent": [1000.0], "weight": ["10"]})
    wrong = next(text for text, meant in model.bundle.contract.column("town").spelling.items() if meant == "Stavanger")
    odd = pl.DataFrame({"town": [wrong], "rent": [1.0], "weight": ["10 kgs"]})
    assert float(model.predict(good)[0]) == pytest.approx(float(model.predict(odd)[0]))


def test_short_budgets_leave_cells_alone_and_say_so() -> None:
    run = artificer.train(sales(300), target="price", budget="2 fits")
    assert any("for want of time" in note for note in run.document["notes"])
    assert not run.model.bundle.contract.column("town").spelling


@pytest.mark.slow
def test_a_harmful_mend_is_left_out() -> None:
    """Texts that look misspelt and tell the target are another thing."""
    rng = np.random.default_rng(3)
    rows = 900
    odd = rng.random(rows) < 0.03
    town = np.array(["Bergen Havn", "Oslo Sentrum", "Stavanger", "Trondheim"])[rng.integers(0, 4, rows)].astype(object)
    for place in np.flatnonzero(odd):
        town[place] = misspelt(town[place], rng)
    price = rng.normal(0, 1, rows) + 200 * odd
    table = pl.DataFrame({"town": town.astype(str), "x": rng.normal(size=rows), "price": price})
    run = artificer.train(table, target="price", budget="10 fits")
    assert any(note.startswith("mends were left out") for note in run.document["notes"])
    assert not run.model.bundle.contract.column("town").spelling
