"""The runner: budgets, samples with their error bound, and checks that fail or hang while the others go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from artificer.quality import run as runner
from artificer.quality.base import Check, Checked, Finding
from artificer.quality.run import margin, survey
from artificer.tables.prepare import prepare


class Counting(Check):
    name: ClassVar[str] = "counting"
    rows: ClassVar[int] = 2000

    def run(self, table: Checked) -> Iterator[Finding]:
        mask = table.numbers("a") > 1
        places = tuple(int(i) for i in np.flatnonzero(mask)[:5])
        count = int(mask.sum())
        yield Finding(self.name, "a", count, table.share(count), (), "info", "large ones", "leave them", False, places)


class Twins(Counting):
    name: ClassVar[str] = "twins"
    counts = "least"


class Raising(Check):
    name: ClassVar[str] = "raising"

    def run(self, table: Checked) -> Iterator[Finding]:
        yield Finding(self.name, None, 1, 0.1, (), "error", "half", "done")
        raise ValueError("the column\nis odd")


class Spinning(Check):
    name: ClassVar[str] = "spinning"
    seconds: ClassVar[float] = 0.1

    def run(self, table: Checked) -> Iterator[Finding]:
        while True:
            table.numbers("a")
        yield


class Waiting(Spinning):
    name: ClassVar[str] = "waiting"

    def run(self, table: Checked) -> Iterator[Finding]:
        time.sleep(3)
        yield from ()


def table(rows: int = 300) -> Checked:
    frame = pl.DataFrame({"a": np.random.default_rng(1).normal(size=rows), "y": ["u", "v"] * (rows // 2)})
    return Checked(frame, prepare(frame, target="y").contract)


def members(monkeypatch: pytest.MonkeyPatch, *kinds: type[Check]) -> None:
    monkeypatch.setattr(runner, "checks", lambda: {kind.name: kind for kind in kinds})


def test_what_fails_or_hangs_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    members(monkeypatch, Raising, Spinning, Waiting, Counting)
    monkeypatch.setattr(runner, "GRACE", 0.3)
    started = time.monotonic()
    found = survey(table())
    assert time.monotonic() - started < 2.5
    assert {run.name: run.state for run in found.runs} == {
        "raising": "failed",
        "spinning": "too slow",
        "waiting": "too slow",
        "counting": "done",
    }
    assert [(f.rule, f.examples) for f in found.findings] == [
        ("not_done", ("spinning",)),
        ("not_done", ("waiting",)),
        ("not_done", ("raising",)),
        ("counting", ()),
    ]
    assert "ValueError: the column is odd" in found.findings[2].evidence


def test_checks_without_time_left_are_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    members(monkeypatch, Counting, Twins)
    found = survey(table(), seconds=0.0)
    assert {run.state for run in found.runs} == {"no time left"}
    assert {f.rule for f in found.findings} == {"not_done"}


def test_a_sample_names_its_error_bound_and_rows_of_the_whole_table(monkeypatch: pytest.MonkeyPatch) -> None:
    members(monkeypatch, Counting, Twins)
    whole = table(10_000)
    found = {f.rule: f for f in survey(whole).findings}
    counted, twins = found["counting"], found["twins"]
    assert counted.sample is not None
    assert (counted.sample.rows, counted.sample.of) == (2000, 10_000)
    truth = float((whole.numbers("a") > 1).mean())
    assert counted.sample.margin is not None
    assert abs(counted.share - truth) <= counted.sample.margin < 0.03
    assert "in a sample of 2,000 of 10,000 rows; the share is within ±" in counted.evidence
    assert all(whole.numbers("a")[row] > 1 for row in counted.rows)
    assert twins.sample is not None
    assert twins.sample.margin is None
    assert "at least so many" in twins.evidence
    assert found["sampled"].count == 2000
    assert survey(whole).findings == survey(whole).findings


def test_rows_that_have_no_target_are_counted_in_the_places() -> None:
    frame = pl.DataFrame({"a": [5.0, None, 7.0, 8.0] * 30, "y": [None, 1.5, 2.5, 0.5] * 30})
    ready = prepare(frame, target="y")
    checked = Checked(ready.frame, ready.contract, places=ready.rows_used)
    found = {f.rule: f for f in survey(checked, only=["missing"]).findings}
    assert found["missing"].share == pytest.approx(1 / 3)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.97])
def test_the_margin_holds_nineteen_times_of_twenty(share: float) -> None:
    rng, total, n = np.random.default_rng(2), 20_000, 1000
    population = np.zeros(total, dtype=bool)
    population[: int(share * total)] = True
    seen = [population[rng.choice(total, n, replace=False)].mean() for _ in range(400)]
    held = np.mean([abs(s - share) <= margin(float(s), n, total) for s in seen])
    assert held >= 0.93
