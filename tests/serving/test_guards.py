"""Guards: who is caught, what is done about it, and that nobody else notices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.bundle.bounds import Bounds, learn_bounds
from artificer.bundle.pointer import read_pointer
from artificer.errors import ContractError, UsageError
from artificer.serving.champion import load
from artificer.serving.guards import GuardPlan, Rails
from artificer.serving.ids import Ids
from artificer.serving.predictor import Answer, Ask, Predictor
from artificer.tables.contract import ColumnSpec, Contract, RowReader
from artificer.types import Blocks, Role, Task

ROW = {"age": 40, "city": "Rome", "member": True, "seen": None}
FAR = {**ROW, "age": 5000}
BROKEN = {**ROW, "member": "perhaps"}
AGES = Bounds(low={"age": -50.0}, high={"age": 150.0}, confidence=0.6)


@pytest.fixture
def guarded(promote: Callable[..., Path]) -> Callable[..., Predictor]:
    """A predictor whose bundle knows that ages lie between -50 and 150."""

    def make(plan: GuardPlan, bounds: Bounds = AGES, **options: Any) -> Predictor:
        pointer = promote(1, **options)
        found = load(pointer, read_pointer(pointer), Ids(), plan)
        found._rails = Rails(plan, bounds, found.bundle.contract)
        return found

    return make


def guards(answer: Answer) -> dict[int, list[tuple[str, str]]]:
    return {row: [(hit.guard, hit.action) for hit in of] for row, of in answer.hits.items()}


def test_by_default_rows_far_outside_are_counted_and_answered(guarded: Callable[..., Predictor]) -> None:
    predictor = guarded(GuardPlan())
    answer = predictor.answer([ROW, FAR], 0.0)
    assert guards(answer) == {0: [("low_confidence", "log")], 1: [("far_outside", "log"), ("low_confidence", "log")]}
    assert [e.prediction for e in answer.entries] == [0, 0]
    with pytest.raises(ContractError):
        predictor.answer([BROKEN], 0.0)


def test_a_default_takes_the_place_of_the_prediction_also_in_the_journal(guarded: Callable[..., Predictor]) -> None:
    plan = GuardPlan(far_outside="override", low_confidence="off", default="1")
    answer = guarded(plan).answer([ROW, FAR], 0.0)
    assert [e.prediction for e in answer.entries] == [0, 1]
    assert answer.entries[0].scores == answer.entries[1].scores, "what the model said is kept"


def test_one_refused_row_refuses_its_request_and_no_other(guarded: Callable[..., Predictor]) -> None:
    predictor = guarded(GuardPlan(far_outside="refuse", low_confidence="off"))
    first, second, third = predictor.answers([Ask([ROW]), Ask([ROW, FAR]), Ask([ROW])], 0.0)
    assert isinstance(first, Answer)
    assert isinstance(third, Answer)
    assert isinstance(second, ContractError)
    assert [v.row for v in second.violations] == [1]
    assert '"age" far outside' in str(second)


@pytest.mark.parametrize("action", ["log", "flag", "override"])
def test_cells_that_break_the_contract_are_missing_where_that_is_wanted(
    action: str, guarded: Callable[..., Predictor]
) -> None:
    predictor = guarded(GuardPlan(out_of_contract=action, low_confidence="off", default=1))  # type: ignore[arg-type]
    asks = [Ask([ROW]), Ask([BROKEN, ROW, {**ROW, "member": "perhaps", "seen": "once"}]), Ask([ROW])]
    answers = predictor.answers(asks, 0.0)
    assert [answer for answer in answers if not isinstance(answer, Answer)] == []
    middle = answers[1]
    assert isinstance(middle, Answer)
    assert guards(middle) == {0: [("out_of_contract", action)], 2: [("out_of_contract", action)]}
    assert [e.prediction for e in middle.entries] == ([1, 0, 1] if action == "override" else [0, 0, 0])
    assert middle.entries[0].row["member"] is None
    assert (middle.entries[2].row["member"], middle.entries[2].row["seen"]) == (None, None)
    found = predictor.answers([Ask([[1, 2]]), Ask([ROW])], 0.0)
    assert isinstance(found[0], ContractError), "a row that is no object cannot be mended"


@pytest.mark.parametrize("width", [1, 30, 150])
def test_broken_rows_are_read_a_fixed_number_of_times(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows and columns break the contract, the work grows with the rows alone."""
    columns = tuple(ColumnSpec(f"a{j}", Role.NUMERIC, "numbers", "Float64", nullable=bool(j % 2)) for j in range(width))
    contract = Contract(columns, "y", Task.REGRESSION)
    rails, reader, looked = Rails(GuardPlan(out_of_contract="flag"), Bounds(), contract), RowReader(contract), 0
    read = RowReader.read

    def counted(self: RowReader, rows: Any) -> Any:
        nonlocal looked
        looked += len(rows)
        return read(self, rows)

    monkeypatch.setattr(RowReader, "read", counted)
    rows = [{f"a{j}": "x" if j % 2 else None for j in range(width)} for _ in range(950)]
    rows[700] = dict.fromkeys((f"a{j}" for j in range(width)), 1.0)
    mended, blocks, _, told = rails.read(rows, reader)
    assert looked <= 4 * len(rows)
    assert sorted(told) == [i for i in range(len(rows)) if i != 700], "a cell that may not be missing counts, too"
    assert [row["a0"] for row in mended] == [1.0 if i == 700 else None for i in range(len(rows))]
    assert np.isnan(blocks.numbers).all(axis=1).sum() == len(rows) - 1
    assert (blocks.numbers[700] == 1.0).all()
    rows[800] = [1]  # type: ignore[call-overload]
    with pytest.raises(ContractError, match="row 800 must be an object"):
        rails.read(rows, reader)


