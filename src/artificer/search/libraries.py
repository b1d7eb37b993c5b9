"""Loading a learner's library ahead of its fit, so that the fit's seconds are the fit's own."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache

from artificer.algorithms.base import Algorithm, algorithms

FIRST = ("catboost", "lightgbm", "xgboost", "extra_trees")
"""Strong learners in the order of what loading them takes; they share most of it, so the first one decides how soon
the first strong fit can start."""


def in_order() -> Iterator[str]:
    """Every registered algorithm, those first whose library is wanted first.

    Those that require an optional library are left out, see :func:`load`.
    """
    known = {name: algorithm for name, algorithm in algorithms().items() if not algorithm.requires}
    yield from (name for name in FIRST if name in known)
    yield from (name for name in known if name not in FIRST)


EXTRAS = ("pyarrow", "matplotlib", "plotly", "IPython", "dask", "graphviz")
"""What learners' libraries import where it is installed, to accept its tables and draw pictures. A fit is given NumPy
arrays, and every process that fits would carry a hundred megabytes of it."""


@cache
def load(name: str) -> None:
    """Import what the algorithm's file imports inside its functions.

    A library that is absent or broken is the fit's to report. One that is optional is the fit's to load, too: it may
    be large, and every later fit's process would begin with it.
    """
    found = algorithms().get(name)
    if found is None or found.requires:
        return
    with without_extras() if name in FIRST else nullcontext():
        for module in inner_imports(found):
            with suppress(Exception):
                importlib.import_module(module)


@contextmanager
def without_extras() -> Iterator[None]:
    """Let imports do without :data:`EXTRAS`, as on a machine that does not have them."""
    hidden = [name for name in EXTRAS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name, False) is None:
                del sys.modules[name]


def inner_imports(algorithm: type[Algorithm]) -> list[str]:
    """Modules outside this package that the algorithm's file imports, at its top or inside functions."""
    try:
        tree = ast.parse(inspect.getsource(inspect.getmodule(algorithm) or algorithm))
    except (OSError, TypeError, SyntaxError):
        return []
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found[node.module] = None
    return [name for name in found if name != "__future__"]
