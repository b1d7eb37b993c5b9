"""Faults of the machine: too little time, a full disk, two processes at once, and kill -9 at the worst moments."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from artificer.bundle.pointer import read_pointer

Orders = Callable[..., dict[str, list[Any]]]

KILL_BEFORE_PLACING = """
import os, signal
place, real = {place!r}, os.replace
def replace(source, target, **more):
    if str(target).endswith(place):
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target, **more)
os.replace = replace
"""
KILL_AFTER_ALIAS = """
import os, signal
from mlflow.tracking import MlflowClient
real = MlflowClient.set_registered_model_alias
def alias(self, name, alias, version):
    real(self, name, alias, version)
    if alias == {alias!r}:
        os.kill(os.getpid(), signal.SIGKILL)
MlflowClient.set_registered_model_alias = alias
"""
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


def slowdown() -> float:
    """How much longer work takes here than the processor's own time for it: 1 on an idle machine."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", "sum(i * i for i in range(5_000_000))"], check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return max(1.0, wall / (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime))


def test_a_budget_of_one_second(artificer: Any, make_project: Any, orders: Orders, sound: Any) -> None:
    shop = make_project(orders(400))
    before = slowdown()
    answer = artificer.process("train", "--project", shop.dir, "--budget", "1s", "--json")
    document = answer.done()
    slow = max(before, slowdown())
    assert sum(stage["seconds"] for stage in document["stages"]) < 6 * slow
    # Besides the run itself: loading MLflow, registering, and the report.
    assert document["seconds"] < 10 * slow
    assert document["version"] == 1
    assert len(sound(shop.home)) >= 1
    assert sum(row["weight"] for row in document["leaderboard"]) == pytest.approx(1)
    assert document["gate"] in ("PASS", "FAIL", "UNDECIDABLE")


@pytest.mark.parametrize("size", [1_500, 20_000, 200_000])
def test_a_full_disk_while_training(size: int, artificer: Any, make_project: Any, orders: Orders, sound: Any) -> None:
    shop = make_project(orders(200))
    answer = artificer.process("train", "--project", shop.dir, "--json", code=LIMIT.format(size=size))
    assert str(shop.home) in answer.failed(1)
    assert not (shop.home / "champion.json").exists()
    assert [path for path in sound(shop.home) if path.parent.name == "bundles"] == []
    assert artificer("models", "--project", shop.dir, "--json").done()["models"] == []
    assert artificer("train", "--project", shop.dir, "--json").done()["version"] == 1


def test_a_full_disk_while_predicting(artificer: Any, two_versions: Path, tmp_path: Path) -> None:
    for suffix in ("parquet", "csv", "jsonl", "arrow"):
        output = tmp_path / f"scored.{suffix}"
        answer = artificer.process(
            *("predict", two_versions / "orders.csv", "-o", output, "--project", two_versions, "--json"),
            code=LIMIT.format(size=1_000),
        )
        assert output.name in answer.failed(1)
        assert list(tmp_path.iterdir()) == []


def test_two_processes_train_in_one_project(artificer: Any, make_project: Any, orders: Orders) -> None:
    shop = make_project(orders(200))
    first = artificer.start("train", "--project", shop.dir, "--json")
    try:
        assert first.stderr.readline() == "train: reading the data\n"
        answer = artificer("train", "--project", shop.dir, "--json")
        sentence = answer.failed(1)
        assert f"process {first.pid} has been training" in sentence
        assert str(shop.dir) in sentence
        assert answer.document["error"]["kind"] == "BusyError"
        out, err = first.communicate(timeout=120)
    finally:
        first.kill()
    assert first.returncode == 0, err
    assert json.loads(out)["version"] == 1
    assert artificer("train", "--project", shop.dir, "--json").done()["version"] == 2


