"""Drift of a table: the false-alarm rate over all columns, power on named shifts, and bounds on the summary's size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from artificer.drift.detect import DriftReport, detect_drift, holm
from artificer.drift.reference import SCHEMA, category_summary, numeric_summary, summarise
from artificer.errors import BundleFormatError, DataError
from artificer.profile.bins import bin_counts
from artificer.types import FLOAT32_MAX, MISSING_STRING, MISSING_TIME, Blocks, Json, Kind, Task

NAMES = {
    Kind.NUMBERS: ["normal", "skewed", "count", "flag", "gaps"],
    Kind.STRINGS: ["city", "rare", "maybe"],
    Kind.TIMES: ["born", "ordered"],
}
CITIES = np.array(["Rome", "Oslo", "Bern", "Kyiv"], dtype=object)


def table(n: int, rng: np.random.Generator) -> Blocks:
    numbers = np.stack(
        [
            rng.normal(size=n),
            rng.lognormal(0, 1, n),
            rng.poisson(3, n),
            rng.random(n) < 0.2,
            np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
        ],
        axis=1,
    ).astype(np.float32)
    zipf = np.minimum(rng.zipf(1.6, n), 500).astype(str).astype(object)
    strings = np.stack(
        [
            rng.choice(CITIES, n, p=[0.5, 0.3, 0.15, 0.05]),
            zipf,
            np.where(rng.random(n) < 0.05, MISSING_STRING, rng.choice(CITIES, n)),
        ],
        axis=1,
    ).astype(object)
    times = rng.integers(0, 10**9, (n, 2))
    return Blocks(numbers, strings, times)


def scores_of(n: int, rng: np.random.Generator) -> NDArray[Any]:
    p = rng.beta(2, 5, n)
    return np.stack([1 - p, p], axis=1).astype(np.float32)


def reference_of(n: int = 5_000, seed: int = 0) -> Json:
    rng = np.random.default_rng(seed)
    found = summarise(
        table(n, rng), NAMES, scores_of(n, rng), task=Task.BINARY, classes=["no", "yes"], y=rng.integers(0, 2, n)
    )
    loaded: Json = json.loads(json.dumps(found, allow_nan=False))
    return loaded


def detect(reference: Json, blocks: Blocks, **more: Any) -> DriftReport:
    return detect_drift(reference, blocks, task=Task.BINARY, classes=["no", "yes"], **more)


@pytest.mark.parametrize(("rows_before", "rows"), [(5_000, 300), (400, 400)])
def test_family_wise_false_alarms(rows_before: int, rows: int) -> None:
    rng = np.random.default_rng(1)
    windows, alarms, drifted = 400, 0, 0
    for window in range(windows):
        if window % 20 == 0:
            reference = reference_of(rows_before, seed=window)
        report = detect(
            reference, table(rows, rng), scores=scores_of(rows, rng), y=rng.integers(0, 2, rows), alpha=0.05
        )
        assert len(report.columns) == 12
        alarms += any(column.significant for column in report.columns)
        drifted += report.verdict == "drifted"
    # The binomial(400, 0.05) exceeds 34 with probability 0.001.
    assert alarms <= 34
    assert drifted <= alarms


def shifted(name: str, blocks: Blocks, rng: np.random.Generator) -> str:
    numbers, strings, n = blocks.numbers, blocks.strings, len(blocks)
    if name == "mean":
        numbers[:, 0] += 0.5
        return "normal"
    if name == "scale":
        numbers[:, 0] *= 2
        return "normal"
    if name == "unit":
        numbers[:, 1] *= 100
        return "skewed"
    if name == "missing":
        numbers[rng.random(n) < 0.1, 0] = np.nan
        return "normal"
    if name == "flag":
        numbers[:, 3] = rng.random(n) < 0.4
        return "flag"
    if name == "swap":
        strings[:, 0] = rng.choice(CITIES, n, p=[0.3, 0.5, 0.15, 0.05])
        return "city"
    if name == "new":
        strings[rng.random(n) < 0.08, 0] = "Lima"
        return "city"
    strings[rng.random(n) < 0.2, 0] = MISSING_STRING
    return "city"


@pytest.mark.parametrize("name", ["mean", "scale", "unit", "missing", "flag", "swap", "new", "missing text"])
def test_power(name: str) -> None:
    rng = np.random.default_rng(2)
    reference = reference_of()
    found = 0
    for _ in range(20):
        blocks = table(500, rng)
        column = shifted(name, blocks, rng)
        report = detect(reference, blocks, scores=scores_of(500, rng), alpha=0.01)
        found += report.drifted == (column,)
    assert found >= 18


def test_score_drift_and_new_category_are_named() -> None:
    rng = np.random.default_rng(3)
    blocks = table(500, rng)
    blocks.strings[:60, 0] = "Lima"
    moved = scores_of(500, rng)[:, ::-1]
    report = detect(reference_of(), blocks, scores=moved)
    assert report.drifted == ("probability of yes", "city")
    city = next(column for column in report.columns if column.name == "city")
    assert city.new_categories == ("Lima",)
    assert '"Lima" is new' in city.sentence
    json.dumps(report.to_json(), allow_nan=False)


def test_a_trifle_on_many_rows_is_significant_but_not_drift() -> None:
    rng = np.random.default_rng(4)
    reference = reference_of(200_000)
    blocks = table(200_000, rng)
    blocks.numbers[:, 0] += 0.05
    column = detect(reference, blocks).columns[0]
    assert column.significant
    assert not column.drifted
    assert "too little to matter" in column.sentence


def test_a_small_window_says_so() -> None:
    report = detect(reference_of(), table(49, np.random.default_rng(5)))
    assert (report.verdict, report.columns, report.drifted) == ("too few rows", (), ())


def test_times_may_move_but_not_vanish() -> None:
    rng = np.random.default_rng(6)
    reference = reference_of()
    blocks = table(500, rng)
    blocks.times[:, 0] += 10**9
    assert detect(reference, blocks).drifted == ()
    blocks.times[:100, 1] = MISSING_TIME
    assert detect(reference, blocks).drifted == ("ordered",)


def test_moving_columns_are_not_compared() -> None:
    rng = np.random.default_rng(7)
    before = table(1_000, rng)
    reference = summarise(before, NAMES, task=Task.BINARY, moving=["normal"])
    blocks = table(500, rng)
    blocks.numbers[:, 0] += 5
    assert detect(reference, blocks).drifted == ()


def test_degenerate_columns() -> None:
    n = 300
    numbers = np.stack([np.full(n, np.nan), np.full(n, 7.0), np.full(n, FLOAT32_MAX)], axis=1).astype(np.float32)
    strings = np.full((n, 1), MISSING_STRING, object)
    blocks = Blocks(numbers, strings, np.full((n, 1), MISSING_TIME))
    names = {Kind.NUMBERS: ["nothing", "seven", "huge"], Kind.STRINGS: ["empty"], Kind.TIMES: ["never"]}
    reference = json.loads(json.dumps(summarise(blocks, names, task=Task.REGRESSION), allow_nan=False))
    assert detect_drift(reference, blocks, task=Task.REGRESSION).drifted == ()
    other = Blocks(np.zeros_like(numbers), np.full((n, 1), "x", object), np.zeros((n, 1), np.int64))
    assert set(detect_drift(reference, other, task=Task.REGRESSION).drifted) == {
        "nothing",
        "huge",
        "seven",
        "empty",
        "never",
    }


def test_multiclass_and_regression_scores() -> None:
    rng = np.random.default_rng(8)
    blocks = table(400, rng)
    scores = rng.dirichlet([5, 2, 1], 400)
    reference = summarise(blocks, NAMES, scores, task=Task.MULTICLASS, classes=["a", "b", "c"], y=scores.argmax(axis=1))
    report = detect_drift(reference, blocks, scores[:, ::-1], task=Task.MULTICLASS, classes=["a", "b", "c"])
    assert report.drifted == ("predicted class",)
    value = rng.normal(size=(400, 1))
    reference = summarise(blocks, NAMES, value, task=Task.REGRESSION, y=value[:, 0])
    report = detect_drift(reference, blocks, value + 1, task=Task.REGRESSION, y=value[:, 0])
    assert report.drifted == ("predicted value",)


def test_refusals() -> None:
    reference = reference_of(200)
    blocks = table(100, np.random.default_rng(9))
    with pytest.raises(DataError, match="contract of the same bundle"):
        detect(reference, Blocks(blocks.numbers[:, :2], blocks.strings, blocks.times))
    with pytest.raises(BundleFormatError, match="upgrade"):
        detect({**reference, "schema": "artificer.reference/9"}, blocks)
    assert reference["schema"] == SCHEMA


def test_counts_of_the_reference_itself_come_back() -> None:
    rng = np.random.default_rng(10)
    for values in (rng.normal(size=2_000), rng.integers(0, 5, 2_000), rng.lognormal(0, 5, 2_000), rng.zipf(1.5, 2_000)):
        summary = json.loads(json.dumps(numeric_summary(values.astype(np.float32))))
        assert bin_counts(values, summary["edges"]).tolist() == summary["counts"]
        assert sum(summary["counts"]) == 2_000


def test_size_is_bounded() -> None:
    rng = np.random.default_rng(11)
    n = 2_000
    words = np.array([f"{'category'}-{index:05d}" for index in range(n)], dtype=object)
    strings = np.stack([rng.permutation(words[: n // 2]).repeat(2) for _ in range(50)], axis=1)
    numbers = rng.normal(size=(n, 50)).astype(np.float32)
    names = {Kind.NUMBERS: [f"number {i}" for i in range(50)], Kind.STRINGS: [f"text {i}" for i in range(50)]}
    blocks = Blocks(numbers, strings, np.zeros((n, 0), np.int64))
    assert len(json.dumps(summarise(blocks, names, task=Task.REGRESSION))) < 200_000
    wide = Blocks(rng.normal(size=(100, 2_000)).astype(np.float32), np.zeros((100, 0), object), np.zeros((100, 0), int))
    names = {Kind.NUMBERS: [f"number {i}" for i in range(2_000)]}
    assert len(json.dumps(summarise(wide, names, task=Task.REGRESSION))) < 1_500_000


def test_long_categories_are_counted_as_others() -> None:
    values = np.array(["x" * 5_000] * 10 + ["y"] * 5, dtype=object)
    summary = category_summary(values)
    assert summary["categories"] == {"y": summary["rows"] - summary["other"]}
    assert (summary["also"], summary["distinct"]) == (["x" * 5_000], 2)


def test_holm() -> None:
    assert holm([0.5, 0.001, 0.02]) == pytest.approx([0.5, 0.003, 0.04])
    assert holm([]) == []


def test_texts_are_compared_by_their_length_and_by_what_is_missing() -> None:
    rng = np.random.default_rng(8)

    def said(n: int, most: int) -> Blocks:
        texts = np.array([[" ".join(["word"] * int(k))] for k in rng.integers(0, most, n)], dtype=object)
        return Blocks(np.zeros((n, 0), np.float32), np.zeros((n, 0), object), np.zeros((n, 0), np.int64), texts)

    reference = summarise(said(3_000, 12), {Kind.TEXTS: ["story"]}, task=Task.REGRESSION)
    assert detect(reference, said(600, 12)).drifted == ()
    longer = detect(reference, said(600, 30))
    assert longer.drifted == ("story",)
    assert "tokens" in longer.columns[0].sentence
    older = {**reference, "columns": []}  # summarised before texts fed models
    assert detect(older, said(600, 30)).columns == ()


def test_references_of_older_bundles_are_what_the_profile_makes_today() -> None:
    n = 60
    numbers = np.stack([np.random.default_rng(0).normal(size=n), np.arange(n) % 3], axis=1).astype(np.float32)
    numbers[::10, 0] = np.nan
    strings = np.array([["a"], ["b"], ["c"]] * 20, dtype=object)
    blocks = Blocks(numbers, strings, np.arange(n).reshape(-1, 1) * 86_400)
    names = {Kind.NUMBERS: ["x", "k"], Kind.STRINGS: ["s"], Kind.TIMES: ["t"]}
    older = json.loads(Path(__file__).with_name("reference_1.json").read_text(encoding="utf-8"))
    assert summarise(blocks, names, task=Task.BINARY, classes=["n", "y"], y=np.arange(n) % 2) == older
    assert detect(older, blocks, min_rows=10).verdict == "stable"
