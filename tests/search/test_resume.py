"""A run that was killed or interrupted is taken up where it stood."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from artificer.search.processes import ProcessExecutor
from artificer.search.records import Budget
from artificer.search.resume import Checkpoint, fingerprint, key_of
from artificer.search.search import prepare, run_search
from artificer.search.tasks import FitTask


def told(result):
    rows = [(r.name, r.score, r.weight, r.folds, r.status) for r in result.leaderboard.rows]
    return rows, result.oof_scores.tolist(), [part.model.model for m in result.members for part in m.parts], result.fits


def fits_of(folder: Path) -> set[str]:
    return {place.name for place in folder.iterdir() if (place / "meta.json").exists()}


def test_a_second_run_takes_up_every_fit_of_the_first_and_comes_to_the_same(request_of, fakes, tmp_path):
    options = tuple(fakes("plain", f"p{i}", blur=0.3 * i) for i in range(4))
    request = request_of(candidates=options, budget=Budget(fits=14))
    plain = run_search(request)
    first = run_search(replace(request, checkpoint=tmp_path / "fits"))
    written = {place: place.stat().st_mtime_ns for place in (tmp_path / "fits").iterdir() if place.is_dir()}
    assert len(written) >= 6
    second = run_search(replace(request, checkpoint=tmp_path / "fits"))
    assert told(plain) == told(first) == told(second)
    assert {place: place.stat().st_mtime_ns for place in (tmp_path / "fits").iterdir() if place.is_dir()} == written
    assert any(f"{len(written)} finished fits" in note for note in second.notes)
    assert not any("finished fits" in note for note in first.notes)
    files = {path.suffix for path in (tmp_path / "fits").rglob("*") if path.is_file()}
    assert files <= {"", ".json", ".npy", ".onnx"}


def test_fits_of_another_table_are_not_taken_up(request_of, fakes, tmp_path):
    request = request_of(candidates=(fakes("plain"),), budget=Budget(fits=4), checkpoint=tmp_path)
    run_search(request)
    before = fits_of(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("kept", encoding="utf-8")
    other = run_search(replace(request, y=1 - request.y))
    assert any("not the one of the run that was interrupted" in note for note in other.notes)
    assert len(fits_of(tmp_path)) == len(before), "the first table's fits are gone"
    assert (tmp_path / "notes" / "mine.txt").exists(), "what no run has written stays"


def test_every_part_of_a_table_is_in_its_fingerprint(request_of):
    request = request_of()
    data, _ = prepare(request)
    blocks = data.blocks
    strings = blocks.strings.copy()
    strings[0, 0] = "violet"
    changed = [
        replace(data, y=data.y + 1),
        replace(data, folds=data.folds[:2]),
        replace(data, weight=np.ones(len(data.y))),
        replace(data, blocks=replace(blocks, numbers=blocks.numbers + 1)),
        replace(data, blocks=replace(blocks, strings=strings)),
        replace(data, blocks=replace(blocks, times=blocks.times + 1)),
    ]
    assert len({fingerprint(each) for each in (data, *changed)}) == 1 + len(changed)
    assert fingerprint(prepare(request_of())[0]) == fingerprint(data)


def test_a_fit_is_known_by_what_its_result_depends_on(request_of):
    data, _ = prepare(request_of())
    from artificer.features.planning import plan

    spec = plan("linear", data.blocks, data.names, data.task, 2)
    task = FitTask(1, "a", "ridge", {"x": 1}, spec, 0, 0)
    assert key_of(task) == key_of(replace(task, id=9, threads=4, keep_model=True, soft_seconds=3.0))
    others = [replace(task, fold=1), replace(task, params={"x": 2}), replace(task, seed=1), replace(task, max_rows=9)]
    assert len({key_of(each) for each in (task, *others)}) == 5


@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_damaged_fit_is_done_again(request_of, fakes, tmp_path, damage):
    request = request_of(candidates=(fakes("plain", "p"),), budget=Budget(fits=4), checkpoint=tmp_path)
    first = run_search(request)
    for name in fits_of(tmp_path):
        file = tmp_path / name / "scores.npy"
        file.write_bytes(file.read_bytes()[:90] if damage == "cut" else b"")
    second = run_search(request)
    assert told(first) == told(second)


def test_an_interrupted_run_keeps_its_model_and_its_fits(request_of, fakes, tmp_path):
    good, bad = fakes("plain", "good", cost=0.001), fakes("interrupting", "bad", cost=0.5)
    result = run_search(request_of(candidates=(good, bad), checkpoint=tmp_path))
    assert [m.candidate.name for m in result.members] == ["good"]
    found = run_search(request_of(candidates=(good, fakes("plain", "bad", blur=2.0)), checkpoint=tmp_path))
    assert any("finished fits" in note for note in found.notes)


KILLED = """
import sys, os, signal
sys.path.insert(0, {tests!r})
from pathlib import Path
from artificer.search import resume
from artificer.search.search import run_search
from artificer.search.processes import ProcessExecutor
import killed_request
keep, done = resume.Checkpoint.keep, []
def keep_and_die(self, outcome):
    keep(self, outcome)
    done.append(outcome)
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
resume.Checkpoint.keep = keep_and_die
run_search(killed_request.request(Path({folder!r})))
"""


def test_a_run_killed_with_signal_9_is_taken_up(tmp_path):
    tests = str(Path(__file__).parent)
    code = KILLED.format(tests=tests, folder=str(tmp_path / "fits"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    kept = fits_of(tmp_path / "fits")
    assert len(kept) == 3
    import killed_request

    again = run_search(killed_request.request(tmp_path / "fits"))
    whole = run_search(killed_request.request(None))
    assert told(again) == told(whole)
    assert kept < fits_of(tmp_path / "fits")
    assert any("3 finished fits" in note for note in again.notes)


def test_fits_in_processes_are_kept_with_their_models(request_of, fakes, tmp_path):
    executor = ProcessExecutor(slots=2, parent=tmp_path, modules=("search_fakes_in_worker",))
    request = request_of(
        candidates=(fakes("plain", "a"), fakes("plain", "b", blur=0.5)),
        budget=Budget(seconds=60),
        executor=executor,
        checkpoint=tmp_path / "fits",
    )
    run_search(request)
    data, _ = prepare(request)
    checkpoint, _ = Checkpoint.open(tmp_path / "fits", data)
    metas = [json.loads((tmp_path / "fits" / name / "meta.json").read_text()) for name in fits_of(tmp_path / "fits")]
    assert metas
    assert all(meta["ok"] and meta["rows"] for meta in metas)
    assert any((tmp_path / "fits" / name / "model.onnx").exists() for name in fits_of(tmp_path / "fits"))
    assert checkpoint.taken_up == 0