def test_kill_midway_through_the_search(artificer: Any, make_project: Any, sound: Any) -> None:
    """The table is large enough for fits in processes of their own; none of them outlives the training."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6000, 12)).round(3)
    rows = {f"c{i}": values[:, i].tolist() for i in range(12)}
    rows["returned"] = np.where(values[:, 0] + rng.normal(size=6000) > 0, "yes", "no").tolist()
    shop = make_project(rows, settings='[training]\nbudget = "100 fits"')
    process = artificer.start("train", "--project", shop.dir)
    try:
        while "fold" not in (line := process.stderr.readline()):
            assert line, "the training ended before its first fold"
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
    finally:
        process.kill()
        process.communicate()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    assert sound(shop.home) == []
    assert not (shop.home / "champion.json").exists()
    assert artificer("train", "--project", shop.dir, "--budget", "2 fits", "--json").done()["version"] == 1


@pytest.mark.parametrize("place", ["model.artificer", "mlflow.db", "bundles/1.artificer", "champion.json"])
def test_kill_at_the_moment_a_file_appears(
    place: str, artificer: Any, make_project: Any, orders: Orders, sound: Any
) -> None:
    shop = make_project(orders(200))
    killed = artificer.process("train", "--project", shop.dir, code=KILL_BEFORE_PLACING.format(place=place))
    assert killed.code == -9, killed.err
    sound(shop.home)
    assert not (shop.home / "champion.json").exists()
    listed = artificer("models", "--project", shop.dir, "--json").done()["models"]
    assert len(listed) <= 1
    document = artificer("train", "--project", shop.dir, "--json").done()
    assert document["version"] == len(listed) + 1
    sound(shop.home)
    champion = read_pointer(shop.home / "champion.json").version
    (named,) = [
        model["version"]
        for model in artificer("models", "--project", shop.dir, "--json").done()["models"]
        if "champion" in model["aliases"]
    ]
    assert champion == named


@pytest.mark.parametrize(
    "code",
    [KILL_BEFORE_PLACING.format(place="champion.json"), KILL_AFTER_ALIAS.format(alias="champion")],
    ids=["before the pointer", "after the alias"],
)
def test_kill_while_promoting(code: str, artificer: Any, versions: Path, sound: Any) -> None:
    home, place = versions / ".artificer", ("--project", versions, "--json")
    killed = artificer.process("promote", 2, "--project", versions, code=code)
    assert killed.code == -9, killed.err
    sound(home)
    assert read_pointer(home / "champion.json").version == 1
    # Either way out must work: go through with it, or go back.
    assert artificer("promote", 2, *place).done()["version"] == 2
    assert read_pointer(home / "champion.json").version == 2
    assert artificer("rollback", *place).done()["version"] == 1
    assert read_pointer(home / "champion.json").version == 1
    assert artificer("promote", 2, *place).code == 0
    sound(home)


def test_a_damaged_champion_is_refused_and_can_be_replaced(artificer: Any, versions: Path, tmp_path: Path) -> None:
    home, place = versions / ".artificer", ("--project", versions, "--json")
    bundle = read_pointer(home / "champion.json").bundle_path(home / "champion.json")
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.unlink()
    bundle.write_bytes(data)
    command = ("predict", versions / "orders.csv", "-o", tmp_path / "o.csv", *place)
    assert bundle.name in artificer(*command).failed(1)
    assert artificer("promote", 2, *place).code == 0
    assert artificer(*command).done()["version"] == 2


@pytest.mark.parametrize("content", ["", "{", '{"format": 1}', "[]"])
def test_a_damaged_pointer(content: str, artificer: Any, versions: Path, tmp_path: Path) -> None:
    home, place = versions / ".artificer", ("--project", versions, "--json")
    (home / "champion.json").write_text(content)
    for command in (("predict", versions / "orders.csv", "-o", tmp_path / "o.csv"), ("monitor",), ("serve",)):
        assert "champion.json" in artificer(*command, *place).failed(1)
    assert artificer("promote", 1, *place).done()["version"] == 1
    assert artificer("monitor", *place).code == 0


def test_a_pointer_of_a_newer_artificer_is_left_alone(artificer: Any, versions: Path) -> None:
    pointer = versions / ".artificer" / "champion.json"
    pointer.write_text('{"format": 99}')
    assert "update Artificer" in artificer("promote", 2, "--project", versions, "--json").failed(1)
    assert pointer.read_text() == '{"format": 99}'


def test_a_home_that_cannot_be_made(artificer: Any, make_project: Any, orders: Orders) -> None:
    shop = make_project(orders(50))
    shop.home.write_text("in the way")
    assert str(shop.home) in artificer("train", "--project", shop.dir, "--json").failed(1)
    assert shop.home.read_text() == "in the way"
