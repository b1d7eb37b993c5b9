"""Rows in, predictions out, and what the journal is given."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as change

from artificer.bundle.pointer import read_pointer
from artificer.errors import ArtificerError, ContractError, UsageError
from artificer.journal.entries import OutcomeEntry
from artificer.serving.champion import load
from artificer.serving.ids import Ids
from artificer.serving.predictor import Answer, Ask, Predictor
from artificer.types import Task

ROW = {"age": 40, "city": "Rome", "member": True, "seen": "2026-01-01T00:00:00Z"}


def predictor_of(pointer: Path) -> Predictor:
    return load(pointer, read_pointer(pointer), Ids())


def test_a_class_comes_back_in_its_own_type_with_what_the_journal_needs(promote: Callable[..., Path]) -> None:
    answer = predictor_of(promote(3)).answer([ROW, {**ROW, "age": 2}], at=7.0)
    first, second = answer.entries
    assert (first.prediction, type(first.prediction)) == (0, int)
    assert first.scores == pytest.approx([0.75, 0.25])
    assert (first.at, first.version, first.row) == (7.0, "3", ROW)
    assert first.id < second.id
    assert second.row["age"] == 2
    assert answer.classes == ("0", "1")


def test_a_value_comes_back_as_a_number(promote: Callable[..., Path]) -> None:
    answer = predictor_of(promote(2, Task.REGRESSION)).answer([ROW], at=7.0)
    assert answer.entries[0].prediction == 42.0
    assert answer.entries[0].scores == [42.0]
    assert answer.classes == ()


def test_unseen_categories_are_counted_and_extra_columns_are_left_out(promote: Callable[..., Path]) -> None:
    predictor = predictor_of(promote())
    answer = predictor.answer([{**ROW, "city": "Atlantis", "shoe": 1, "code": "c"}, ROW, {"age": 1}], at=0.0)
    assert answer.unseen == 1
    assert answer.warnings == ('column "shoe" is not part of the model and was ignored',)
    assert answer.entries[0].row == {**ROW, "city": "Atlantis", "code": "c"}


def test_requests_answered_together_are_told_what_they_would_be_told_alone(promote: Callable[..., Path]) -> None:
    predictor = predictor_of(promote())
    asks = [
        Ask([ROW, {**ROW, "age": 3}]),
        Ask([{**ROW, "age": "old"}]),
        Ask([{**ROW, "shoe": 1, "city": "Atlantis"}]),
        Ask([]),
        Ask([ROW], coverage=0.9),
        Ask([ROW], coverage=7.0),
        Ask([None]),
        Ask([{"age": 1}]),
    ]
    together = predictor.answers(asks, 5.0)
    for ask, told in zip(asks, together, strict=True):
        if isinstance(told, Exception):
            with pytest.raises(type(told), match=re.escape(str(told))):
                predictor.answer(ask.rows, 5.0, ask.coverage)
            continue
        alone = predictor.answer(ask.rows, 5.0, ask.coverage)
        assert [change(entry, id="") for entry in told.entries] == [change(e, id="") for e in alone.entries]
        assert replace(told, entries=[]) == replace(alone, entries=[])
    ids = [entry.id for told in together if isinstance(told, Answer) for entry in told.entries]
    assert len(set(ids)) == 5


def test_a_graph_that_fails_for_one_request_answers_the_others(promote: Callable[..., Path]) -> None:
    predictor = predictor_of(promote(2, Task.REGRESSION))
    session = predictor.bundle.session

    class Picky:
        def run(self, outputs: Any, feed: Any) -> Any:
            if (feed["numbers"][:, 0] == 13).any():
                raise RuntimeError("not thirteen")
            return session.run(outputs, feed)

    object.__setattr__(predictor.bundle, "session", Picky())
    given = predictor.answers([Ask([{"age": 1}]), Ask([{"age": 13}]), Ask([{"age": 2}])], 0.0)
    assert isinstance(given[1], RuntimeError)
    assert [told.entries[0].prediction for told in (given[0], given[2]) if isinstance(told, Answer)] == [3.0, 4.0]


def test_no_rows_no_answer(promote: Callable[..., Path]) -> None:
    assert predictor_of(promote()).answer([], at=0.0).entries == []


def test_rows_that_break_the_contract_are_refused(promote: Callable[..., Path]) -> None:
    with pytest.raises(ContractError) as caught:
        predictor_of(promote()).answer([ROW, {**ROW, "age": "old"}, 5], at=0.0)
    assert [(v.row, v.column) for v in caught.value.violations] == [(1, "age"), (2, "")]


def test_a_score_that_is_no_number_is_never_told(promote: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = predictor_of(promote())
    broken = type("Broken", (), {"contract": predictor.bundle.contract, "reader": predictor.bundle.reader})()
    broken.predict_blocks = lambda blocks: np.array([[np.nan, 0.5]], dtype=np.float32)
    monkeypatch.setattr(predictor, "bundle", broken)
    with pytest.raises(ArtificerError, match="not a number"):
        predictor.answer([ROW], at=0.0)


def test_values_carry_intervals_and_classes_sets_when_asked(promote: Callable[..., Path]) -> None:
    values = predictor_of(promote(2, Task.REGRESSION))
    answer = values.answer([ROW, {**ROW, "age": 60}], 0.0, coverage=0.85)
    assert (answer.coverage, answer.promised, answer.warnings) == (0.9, [[39.0, 45.0], [58.0, 66.0]], ())
    assert values.answer([ROW], 0.0).coverage is None
    assert values.answer([], 0.0, 0.8) == Answer([], (), coverage=0.8)
    classes = predictor_of(promote(3))
    assert classes.answer([ROW], 0.0, coverage=0.8).promised == [[0]]
    assert classes.answer([ROW], 0.0, coverage=0.9).promised == [[0, 1]]


def test_what_is_promised_is_what_the_bundle_promises_in_python(promote: Callable[..., Path]) -> None:
    values, classes = predictor_of(promote(2, Task.REGRESSION)), predictor_of(promote(3))
    rows = [{**ROW, "age": age} for age in range(0, 100, 7)]
    scores, _ = values.bundle.predict_rows(rows)
    expected = values.bundle.promise(0.9).intervals(scores[:, 0]).tolist()
    assert values.answer(rows, 0.0, 0.9).promised == expected
    scores, _ = classes.bundle.predict_rows(rows)
    assert classes.answer(rows, 0.0, 0.9).promised == classes.bundle.promise(0.9).sets(scores, [0, 1])


def test_too_few_rows_for_a_coverage_are_told(promote: Callable[..., Path]) -> None:
    answer = predictor_of(promote(2, Task.REGRESSION)).answer([{**ROW, "shoe": 1}], 0.0, coverage=0.95)
    assert answer.promised == [[None, None]]
    assert "are too few to promise 0.95" in answer.warnings[0]
    assert "shoe" in answer.warnings[1]


def test_a_coverage_that_cannot_be_promised_is_refused(promote: Callable[..., Path]) -> None:
    predictor = predictor_of(promote())
    with pytest.raises(UsageError, match=r"coverage must be a number from 0\.8 to 0\.95, not 0\.99"):
        predictor.answer([ROW], 0.0, coverage=0.99)
    with pytest.raises(UsageError, match="keeps no record of its errors"):
        predictor_of(promote(promises=False)).answer([ROW], 0.0, coverage=0.9)


@pytest.mark.parametrize("value", [1, 1.0, "1", " 1 "])
def test_outcomes_are_read_as_the_classes_are(promote: Callable[..., Path], value: object) -> None:
    assert predictor_of(promote()).outcomes([{"id": "a", "value": value}], at=5.0) == [OutcomeEntry("a", 5.0, 1)]


@pytest.mark.parametrize(
    ("item", "column"),
    [
        ({"id": "a", "value": 2}, "value"),
        ({"id": "a", "value": None}, "value"),
        ({"id": "a", "value": [1]}, "value"),
        ({"id": "a", "value": True}, "value"),
        ({"id": "a", "value": 10**6000}, "value"),
        ({"id": "a", "value": float("inf")}, "value"),
        ({"id": "", "value": 1}, "id"),
        ({"id": "a" * 201, "value": 1}, "id"),
        ({"id": 7, "value": 1}, "id"),
        ({"id": "a"}, ""),
        ({"id": "a", "value": 1, "note": "?"}, ""),
        ("a", ""),
        ([], ""),
        (None, ""),
    ],
)
def test_outcomes_that_the_target_cannot_have_are_refused(
    promote: Callable[..., Path], item: object, column: str
) -> None:
    with pytest.raises(ContractError) as caught:
        predictor_of(promote()).outcomes([{"id": "fine", "value": 0}, item], at=5.0)
    assert [(v.row, v.column) for v in caught.value.violations] == [(1, column)]


@pytest.mark.parametrize("value", ["12", True, None, 10**400, float("nan")])
def test_an_outcome_of_a_regression_is_a_finite_number(promote: Callable[..., Path], value: object) -> None:
    predictor = predictor_of(promote(task=Task.REGRESSION))
    assert predictor.outcomes([{"id": "a", "value": 3}], at=5.0) == [OutcomeEntry("a", 5.0, 3.0)]
    with pytest.raises(ContractError):
        predictor.outcomes([{"id": "a", "value": value}], at=5.0)


def test_ids_rise_and_never_repeat() -> None:
    ids = Ids()
    made = [name for count in (1, 5000, 1, 3) for name in ids.take(count)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(len(name) == 36 and name[14] == "7" and name[19] in "89ab" for name in made)
