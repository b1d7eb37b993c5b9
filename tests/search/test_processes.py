"""A fit may raise, hang, eat memory or die; the run hears of it and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from artificer.features.planning import plan
from artificer.search.processes import ProcessExecutor
from artificer.search.scratch import read_data, with_model, write_data
from artificer.search.search import prepare
from artificer.search.tasks import FitTask, MemoryStore, attempt, rows_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="fits are forked")


@pytest.fixture
def data(request_of):
    return prepare(request_of())[0]


def order(data, candidate, fold=0, number=1, **limits):
    spec = plan("linear", data.blocks, data.names, data.task, data.n_classes)
    return FitTask(number, candidate.name, candidate.algorithm, candidate.params, spec, fold, seed=0, **limits)


def test_a_fit_in_a_process_gives_what_it_gives_in_this_one(data, fakes, tmp_path):
    from artificer.clock import SystemClock

    plain = fakes("plain")
    here = attempt(order(data, plain), data, MemoryStore(), SystemClock())
    executor = ProcessExecutor(parent=tmp_path, modules=("search_fakes_in_worker",))
    with executor.open(data) as session:
        there = session.submit(order(data, plain)).result(60)
        whole = session.submit(order(data, plain, fold=None, number=2)).result(60)
        kept = with_model(whole)
        again = session.submit(order(data, plain, number=3)).result(60)
        assert list(tmp_path.iterdir())
    assert there.ok
    np.testing.assert_array_equal(there.scores, here.scores)
    assert there.peak_mb > 1
    assert whole.model is None, "it stays in its file"
    assert kept.model.outputs == ("scores",)
    assert kept.representation.outputs == ("features",)
    assert there.encode_seconds > 0
    assert again.encode_seconds == 0, "the second fit shares the first one's features"
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_every_way_to_fail_is_an_outcome_and_the_next_fit_runs(data, fakes, tmp_path):
    executor = ProcessExecutor(memory_mb=400, parent=tmp_path, modules=("search_fakes_in_worker",))
    with executor.open(data) as session:
        ends = {}
        for number, kind in enumerate(["raising", "dying", "hanging", "eating", "infinite", "plain"]):
            limits = {"hard_seconds": 0.5} if kind == "hanging" else {}
            ends[kind] = session.submit(order(data, fakes(kind), number=number, **limits)).result(60)
    assert ends["raising"].reason == "RuntimeError: the matrix is singular"
    assert "killed by signal 9" in ends["dying"].reason
    assert "terminate called" in ends["dying"].reason
    assert "0.5 s, its time limit" in ends["hanging"].reason
    assert "memory limit of 400 MiB" in ends["eating"].reason
    assert ends["eating"].peak_mb > 400
    assert "not finite" in ends["infinite"].reason
    assert [kind for kind, outcome in ends.items() if outcome.ok] == ["plain"]


def test_a_fit_can_be_stopped_and_a_dead_server_is_replaced(data, fakes, tmp_path):
    executor = ProcessExecutor(slots=2, parent=tmp_path, modules=("search_fakes_in_worker",))
    with executor.open(data) as session:
        hanging = session.submit(order(data, fakes("hanging")))
        session.stop(hanging)
        assert "stopped" in hanging.result(60).reason
        doomed = session.submit(order(data, fakes("hanging"), number=2))
        os.kill(session.server.pid, signal.SIGKILL)
        assert "worker process is gone" in doomed.result(60).reason
        assert session.submit(order(data, fakes("plain"), number=3)).result(60).ok


def test_a_server_that_was_replaced_already_still_answers_for_its_fits(data, fakes, tmp_path):
    executor = ProcessExecutor(parent=tmp_path, modules=("search_fakes_in_worker",))
    with executor.open(data) as session:
        doomed, old = session.submit(order(data, fakes("hanging"))), session.server
        session.server = session.start_server()
        os.kill(old.pid, signal.SIGKILL)
        assert "worker process is gone" in doomed.result(60).reason


def test_nothing_survives_the_death_of_the_run(fakes, tmp_path):
    program = tmp_path / "run.py"
    program.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np, time\n"
        "from pathlib import Path\n"
        "import search_fakes_in_worker\n"
        "from artificer.features.planning import plan\n"
        "from artificer.search.processes import ProcessExecutor\n"
        "from artificer.search.tasks import FitTask, TrainingData\n"
        "from artificer.types import Blocks, Kind, Task\n"
        "n = 40\n"
        "blocks = Blocks(np.random.rand(n, 2).astype('f4'), np.zeros((n, 0), object), np.zeros((n, 0), 'i8'))\n"
        "names = {Kind.NUMBERS: ['a', 'b'], Kind.STRINGS: [], Kind.TIMES: []}\n"
        "rows = np.arange(n)\n"
        "data = TrainingData(blocks, np.random.rand(n), Task.REGRESSION, 1, names, ((rows, rows),))\n"
        "spec = plan('linear', blocks, names, Task.REGRESSION, 1)\n"
        "executor = ProcessExecutor(parent=Path(sys.argv[2]), modules=('search_fakes_in_worker',))\n"
        "session = executor.start(data)\n"
        "session.submit(FitTask(1, 'h', 'fake_hanging', {}, spec, 0, 0))\n"
        "print(session.server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    here = os.path.dirname(__file__)
    run = subprocess.Popen([sys.executable, str(program), here, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    server = int(run.stdout.readline())
    assert wait_for(lambda: children_of(server)), "the fit is under way"
    fit = children_of(server)[0]
    run.kill()
    run.wait()
    run.stdout.close()
    assert wait_for(lambda: not alive(server) and not alive(fit))
    assert list(tmp_path.iterdir()) == [program], "the table is gone too"


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(child) for child in children.read().split()]
    except FileNotFoundError:
        return []


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_table_survives_the_way_through_the_folder(data, tmp_path):
    data.blocks.strings[:3, 0] = ["", "ünïcode \U0001f600", "a\x00b"]
    write_data(tmp_path, data)
    back = read_data(tmp_path)
    np.testing.assert_array_equal(back.blocks.numbers, data.blocks.numbers)
    assert back.blocks.strings.tolist() == data.blocks.strings.tolist()
    np.testing.assert_array_equal(back.blocks.times, data.blocks.times)
    assert back.names == data.names
    assert [(a.tolist(), b.tolist()) for a, b in back.folds] == [(a.tolist(), b.tolist()) for a, b in data.folds]


def test_a_task_survives_json(data, fakes):
    task = order(data, fakes("plain", blur=0.5), hard_seconds=3.0)
    assert FitTask.from_json(task.to_json()) == task


def test_a_sample_keeps_every_class(data, fakes):
    data.y[:] = 0
    data.y[data.folds[0][0][5]] = 1
    task = order(data, fakes("plain"), max_rows=20)
    train, _ = rows_of(task, data)
    assert 20 <= len(train) <= 22
    assert set(data.y[train]) == {0.0, 1.0}
