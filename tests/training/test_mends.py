"""Mends that a model learns through: proven on folds, kept in the contract, the same for rows to be predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import artificer
from artificer.metrics.base import metric
from artificer.problem.load import build_problem
from artificer.search.records import Budget, SearchRequest
from artificer.tables.contract import Contract, RowReader
from artificer.testing.dirty import misspelt
from artificer.training.intake import prepare_for
from artificer.training.mends import _few_rows, proven, rules_of, with_rules, without_proof
from artificer.types import Kind


def sales(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """Towns misspelt, rents in thousands, weights in several spellings; the price is of what is meant."""
    rng = np.random.default_rng(seed)
    town = rng.integers(0, 4, rows)
    names = np.array(["Bergen Havn", "Oslo Sentrum", "Stavanger", "Trondheim"])
    rent = rng.lognormal(7, 0.3, rows)
    weight = rng.integers(5, 40, rows)
    price = 100 * town + rent / 10 + 5 * weight + rng.normal(0, 10, rows)
    texts = names[town].astype(object)
    for k, row in enumerate(rng.choice(rows, rows // 20, replace=False)):
        texts[row] = misspelt(texts[row], rng) if k % 6 == 0 else (str.upper, str.lower)[k % 2](texts[row])
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
    run = artificer.train(sales(), target="price", budget="20 fits")
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
    run = artificer.train(table, target="price", budget="20 fits")
    assert any(note.startswith("mends were left out") for note in run.document["notes"])
    assert not run.model.bundle.contract.column("town").spelling


def asked(prepared, folds: list[tuple[np.ndarray, np.ndarray]], fits: int = 20) -> SearchRequest:
    contract = prepared.contract
    return SearchRequest(
        blocks=prepared.blocks,
        y=prepared.y,
        task=contract.task,
        n_classes=contract.width,
        names={kind: contract.names(kind) for kind in Kind},
        folds=folds,
        metric=metric("rmse"),
        budget=Budget(fits=fits),
    )


def forward(rows: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each fold is judged on the rows after its own."""
    return [(np.arange(end), np.arange(end, end + rows // 6)) for end in range(rows // 6, rows, rows // 6)]


@pytest.mark.parametrize("where", ["everywhere", "newest"])
def test_a_mend_that_no_fold_shows_is_not_proven(where: str) -> None:
    """Small rents of the newest rows alone are in the training rows of no fold."""
    rng = np.random.default_rng(5)
    rows = 900
    rent = rng.lognormal(7, 0.3, rows)
    price = rent + rng.normal(0, 10, rows)
    small = rng.choice(rows, 60, replace=False) if where == "everywhere" else np.arange(rows - 30, rows)
    rent[small] /= 1000
    ready = prepare_for(problem(), pl.DataFrame({"rent": rent, "price": price}))
    search = asked(ready, forward(rows))
    mended, proof, note = proven(ready, np.arange(rows), lambda _: search)
    assert note is not None
    if where == "newest":
        assert proof is None
        assert "too few folds could judge a mend" in note
        assert without_proof(search, proof) is search
        assert not mended.contract.column("rent").scale
    else:
        assert proof is not None
        assert proof.folds == 3
        assert without_proof(search, proof).budget.fits == 14
        assert bool(mended.contract.column("rent").scale) == proof.kept


def test_large_tables_are_thinned_to_the_bound() -> None:
    ready = prepare_for(problem(), sales(600))
    search = asked(ready, [(np.arange(300), np.arange(300, 600))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artificer.training.mends.MOST_ROWS", 350)
        assert [sum(map(len, fold)) for fold in _few_rows(search)] == [300]


def test_a_new_category_is_not_read_as_a_known_one() -> None:
    models = ["model A"] * 60 + ["modl A"] + ["gadget"] * 60 + ["GADGET"]
    ready = prepare_for(problem(), pl.DataFrame({"model": models, "price": np.arange(122.0) % 7}))
    contract, _ = with_rules(ready.contract, ready.blocks, rules_of(ready.contract, ready.blocks))
    served, _ = RowReader(Contract.from_json(contract.to_json())).read(
        [{"model": text} for text in ("modl A", "model B", "gadgets", "Model  a", "GADGET")]
    )
    assert served.strings[:, 0].tolist() == ["model A", "model B", "gadgets", "model A", "gadget"]
