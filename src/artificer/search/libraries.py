"""Loading a learner's library ahead of its fit, so that the fit's seconds are the fit's own."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache

from artificer.algorithms.base import Algorithm, algorithms

FIRST = ("lightgbm", "xgboost", "catboost")
"""Strong learners in the order of what loading them takes: the first one decides how soon the first fit can start."""


EXTRAS = ("pyarrow", "matplotlib", "plotly", "IPython", "dask", "graphviz")
"""What learners' libraries import where it is installed, to accept its tables and draw pictures. A fit is given NumPy
arrays, and every process that fits would carry a hundred megabytes of it."""

WRAPPERS = ("pandas", "sklearn")
"""What boosting libraries import for classes that are not used here: 130 MB, and most of the time of loading them. They
are hidden in processes of our own alone, as a library that was loaded without them stays so."""

NEEDED = {"catboost": ("pandas",)}
"""What a library cannot do without: CatBoost compares whatever it is given with pandas' classes."""


@cache
def load(name: str, alone: bool = False) -> None:
    """Import what the algorithm's file imports inside its functions.

    `alone` says that this process does nothing but fit, so that libraries can do without :data:`WRAPPERS`, too.
    A library that is absent or broken is the fit's to report. One that is optional is the fit's to load, too: it may
    be large, and every later fit's process would begin with it.
    """
    found = algorithms().get(name)
    if found is None or found.requires:
        return
    modules = inner_imports(found)
    wanted = {module.split(".")[0] for module in modules} | set(NEEDED.get(name, ()))
    own = found.__module__.startswith("artificer.")  # others may want tables of a library
    with without([*EXTRAS, *(each for each in WRAPPERS if alone and each not in wanted)] if own else []):
        for module in modules:
            with suppress(Exception):
                importlib.import_module(module)


@contextmanager
def without(libraries: Sequence[str]) -> Iterator[None]:
    """Let imports do without some libraries, as on a machine that does not have them; loaded ones stay."""
    hidden = [name for name in libraries if name not in sys.modules]
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
