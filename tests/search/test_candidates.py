"""Who may race."""

from __future__ import annotations

import subprocess
import sys

import pytest

from artificer.algorithms.base import algorithms
from artificer.errors import ConfigurationError
from artificer.search.candidates import checked, portfolio
from artificer.search.records import Candidate
from artificer.types import Task


def test_an_algorithm_without_its_library_stays_out_of_the_portfolio(monkeypatch):
    ridge = algorithms()["ridge"]
    assert ridge.available()
    monkeypatch.setattr(ridge, "requires", ("json", "no_such_library"))
    assert ridge.absent() == ("no_such_library",)
    names = {c.algorithm for c in portfolio(Task.REGRESSION, 10_000)}
    assert "ridge" not in names
    assert "lightgbm" in names


@pytest.mark.parametrize(("install", "command"), [("artificer[more]", "artificer[more]"), ("", "no_such_library")])
def test_asking_for_it_by_name_says_what_to_install(monkeypatch, install, command):
    ridge = algorithms()["ridge"]
    monkeypatch.setattr(ridge, "requires", ("no_such_library",))
    monkeypatch.setattr(ridge, "install", install)
    with pytest.raises(ConfigurationError) as refusal:
        checked((Candidate("mine", "ridge", {}, "linear"),), Task.REGRESSION)
    assert f"pip install '{command}'" in str(refusal.value)
    assert "no_such_library" in str(refusal.value)


@pytest.mark.parametrize(
    ("alone", "absent"), [(False, ("pyarrow", "matplotlib")), (True, ("pyarrow", "matplotlib", "sklearn"))]
)
def test_learners_are_loaded_without_what_their_libraries_would_like_to_have(
    alone: bool, absent: tuple[str, ...]
) -> None:
    code = (
        "import sys\n"
        "from artificer.search.libraries import FIRST, load\n"
        f"for name in FIRST: load(name, alone={alone})\n"
        "assert {'lightgbm', 'catboost', 'xgboost'} <= set(sys.modules)\n"
        f"assert not set({absent}) & set(sys.modules)\n"
        f"load('extra_trees', alone={alone})\n"
        "import sklearn.ensemble, pyarrow\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_learners_loaded_without_wrappers_fit_and_predict() -> None:
    code = """
import numpy as np
from artificer.algorithms.base import FitContext, algorithms
from artificer.search.libraries import FIRST, load
from artificer.types import Task
for name in (*FIRST, "extra_trees"):
    load(name, alone=True)
X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
y = (X[:, 0] > 0).astype(np.float64)
for name in (*FIRST, "extra_trees"):
    algorithm = algorithms()[name]()
    model = algorithm.fit(X, y, FitContext(Task.BINARY, 2), (X[:50], y[:50]))
    assert ((model.predict(X)[:, 1] > 0.5) == y).mean() > 0.9, name
"""
    subprocess.run([sys.executable, "-c", code], check=True)
