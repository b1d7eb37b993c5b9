"""The real process on a loopback port, around the small bundles of the serving tests."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from artificer.types import Task

_place = Path(__file__).parents[1] / "serving" / "conftest.py"
_spec = importlib.util.spec_from_file_location("serving_bundles", _place)
assert _spec is not None
assert _spec.loader is not None
bundles = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bundles)


class Running:
    """A serving process and how to speak to it."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.journal = folder / "journal.sqlite"
        self.errors = folder / "stderr.txt"
        command = [sys.executable, "-m", "artificer.server", "--json", "--port", "0", *flags]
        command += ["--pointer", str(folder / "champion.json"), "--journal", str(self.journal)]
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        self.url = json.loads(line)["url"]
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def predict(self, *rows: Any) -> httpx.Response:
        return self.client.post("/v1/predict", json={"rows": list(rows)})

    def post(self, body: bytes, path: str = "/v1/predict", content_type: str = "application/json") -> httpx.Response:
        return self.client.post(path, content=body, headers={"content-type": content_type})

    def end(self) -> int:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture(scope="session")
def running_at() -> type[Running]:
    """Starts a service in a folder in which a version was promoted."""
    return Running


@pytest.fixture(scope="session")
def promote_at() -> Callable[..., Path]:
    """Promotes a version in a folder."""
    made: Callable[..., Path] = bundles.write
    return made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A classifier, shared by the tests of a file."""
    folder = tmp_path_factory.mktemp("served")
    bundles.write(folder, 3)
    running = Running(folder, "--max-body-mb", "20")
    yield running
    assert running.end() == 0


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A regression, shared by the tests of a file."""
    folder = tmp_path_factory.mktemp("regression")
    bundles.write(folder, 3, Task.REGRESSION)
    running = Running(folder)
    yield running
    assert running.end() == 0


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a service of the test's own."""
    started: list[Running] = []

    def start(*flags: str) -> Running:
        started.append(Running(tmp_path, *flags))
        return started[-1]

    yield start
    for running in started:
        running.end()


@pytest.fixture
def promote(tmp_path: Path) -> Callable[..., Path]:
    """Promotes a version in the test's own folder."""
    return partial(bundles.write, tmp_path)
