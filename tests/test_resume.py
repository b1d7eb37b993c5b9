"""A training that was killed is resumed from its finished fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from artificer import api
from artificer.loop.actions import CHECKPOINT
from artificer.problem.project import open_project
from artificer.search import resume


class Killed(BaseException):
    """Nothing but the end of the process is expected to catch this."""


def shop(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    table = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": x[:, 0] + 0.3 * rng.normal(size=200)})
    table.write_csv(folder / "shop.csv")
    api.init(str(folder / "shop.csv"), "y", project=folder / "shop")
    return folder / "shop"


def killed_after(monkeypatch: pytest.MonkeyPatch, project: Path, fits: int) -> None:
    keep, done = resume.Checkpoint.keep, []

    def keep_and_die(self: resume.Checkpoint, outcome: object) -> None:
        keep(self, outcome)  # type: ignore[arg-type]
        done.append(outcome)
        if len(done) == fits:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(resume.Checkpoint, "keep", keep_and_die)
        with pytest.raises(Killed):
            api.train_project(project, budget="8 fits")


def test_a_killed_training_is_resumed_and_one_of_a_changed_table_starts_anew(tmp_path, monkeypatch):
    project = shop(tmp_path)
    killed_after(monkeypatch, project, 3)
    left = [place.name for place in open_project(project).runs.iterdir()]
    assert len(left) == 1
    told: list[str] = []
    document = api.train_project(project, budget="8 fits", resume=True, progress=lambda text, *_: told.append(text))
    assert document["id"] == left[0]
    assert told[0] == f"resuming run {left[0]}"
    assert any("3 finished fits" in note for note in document["notes"])
    assert not (open_project(project).runs / left[0] / CHECKPOINT).exists(), "a finished run needs them no more"

    killed_after(monkeypatch, project, 2)
    (tmp_path / "shop.csv").write_text((tmp_path / "shop.csv").read_text() + "1.0,2.0,3.0\n")
    document = api.train_project(project, budget="8 fits", resume=True)
    assert any("the table is not the one of the run that was interrupted" in note for note in document["notes"])

    document = api.train_project(project, budget="8 fits", resume=True)
    assert any("no unfinished run" in note for note in document["notes"])
