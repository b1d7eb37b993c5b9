"""How members of a kind (encoders, algorithms, detectors, ...) are found: the files of a room, and entry points.

A room's folder is walked, so adding a member is adding a file; other packages add theirs through an entry point of the
group ``artificer.<kind>``, e.g. ``artificer.algorithms``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def members(package: str, base: type[T], group: str) -> dict[str, type[T]]:
    """Every concrete subclass of `base` under `package` or in the entry-point `group`, by its ``name``, sorted.

    Parameters
    ----------
    package : dotted name of the room, e.g. ``artificer.features``.
    base : the abstract class; each member has a ``name`` of its own.
    group : entry-point group that other packages add members to.

    Raises
    ------
    TypeError
        Two members share a name.
    """
    found: dict[str, type[T]] = {}

    def add(candidate: Any) -> None:
        if not (inspect.isclass(candidate) and issubclass(candidate, base)) or inspect.isabstract(candidate):
            return
        name = candidate.__dict__.get("name")
        if name is None:
            return
        if found.setdefault(name, candidate) is not candidate:
            raise TypeError(f"{candidate} and {found[name]} are both named {name!r}")

    room = importlib.import_module(package)
    for info in pkgutil.iter_modules(room.__path__, package + "."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if getattr(value, "__module__", None) == module.__name__:
                add(value)
    for point in entry_points(group=group):
        add(point.load())
    return dict(sorted(found.items()))
