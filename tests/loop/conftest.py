"""A small project whose world changes: y = a x + noise, and later y = b x + noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from artificer.problem.project import Project, open_project

TOML = """
requirements = []
[data]
source = "table.parquet"
target = "y"
[training]
budget = "4 fits"
metric = "rmse"
[monitoring]
min_rows = 100
[loop]
interval = "1s"
min_new_labels = 150
cooldown = "0s"
rollback_after = 60
"""


def rows(n: int, slope: float, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.choice(["a", "b", "c"], n)
    y = slope * x + (z == "a") * 2.0 + rng.normal(scale=0.3, size=n)
    return pl.DataFrame({"x": x, "z": z, "y": y})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "shop"
    folder.mkdir()
    rows(600, 1.0, seed=0).write_parquet(folder / "table.parquet")
    (folder / "artificer.toml").write_text(TOML)
    opened = open_project(folder)
    opened.prepare()
    return opened


@pytest.fixture
def live() -> Callable[[int, float, int], pl.DataFrame]:
    return rows
