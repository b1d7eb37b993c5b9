"""A project with two versions, made once and copied by the tests that break it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import read_pointer


@pytest.fixture(scope="session")
def two_versions(
    tmp_path_factory: pytest.TempPathFactory, artificer: Any, orders: Callable[..., Any], csv_text: Callable[..., str]
) -> Path:
    """The folder of a project whose champion is version 1; not to be changed."""
    folder = tmp_path_factory.mktemp("two") / "shop"
    folder.mkdir()
    (folder / "orders.csv").write_text(csv_text(orders(200)))
    (folder / "artificer.toml").write_text('[data]\nsource = "orders.csv"\ntarget = "returned"\n')
    for seed in (0, 1):
        artificer("train", "--project", folder, "--budget", "2 fits", "--seed", seed, "--json").done()
    artificer("promote", 1, "--project", folder, "--json").done()
    return folder


@pytest.fixture
def versions(two_versions: Path, tmp_path: Path) -> Path:
    """A copy of the project with two versions, to be broken; a project may be moved as a whole."""
    return Path(shutil.copytree(two_versions, tmp_path / "moved" / "shop"))


@pytest.fixture
def sound() -> Callable[[Path], list[Path]]:
    """Checks what other programs may see of a project's home; gives the bundles in it."""

    def check(home: Path) -> list[Path]:
        bundles = sorted(path for path in home.rglob("*.artificer") if not path.name.startswith("."))
        for path in bundles:
            load_bundle(path)
        pointer = home / "champion.json"
        if pointer.exists():
            found = read_pointer(pointer)
            load_bundle(found.bundle_path(pointer), sha256=found.sha256)
        return bundles

    return check
