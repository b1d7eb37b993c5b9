"""A comparison is fair: on rows the champion has not seen, in the order of time, undecided where it cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from artificer.loop import actions
from artificer.problem.project import Project, open_project
from artificer.training.row_hashes import TRAIN_FILE

Live = Callable[[int, float, int], pl.DataFrame]

pytestmark = pytest.mark.slow


def test_rows_the_champion_was_trained_on_are_left_out_of_the_comparison(project: Project, live: Live) -> None:
    first = actions.train_version(project, "one")
    assert first["promoted"]

    # The same table again: the same split, of which the champion has seen no test row.
    same = actions.fit(project, "same")
    again = actions.compare(project, same)
    assert again is not None
    assert again["left_out"] == 0
    assert again["rows"] == 120

    source = project.dir / "table.parquet"
    pl.concat([pl.read_parquet(source), live(60, 1.0, 5)]).write_parquet(source)
    grown = actions.fit(project, "grown")
    found = actions.compare(project, grown)
    assert found is not None
    test = pl.read_parquet(actions.run_folder(project, "grown") / "test.parquet")
    seen = pl.concat([live(600, 1.0, 0)]).join(
        pl.read_parquet(actions.run_folder(project, "one") / "test.parquet"), on=["x", "z", "y"], how="anti"
    )
    expected = test.join(seen, on=["x", "z", "y"], how="semi").height
    assert expected > 50, "the split was drawn anew"
    assert found["left_out"] == expected
    assert found["rows"] == test.height - expected
    assert f"{expected} of {test.height} test rows were left out" in found["reason"]

    (actions.run_folder(project, "one") / TRAIN_FILE).unlink()
    blind = actions.compare(project, grown)
    assert blind is not None
    assert blind["rows"] == test.height
    assert "is not known" in blind["reason"]


def test_a_champion_that_misses_a_column_leaves_the_comparison_undecided(project: Project) -> None:
    actions.train_version(project, "one")
    source = project.dir / "table.parquet"
    pl.read_parquet(source).drop("z").with_columns(w=pl.col("y") * 0.5).write_parquet(source)
    later = actions.train_version(project, "two")
    assert later["version"] == 2
    assert not later["promoted"]
    evidence = later["promotion"]["evidence"]["comparison"]
    assert evidence["verdict"] == "undecided"
    assert '"z"' in evidence["reason"]
    assert "artificer promote" in evidence["reason"]


def test_the_test_rows_are_kept_in_the_order_of_time(project: Project, live: Live) -> None:
    rng = np.random.default_rng(0)
    days = pl.Series("day", [datetime(2020, 1, 1) + timedelta(days=int(i)) for i in rng.permutation(400)])
    live(400, 1.0, 3).with_columns(days).write_parquet(project.dir / "table.parquet")
    toml = Path(project.dir) / "artificer.toml"
    toml.write_text(toml.read_text().replace('target = "y"', 'target = "y"\ntime = "day"'))
    actions.fit(open_project(project.dir), "timed")
    kept = pl.read_parquet(actions.run_folder(project, "timed") / "test.parquet")["day"]
    assert kept.is_sorted()
    assert kept.to_list() == days.sort().tail(len(kept)).to_list()
