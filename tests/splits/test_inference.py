"""What rows show of entities, copies and times, and when they must show nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from artificer.errors import ConfigurationError
from artificer.splits.evidence import Table
from artificer.splits.plan import Named, SplitPlan, plan_split
from artificer.tables.prepare import prepare
from artificer.types import Ints

RNG = np.random.default_rng(7)


def table_of(frame: pl.DataFrame, target: str = "y") -> Table:
    ready = prepare(frame, target=target)
    return Table(ready.frame, ready.contract, ready.blocks, ready.y, ready.contract.task)


def plan_of(frame: pl.DataFrame, **named: Any) -> SplitPlan:
    return plan_split(table_of(frame), Named(**named))


def patients(each: int = 5, count: int = 80, body: float = 1.0) -> tuple[pl.DataFrame, Ints]:
    """Rows of patients who are ill or not, with signs that tell the patient rather than the illness."""
    rng = np.random.default_rng(0)
    who = rng.permutation(np.repeat(np.arange(count), each))
    ill = rng.integers(0, 2, count)[who]
    signs = body * rng.normal(size=(count, 4))[who] + 0.2 * rng.normal(size=(len(who), 4))
    frame = pl.DataFrame({"patient_id": [f"P{w:04}" for w in who], "y": ill})
    return frame.with_columns(pl.Series(f"sign{j}", signs[:, j]) for j in range(4)), who


def test_patients_stay_together() -> None:
    frame, who = patients()
    plan = plan_of(frame)
    assert (plan.kind, plan.entity, plan.apart) == ("group", "patient_id", True)
    assert plan.groups is not None
    assert len(np.unique(plan.groups * 1000 + who)) == len(np.unique(who)) == len(np.unique(plan.groups))
    assert "80 entities with 5.0 rows each" in plan.notes[0]
    assert plan_of(frame, choice="random").kind == "random"
    assert plan_of(frame, choice="random").evidence == ()


def test_patients_by_a_plain_number_in_blocks() -> None:
    frame, who = patients()
    numbered = frame.drop("patient_id").with_columns(pl.Series("who", who)).sort("who")
    assert plan_of(numbered).entity == "who"


@pytest.mark.parametrize("what", ["chance", "known features", "a category", "a measure"])
def test_other_columns_are_no_entities(what: str) -> None:
    frame, who = patients()
    n = frame.height
    if what == "chance":  # the key says nothing of the target
        frame = frame.with_columns(y=pl.Series(RNG.integers(0, 2, n)))
    elif what == "known features":  # they are named as features
        assert plan_of(frame, features=frozenset({"patient_id"})).entity is None
        return
    elif what == "a category":  # jobs pay differently, and those who have them differ in all else
        jobs = np.array(["baker", "smith", "nurse", "clerk", "pilot", "judge", "miner", "tailor", "cook", "guard"] * 8)
        frame = pl.DataFrame({"job": jobs[who], "age": RNG.normal(size=n), "y": who % 10 + RNG.normal(size=n)})
    else:
        size = RNG.integers(0, 60, n)
        frame = pl.DataFrame({"size": size, "x": RNG.normal(size=n), "z": RNG.normal(size=n), "y": size * 2.0})
    assert plan_of(frame).kind == "random"


def test_entities_that_go_on_are_split_by_time_alone() -> None:
    rng = np.random.default_rng(1)
    days = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 31), "1d", eager=True)
    shop = np.tile(np.arange(20), 31)
    level, size = rng.normal(size=20), rng.normal(size=(20, 3))
    frame = pl.DataFrame({"day": days.gather(np.repeat(np.arange(31), 20)), "shop_id": [f"S{s:03}" for s in shop]})
    frame = frame.with_columns(pl.Series(f"size{j}", size[shop, j]) for j in range(3))
    frame = frame.with_columns(y=pl.Series(level[shop] + 0.1 * rng.normal(size=620)))
    plan = plan_of(frame)
    assert (plan.kind, plan.time, plan.entity) == ("time", "day", None)
    assert [e.followed for e in plan.evidence] == [True, False]
    assert "100% of the newest rows" in plan.notes[1]


def test_entities_that_come_and_go_are_split_by_both() -> None:
    frame, who = patients()
    start = pl.Series(who) * 86_400_000
    frame = frame.with_columns(at=start.cast(pl.Datetime("ms"))).sort("at")
    plan = plan_of(frame)
    assert (plan.kind, plan.entity) == ("group and time", "patient_id")


def test_a_time_beside_a_named_group_counts_where_groups_do_not_go_on() -> None:
    frame, who = patients()
    frame = frame.with_columns(at=(pl.Series(who) * 86_400_000).cast(pl.Datetime("ms")))
    ordered, codes = frame.sort("at"), np.sort(who)
    assert plan_of(ordered, group="patient_id", groups=codes).kind == "group and time"
    everywhere = np.arange(frame.height) % 5
    kept = plan_of(ordered, group="g", groups=everywhere)
    assert kept.kind == "group"
    assert not kept.evidence[0].followed


def test_shuffled_hours_are_split_by_time() -> None:
    rng = np.random.default_rng(2)
    load = np.cumsum(rng.normal(size=1000))
    frame = pl.DataFrame({"at": pl.Series(3_600_000 * np.arange(1000)).cast(pl.Datetime("ms")), "y": load})
    frame = frame.with_columns(x=pl.Series(rng.normal(size=1000))).sample(fraction=1, shuffle=True, seed=1)
    plan = plan_of(frame)
    assert (plan.kind, plan.time) == ("time", "at")
    assert "not sorted" in plan.notes[0]


def test_birthdays_are_no_time_that_rows_happen_at() -> None:
    rng = np.random.default_rng(3)
    born = rng.integers(0, 20_000, 2000)
    frame = pl.DataFrame({"born": pl.Series(86_400_000 * born).cast(pl.Datetime("ms")), "x": rng.normal(size=2000)})
    assert plan_of(frame.with_columns(y=pl.Series(born / 1000 + rng.normal(size=2000)))).kind == "random"


def with_copies(n: int = 300, noise: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, 12))
    y = x[:, 0] + rng.normal(size=n)
    rows = np.concatenate([np.arange(n), np.arange(0, n, 3)])
    values = x[rows] + noise * rng.normal(size=(len(rows), 12))
    values[n:, 5] += 1  # one column of a copy may differ
    frame = pl.DataFrame({f"x{j}": values[:, j] for j in range(12)}).with_columns(y=pl.Series(y[rows]))
    return frame.sample(fraction=1, shuffle=True, seed=0)


@pytest.mark.parametrize("noise", [0.0, 1e-5])
def test_copies_are_on_one_side(noise: float) -> None:
    plan = plan_of(with_copies(noise=noise))
    assert (plan.kind, plan.apart) == ("group", False)
    assert plan.groups is not None
    assert 300 <= len(np.unique(plan.groups)) <= 302
    assert plan_of(with_copies(noise=noise), choice="time").kind == "time"


def test_equal_rows_of_a_coarse_table_are_no_copies() -> None:
    rng = np.random.default_rng(5)
    frame = pl.DataFrame({f"x{j}": rng.integers(0, 4, 500) for j in range(5)})
    assert frame.unique().height < 450
    assert plan_of(frame.with_columns(y=pl.Series(rng.normal(size=500)))).kind == "random"


def test_what_is_wanted_is_said() -> None:
    frame = pl.DataFrame({"x": RNG.normal(size=100), "y": RNG.normal(size=100)})
    with pytest.raises(ConfigurationError, match=r"name it as data\.group"):
        plan_of(frame, choice="group")
    by_place = plan_of(frame, choice="time")
    assert by_place.times is not None
    assert by_place.times.tolist() == list(range(100))
    assert "in the order they are in" in by_place.notes[0]


def test_a_gap_is_for_times_in_seconds() -> None:
    frame = pl.DataFrame({"x": RNG.normal(size=100), "y": RNG.normal(size=100)})
    plan = plan_of(frame, choice="time", gap=60.0)
    assert plan.gap == 0.0
    assert "no gap is left" in plan.notes[-1]
    seconds = 10 * np.arange(100)
    assert plan_of(frame, time="at", times=seconds, in_seconds=True, gap=60.0).gap == 60.0


@pytest.mark.parametrize("rows", [2, 3, 49])
def test_few_rows_show_nothing(rows: int) -> None:
    frame, _ = patients()
    assert plan_of(frame.sort("y").gather(np.linspace(0, 399, rows).astype(int))).kind == "random"


def test_the_same_table_gives_the_same_plan() -> None:
    frame, _ = patients()
    assert plan_of(frame).to_json() == plan_of(frame).to_json()


@pytest.mark.parametrize(("noise", "found"), [(0.03, True), (0.5, False)])
def test_measurements_of_one_thing_stay_together(noise: float, found: bool) -> None:
    rng = np.random.default_rng(6)
    things = rng.permutation(np.repeat(np.arange(150), 3))
    signs = rng.normal(size=(150, 20))[things] + noise * rng.normal(size=(450, 20))
    frame = pl.DataFrame({f"x{j}": signs[:, j] for j in range(20)})
    plan = plan_of(frame.with_columns(y=pl.Series(rng.integers(0, 2, 150)[things])))
    assert plan.kind == ("group" if found else "random")
    if plan.groups is not None:
        assert "measured repeatedly" in plan.notes[0]
        assert len(np.unique(plan.groups * 1000 + things)) == len(np.unique(plan.groups)) < 170


def test_a_long_text_that_stands_twice_is_a_copy() -> None:
    rng = np.random.default_rng(8)
    words = np.array(["tea", "box", "good", "stale", "again", "never", "sweet", "cheap", "taste", "price"])
    texts = [" ".join(rng.choice(words, 25)) for _ in range(200)]
    short = [" ".join(rng.choice(words, 3)) for _ in range(300)]
    frame = pl.DataFrame({"review": texts + texts[:20] + short})
    plan = plan_of(frame.with_columns(y=pl.Series(rng.integers(0, 2, 520))))
    assert plan.kind == "group"
    assert plan.groups is not None
    assert len(np.unique(plan.groups)) == 500
    assert plan_of(pl.DataFrame({"review": short, "y": rng.integers(0, 2, 300)})).kind == "random"


def test_a_category_that_decides_the_target_is_told_and_stays_a_feature() -> None:
    """Job titles set salaries, and the titles of tomorrow are those of today."""
    rng = np.random.default_rng(2)
    title = rng.integers(0, 150, 3000)
    pay, place = rng.normal(size=150)[title], rng.integers(0, 40, 150)[title]
    frame = pl.DataFrame(
        {
            "title": [f"Worker of kind {k}" for k in title],
            "place": [f"Office {k}" for k in place],
            "grade": (rng.integers(0, 30, 150)[title] + rng.integers(0, 2, 3000)).astype(str),
            "y": pay + 0.3 * rng.normal(size=3000),
        }
    )
    plan = plan_of(frame)
    assert (plan.kind, plan.entity) == ("random", None)
    assert all(not found.followed for found in plan.evidence)