def test_unknown_columns_are_told_and_not_kept_beside_broken_cells(guarded: Callable[..., Predictor]) -> None:
    predictor = guarded(GuardPlan(out_of_contract="flag"))
    asks = [Ask([{**BROKEN, "secret": "1"}]), Ask([ROW])]
    for answer in (predictor.answer(asks[0].rows, 0.0), predictor.answers(asks, 0.0)[0]):
        assert isinstance(answer, Answer)
        assert answer.warnings == ('column "secret" is not part of the model and was ignored',)
        assert "secret" not in answer.entries[0].row


def test_values_and_quantiles_are_unsure_beyond_the_target(guarded: Callable[..., Predictor]) -> None:
    bounds = Bounds(value_low=0.0, value_high=100.0)
    answer = guarded(GuardPlan(), bounds, task=Task.REGRESSION).answer([ROW, FAR], 0.0)
    assert guards(answer) == {1: [("low_confidence", "log")]}
    contract = Contract((ColumnSpec("a", Role.NUMERIC, "numbers", "Float64"),), "y", Task.QUANTILE, levels=(0.1, 0.9))
    rails = Rails(GuardPlan(), Bounds(width=2.0), contract)
    none = np.empty((2, 0))
    blocks = Blocks(np.zeros((2, 1), dtype=np.float32), none, none)
    assert list(rails.hits(blocks, np.array([[0.0, 1.0], [0.0, 3.0]]))) == [1]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (GuardPlan(far_outside="override"), "guards.default is missing"),
        (GuardPlan(far_outside="override", default="maybe"), "no class of bought"),
    ],
)
def test_a_default_that_the_target_cannot_have_is_refused(
    plan: GuardPlan, message: str, guarded: Callable[..., Predictor]
) -> None:
    with pytest.raises(UsageError, match=message):
        guarded(plan)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_no_training_row_is_far_outside(values: list[float]) -> None:
    contract = Contract((ColumnSpec("a", Role.NUMERIC, "numbers", "Float64"),), "y", Task.REGRESSION)
    numbers = np.array(values, dtype=np.float32)[:, None]
    none = np.empty((len(values), 0))
    blocks = Blocks(numbers, none, none)
    bounds = learn_bounds(blocks, contract, np.array(values), np.array(values)[:, None])
    assert Bounds.from_json(bounds.to_json()) == bounds
    assert Rails(GuardPlan(), bounds, contract).hits(blocks, numbers.astype(np.float64)) == {}


def test_missing_numbers_and_bundles_without_bounds_are_left_alone(guarded: Callable[..., Predictor]) -> None:
    rails = Rails(GuardPlan(), Bounds.from_json(None), guarded(GuardPlan()).bundle.contract)
    none = np.empty((1, 0))
    blocks = Blocks(np.array([[np.nan, 1e30]], dtype=np.float32), none, none)
    assert rails.hits(blocks, np.array([[0.5, 0.5]])) == {}
    known = Rails(GuardPlan(low_confidence="off"), AGES, guarded(GuardPlan()).bundle.contract)
    assert known.hits(Blocks(np.array([[np.nan, 1.0]], dtype=np.float32), none, none), np.array([[0.5, 0.5]])) == {}
