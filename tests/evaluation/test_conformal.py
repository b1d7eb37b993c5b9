"""Promised coverage: kept on generated data, nested, honest where rows are few, and refused where it is damaged."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artificer.bundle.conformal import LEVELS, Conformal
from artificer.errors import BundleDamagedError, UsageError
from artificer.evaluation.conformal import fit_conformal, measure_coverage, quantiles
from artificer.evaluation.evaluate import evaluate
from artificer.metrics.base import metric
from artificer.types import Doubles, Task

Data = tuple[NDArray[Any], Doubles]


def values(n: int, seed: int, *, growing: bool = True) -> Data:
    """Values whose noise grows with them, and the best prediction there is."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(1, 10, n)
    spread = truth / 3 if growing else np.ones(n)
    return truth + spread * rng.standard_t(5, n), truth[:, None]


def classes(n: int, seed: int, count: int, sure: float = 1.0) -> Data:
    """Classes drawn from known probabilities, stated as something surer or less sure than they are."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(count, 0.6), n)
    y = (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, count - 1)
    stated = np.maximum(p, 1e-6) ** sure
    return y, stated / stated.sum(axis=1, keepdims=True)


DATA: dict[str, tuple[Task, Any]] = {
    "values": (Task.REGRESSION, lambda n, seed: values(n, seed, growing=False)),
    "values of growing noise": (Task.REGRESSION, values),
    "two classes": (Task.BINARY, lambda n, seed: classes(n, seed, 2)),
    "five classes": (Task.MULTICLASS, lambda n, seed: classes(n, seed, 5)),
    "five classes, too sure": (Task.MULTICLASS, lambda n, seed: classes(n, seed, 5, 3.0)),
}


def covered(record: Conformal, level: float, y: NDArray[Any], scores: Doubles) -> NDArray[np.bool_]:
    promise = record.at(level)
    if record.task.is_classification:
        return promise.members(scores.astype(np.float32))[np.arange(len(y)), y]
    ends = promise.intervals(scores[:, 0].astype(np.float32))
    return (ends[:, 0] <= y) & (y <= ends[:, 1])


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_coverage_is_kept(kind: str, level: float) -> None:
    """Over 60 records, each on 200 new rows: what one record covers varies, the mean is promised."""
    task, make = DATA[kind]
    shares = []
    for seed in range(60):
        record = fit_conformal(*make(400, 2 * seed), task, seed=seed)
        assert record is not None
        shares.append(covered(record, level, *make(200, 2 * seed + 1)).mean())
    error = 4 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) > level - error
    if task is Task.REGRESSION:  # sets of whole classes may cover more than was asked for
        assert np.mean(shares) < level + error + 0.01


def test_intervals_follow_noise_that_grows_and_only_such() -> None:
    record = fit_conformal(*values(4000, 0), Task.REGRESSION)
    assert record is not None
    width = np.diff(record.at(0.9).intervals([1.5, 9.5]))[:, 0]
    assert width[1] > 3 * width[0]
    y, scores = values(4000, 1)
    inside = covered(record, 0.9, y, scores)
    for part in (scores[:, 0] < 3, scores[:, 0] > 8):
        assert inside[part].mean() == pytest.approx(0.9, abs=0.04)
    even = [fit_conformal(*values(2000, seed, growing=False), Task.REGRESSION) for seed in range(10)]
    assert sum(record is not None and not record.edges for record in even) >= 8


@pytest.mark.parametrize("kind", DATA)
def test_more_coverage_never_takes_anything_out(kind: str) -> None:
    task, make = DATA[kind]
    record = fit_conformal(*make(300, 0), task)
    assert record is not None
    _, scores = make(100, 1)
    promises = [record.at(level) for level in LEVELS]
    for less, more in pairwise(promises):
        if task.is_classification:
            assert (less.members(scores) <= more.members(scores)).all()
        else:
            inner, outer = less.intervals(scores[:, 0]), more.intervals(scores[:, 0])
            assert (outer[:, 0] <= inner[:, 0]).all()
            assert (inner[:, 1] <= outer[:, 1]).all()


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 10**6), st.sampled_from(LEVELS))
def test_a_set_is_never_empty_and_holds_the_likeliest_class_first(n: int, rows: int, seed: int, level: float) -> None:
    task = Task.BINARY if n == 2 else Task.MULTICLASS
    record = fit_conformal(*classes(rows, seed, n), task)
    assert record is not None
    _, scores = classes(50, seed + 1, n)
    sets = record.at(level).sets(scores, range(n))
    assert [found[0] for found in sets] == scores.argmax(axis=1).tolist()
    assert [sorted(found) for found in sets] == [
        np.flatnonzero(row).tolist() for row in record.at(level).members(scores)
    ]


def test_few_rows_promise_nothing_and_say_so() -> None:
    record = fit_conformal(*values(8, 0), Task.REGRESSION)
    assert record is not None
    promise = record.at(0.9)
    assert promise.intervals([3.0]).tolist() == [[-np.inf, np.inf]]
    assert promise.note == "8 rows that the model had not seen are too few to promise 0.9, so intervals are endless"
    assert record.at(0.8).note is None
    assert np.isfinite(record.at(0.8).intervals([3.0])).all()
    record = fit_conformal(*classes(8, 0, 3), Task.MULTICLASS)
    assert record is not None
    assert record.at(0.9).members(np.array([[1.0, 0.0, 0.0]])).all()
    assert "sets hold every class" in str(record.at(0.9).note)
    assert json.loads(json.dumps(record.to_json(), allow_nan=False)) == record.to_json()


def test_nine_rows_are_enough_for_nine_in_ten() -> None:
    assert quantiles(np.arange(9.0), [0.9]).tolist() == [8.0]
    assert quantiles(np.arange(8.0), [0.9]).tolist() == [np.inf]
    assert quantiles(np.arange(99.0), LEVELS)[-1] == 98.0


def test_rows_count_as_they_weigh() -> None:
    rng = np.random.default_rng(0)
    noisy = rng.random(4000) < 0.5
    y, scores = np.where(noisy, 10.0, 1.0) * rng.normal(size=4000), np.zeros((4000, 1))
    halves = {}
    for name, weight in (("none", None), ("equal", np.full(4000, 7.0)), ("calm", np.where(noisy, 0.0, 1.0))):
        record = fit_conformal(y, scores, Task.REGRESSION, weight=weight)
        assert record is not None
        assert record.weighted == (weight is not None)
        halves[name] = float(record.at(0.9).intervals([0.0])[0, 1])
    assert halves["none"] == halves["equal"]
    assert halves["calm"] == pytest.approx(1.645, abs=0.1)
    weight = np.where(noisy, 0.25, 1.0)
    record = fit_conformal(y, scores, Task.REGRESSION, weight=weight)
    assert record is not None
    hit = np.abs(y) <= record.at(0.9).intervals([0.0])[0, 1]
    assert np.average(hit, weights=weight) == pytest.approx(0.9, abs=0.01)
    measured = measure_coverage(record, y, scores, weight)[1]
    assert measured.measured == pytest.approx(np.average(hit, weights=weight))
    assert measured.low < 0.9 < measured.high


def test_values_that_are_met_exactly_stay_inside() -> None:
    y = np.linspace(1e5, 3e5, 500) / 7
    record = fit_conformal(y, y[:, None], Task.REGRESSION)
    assert record is not None
    assert covered(record, 0.5, y, y[:, None]).all()


def test_equal_probabilities_stay_on_one_side() -> None:
    y, scores = np.arange(300) % 3, np.full((300, 3), 1 / 3)
    record = fit_conformal(y, scores, Task.MULTICLASS)
    assert record is not None
    assert record.at(0.9).members(scores.astype(np.float32)).all()


def test_nothing_is_promised_without_rows() -> None:
    assert fit_conformal(np.zeros(0), np.zeros((0, 1)), Task.REGRESSION) is None


def test_nothing_is_promised_beside_quantiles() -> None:
    assert fit_conformal(np.zeros(50), np.zeros((50, 3)), Task.QUANTILE) is None


@pytest.mark.parametrize("coverage", [0.49, 0.995, 1, 0, -1.0, float("nan"), float("inf"), True, "0.9", None])
def test_other_coverages_are_refused(coverage: Any) -> None:
    record = fit_conformal(*values(50, 0), Task.REGRESSION)
    assert record is not None
    with pytest.raises(UsageError, match=r"coverage must be a number from 0\.5 to 0\.99, not"):
        record.at(coverage)


def test_a_coverage_between_two_levels_is_at_least_kept() -> None:
    record = fit_conformal(*values(500, 0), Task.REGRESSION)
    assert record is not None
    assert record.at(0.901).coverage == 0.91
    assert record.at(0.9).coverage == 0.9


DAMAGE: dict[str, Any] = {
    "no object": lambda r: [],
    "a key less": lambda r: r.pop("edges") and None,
    "an endless threshold": lambda r: r["thresholds"][0].__setitem__(0, float("inf")),
    "no number": lambda r: r["thresholds"][0].__setitem__(0, float("nan")),
    "a text": lambda r: r["thresholds"][0].__setitem__(0, "1"),
    "true": lambda r: r["thresholds"][0].__setitem__(0, True),
    "below zero": lambda r: r["thresholds"][0].__setitem__(0, -1.0),
    "a row less": lambda r: r["thresholds"].pop() and None,
    "a bin more": lambda r: r["thresholds"][0].append(1.0),
    "narrower for more": lambda r: r["thresholds"].reverse(),
    "levels that fall": lambda r: r["levels"].reverse(),
    "a level of one": lambda r: r["levels"].__setitem__(-1, 1.0),
    "no levels": lambda r: r.update(levels=[], thresholds=[]),
    "edges that fall": lambda r: r["edges"].reverse(),
    "an object for edges": lambda r: r.update(edges={}),
    "no rows": lambda r: r.update(rows=0),
    "a text for a flag": lambda r: r.update(ordered="no"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_record_is_refused(case: str) -> None:
    record = fit_conformal(*values(4000, 0), Task.REGRESSION)
    assert record is not None
    assert len(record.edges) > 1
    found = copy.deepcopy(record.to_json())
    assert Conformal.from_json(found, Task.REGRESSION) == record
    changed = DAMAGE[case](found)
    with pytest.raises(BundleDamagedError, match="train the model again"):
        Conformal.from_json(found if changed is None else changed, Task.REGRESSION)


def test_a_record_of_values_is_none_of_classes() -> None:
    record = fit_conformal(*values(4000, 0), Task.REGRESSION)
    assert record is not None
    with pytest.raises(BundleDamagedError):
        Conformal.from_json(record.to_json(), Task.BINARY)


def test_an_evaluation_measures_what_was_promised() -> None:
    record = fit_conformal(*values(20_000, 0), Task.REGRESSION)
    y, scores = values(1000, 1)
    found = evaluate(y, scores, [metric("rmse")], Task.REGRESSION, conformal=record)
    rows = found.to_json()["coverage"]
    assert [row["promised"] for row in rows] == [0.8, 0.9, 0.95]
    assert all(row["low"] < row["promised"] < row["high"] for row in rows)
    assert rows[0]["size"] < rows[1]["size"] < rows[2]["size"]
    assert not any("coverages" in note for note in found.notes)
    moved = evaluate(y + 5, scores, [metric("rmse")], Task.REGRESSION, conformal=record)
    assert any(note.endswith("read coverages with care.") for note in moved.notes)
    assert evaluate(y, scores, [metric("rmse")], Task.REGRESSION).to_json()["coverage"] == []


def test_an_endless_interval_has_no_mean_width() -> None:
    record = fit_conformal(*values(8, 0), Task.REGRESSION)
    assert record is not None
    found = measure_coverage(record, *values(50, 1))
    assert (found[2].measured, found[2].to_json()["size"]) == (1.0, None)


def test_chance_alone_seldom_raises_an_alarm() -> None:
    alarms = 0
    for seed in range(60):
        record = fit_conformal(*values(400, 2 * seed), Task.REGRESSION, seed=seed)
        found = evaluate(*values(100, 2 * seed + 1), [metric("mae")], Task.REGRESSION, conformal=record)
        alarms += any("coverages" in note for note in found.notes)
    assert alarms <= 3
