"""One small project that went through the whole of the command line, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Trained:
    """A project with two versions: its folder, its table, and what the commands that made it said."""

    project: Path
    table: Path
    init: Any
    first: Any
    second: Any


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, artificer: Any, orders: Callable[..., Any], csv_text: Callable[..., str]
) -> Trained:
    folder = tmp_path_factory.mktemp("cli")
    table, project = folder / "orders.csv", folder / "shop"
    table.write_text(csv_text(orders(300)))
    init = artificer("init", table, "--target", "returned", "--project", project, "--json")
    first = artificer("train", "--project", project, "--budget", "2 fits", "--json")
    second = artificer("train", "--project", project, "--budget", "1 fits", "--seed", 7, "--json")
    return Trained(project, table, init, first, second)
