"""What every quality check must hold to: it changes nothing, answers the same twice, speaks JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import polars as pl

from artificer.quality.base import Check, Checked, Finding
from artificer.tables.prepare import prepare


def odd_table(rows: int = 120) -> pl.DataFrame:
    """A table with one of nearly every trouble."""
    rng = np.random.default_rng(11)
    size = rng.normal(size=rows)
    return pl.DataFrame(
        {
            "size": np.where(np.arange(rows) == 3, np.inf, size),
            "again": np.where(np.arange(rows) == 3, np.inf, size),
            "mixed": ["?" if i == 5 else "word" if i == 7 else str(i % 9) for i in range(rows)],
            "key": [f"k{i:04d}" for i in range(rows)],
            "same": ["x"] * rows,
            "story": [f"once upon a time there was row {i}" for i in range(rows)],
            "sparse": [1.0 if i % 20 == 0 else None for i in range(rows)],
            "when": [None if i == 9 else f"2020-01-{i % 28 + 1:02d}" for i in range(rows)],
            "told": [("no", "yes")[i % 2] for i in range(rows)],
            "hue": [("red", "blue", "")[i % 3] for i in range(rows)],
            "sold": [("no", "yes")[i % 2] for i in range(rows)],
        }
    )


def _tables() -> list[Checked]:
    odd, rng = odd_table(), np.random.default_rng(5)
    made = []
    for target in ("sold", "hue", "size"):
        ready = prepare(odd, target=target, time="when")
        made.append(Checked(ready.frame, ready.contract))
    numbers = pl.DataFrame({"a": rng.normal(size=60), "y": rng.normal(size=60)})
    made.append(Checked(numbers, prepare(numbers, target="y").contract))
    tiny = pl.DataFrame({"a": [1.0, 2.0], "y": ["u", "v"]})
    made.append(Checked(tiny, prepare(tiny, target="y").contract))
    without_target = Checked(made[0].frame.drop("sold"), made[0].contract)
    return [*made, without_target]


def check_findings_are_sound(member: type[Check]) -> None:
    """Counts fit the table, the rule is the check's name, sentences are there, and JSON takes them."""
    for table in _tables():
        for finding in member().run(table):
            assert isinstance(finding, Finding)
            assert finding.rule == member.name
            assert finding.column is None or finding.column in table.frame.columns
            assert 0 <= finding.count <= table.frame.height
            assert 0.0 <= finding.share <= 1.0
            assert finding.severity in ("info", "warning", "error")
            assert len(finding.examples) <= 3
            assert finding.evidence
            assert finding.mend
            assert "\n" not in finding.evidence
            assert json.loads(json.dumps(finding.to_json(), allow_nan=False)) == finding.to_json()


def check_changes_nothing_and_repeats(member: type[Check]) -> None:
    """The table is as before, and a second run gives the same findings."""
    for table in _tables():
        frame, numbers = table.frame.clone(), table.blocks.numbers.copy()
        times = table.blocks.times.copy()
        first = list(member().run(table))
        assert list(member().run(table)) == first
        assert table.frame.equals(frame)
        np.testing.assert_array_equal(table.blocks.numbers, numbers)
        np.testing.assert_array_equal(table.blocks.times, times)


def check_stays_quiet_on_a_clean_table(member: type[Check]) -> None:
    """Nothing is found where nothing is wrong."""
    rng = np.random.default_rng(1)
    clean = pl.DataFrame(
        {
            "a": rng.normal(size=400),
            "b": rng.choice(["u", "v", "w"], size=400),
            "y": rng.choice(["no", "yes"], size=400),
        }
    )
    assert list(member().run(Checked(clean, prepare(clean, target="y").contract))) == []


CHECK_CHECKS: tuple[Callable[[type[Check]], None], ...] = (
    check_findings_are_sound,
    check_changes_nothing_and_repeats,
    check_stays_quiet_on_a_clean_table,
)
"""Run each with the class of every check."""
