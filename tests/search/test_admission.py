"""Room in memory: what fits need, what there is, and what happens where there is too little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from artificer.search.admission import BASE_MB, MemoryModel, available_mb
from artificer.search.executor import InlineExecutor
from artificer.search.processes import ProcessExecutor
from artificer.search.records import Budget, Candidate
from artificer.search.search import run_search
from artificer.search.tasks import FitOutcome
from artificer.types import Kind

LOGISTIC = Candidate("logistic", "logistic", {}, "linear")
RIDGE = Candidate("ridge", "ridge", {}, "linear")


def peak(mb: float, rows: int, features: int) -> FitOutcome:
    return FitOutcome(SimpleNamespace(), ok=True, peak_mb=mb, rows=rows, features=features)  # type: ignore[arg-type]


def test_what_fits_took_replaces_the_guess():
    model = MemoryModel(limit_mb=2000.0, columns=20)
    guess = model.need_mb(RIDGE, 1_000_000)
    model.learn(RIDGE, peak(BASE_MB + 100, 100_000, 20))
    assert model.need_mb(RIDGE, 1_000_000) == pytest.approx(BASE_MB + 1150)
    assert model.need_mb(RIDGE, 1_000_000) != guess
    model.learn(RIDGE, peak(1e6, 10, 20))
    assert model.need_mb(RIDGE, 1_000_000) == pytest.approx(BASE_MB + 1150), "ten rows say nothing of a million"
    static = MemoryModel(limit_mb=2000.0, columns=20, learns=False)
    static.learn(RIDGE, peak(BASE_MB + 100, 100_000, 20))
    assert static.need_mb(RIDGE, 1_000_000) == guess


def test_two_fits_run_side_by_side_only_where_both_have_room():
    model = MemoryModel(limit_mb=1000.0, columns=20)
    rows = model.rows_that_fit(RIDGE, 10**9)
    assert model.fits(RIDGE, rows)
    assert not model.fits(RIDGE, rows + rows // 100)
    assert not model.fits(RIDGE, rows, taken_mb=model.need_mb(RIDGE, rows))
    assert model.fits(RIDGE, rows // 3, taken_mb=model.need_mb(RIDGE, rows // 3))


def system(folder: Path, groups: dict[str, tuple[str, int]]) -> Path:
    """A stand-in for the system's own files: 4 GiB available, this process in the group shop/train."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/meminfo").write_text("MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n", encoding="ascii")
    (folder / "proc/self/cgroup").write_text("0::/shop/train\n", encoding="ascii")
    for name, (limit, used) in groups.items():
        group = folder / "sys/fs/cgroup" / name
        group.mkdir(parents=True, exist_ok=True)
        (group / "memory.max").write_text(f"{limit}\n", encoding="ascii")
        (group / "memory.current").write_text(f"{used}\n", encoding="ascii")
    return folder


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({}, 4096.0),
        ({"shop/train": ("max", 5)}, 4096.0),
        ({"": (str(2**30), 2**28)}, 768.0),
        ({"shop": (str(2**30), 2**29), "shop/train": ("max", 0)}, 512.0),
        ({"shop/train": (str(2**30), 2**30)}, 128.0),
    ],
)
def test_what_is_available_is_the_least_of_the_machine_and_the_groups(tmp_path, groups, expected):
    assert available_mb(system(tmp_path, groups)) == pytest.approx(expected)


def test_a_candidate_without_room_is_skipped_and_the_leaderboard_says_why(request_of, fakes):
    options = (Candidate("lean", "lightgbm", {"rounds": 9, "max_rounds": 9}, "trees"), LOGISTIC)
    need = MemoryModel(1.0, columns=5).need_mb(LOGISTIC, 2 * 4000 // 3)
    request = request_of(n=4000, candidates=options, budget=Budget(fits=8))
    tight = run_search(replace(request, memory_mb=need - 0.01))
    rows = {r.name: r for r in tight.leaderboard.rows}
    assert (rows["logistic"].status, rows["logistic"].folds) == ("skipped", 0)
    assert rows["logistic"].reason == "skipped: would need 0.1 GiB of 0.1"
    assert [m.candidate.name for m in tight.members] == ["lean"]
    assert not any("memory" in note for note in tight.notes)
    assert {r.name: r for r in run_search(request).leaderboard.rows}["logistic"].folds > 0, "with room it runs"


def test_where_nothing_has_room_a_sample_is_taken_and_said(request_of, fakes):
    request = request_of(n=4000, candidates=(fakes("plain"),), budget=Budget(fits=20), memory_mb=BASE_MB + 0.2)
    result = run_search(request)
    assert [m.candidate.algorithm for m in result.members] == ["fake_plain"]
    assert any("memory limit" in note and "samples of" in note for note in result.notes)
    assert result.recipe["max_rows"] < 4000


def test_fits_that_eat_hang_and_raise_leave_the_run_its_model(request_of, fakes, tmp_path):
    executor = ProcessExecutor(slots=2, parent=tmp_path, modules=("search_fakes_in_worker",))
    options = (fakes("plain", "good"), fakes("eating", "eats"), fakes("raising", "raises"), fakes("hanging", "hangs"))
    request = request_of(candidates=options, budget=Budget(seconds=20), executor=executor, memory_mb=400.0)
    result = run_search(request)
    rows = {r.name: r for r in result.leaderboard.rows}
    assert [m.candidate.name for m in result.members] == ["good"]
    assert "above the memory limit of 400 MiB" in rows["eats"].reason
    assert rows["raises"].reason == "RuntimeError: the matrix is singular"
    assert rows["hangs"].folds == 0
    assert executor.memory_mb == 400.0


def test_a_large_table_is_trained_within_a_small_limit(request_of):
    rng = np.random.default_rng(0)
    request = request_of(n=15_000, k=3)
    wide = rng.normal(size=(15_000, 100)).astype(np.float32)
    blocks = replace(request.blocks, numbers=np.hstack([request.blocks.numbers, wide]))
    names = {**request.names, Kind.NUMBERS: [*request.names[Kind.NUMBERS], *(f"w{j}" for j in range(100))]}
    limit = BASE_MB + wide.nbytes / 2**20  # the learners need several times the table beside what is always needed
    options = (Candidate("lightgbm", "lightgbm", {"rounds": 20, "max_rounds": 20}, "trees"), LOGISTIC)
    result = run_search(
        replace(
            request,
            blocks=blocks,
            names=names,
            candidates=options,
            budget=Budget(fits=4),
            memory_mb=limit,
            executor=InlineExecutor(),
        )
    )
    assert [m.candidate.name for m in result.members] == ["lightgbm"]
    assert any("memory limit" in note for note in result.notes)
    assert {r.name: r.reason for r in result.leaderboard.rows}["logistic"].startswith("skipped: would need")
