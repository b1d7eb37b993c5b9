"""Objects within objects become columns of dotted names; what has no fixed shape stays JSON in one cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_KEYS = 200
"""An object with more different keys than this, few of them in any one row, is a dictionary and no record."""
THINLY = 0.1
SHOWN = 5


class Flattener:
    """Flattens rows under one set of rules, which are settled from the rows it was made with.

    Examples
    --------
    >>> rows = [{"id": 1, "user": {"name": "Ann", "tags": [1, 2]}}, {"id": 2, "user": "gone"}]
    >>> flat = Flattener(rows)
    >>> [flat.row(row) for row in rows]
    [{'id': 1, 'user.name': 'Ann', 'user.tags': [1, 2]}, {'id': 2, 'user': 'gone'}]
    >>> flat.notes(2)
    ('1 nested object ("user") was flattened into columns like "user.name"', \
'not every row has the same keys: "user.name" is in 1 of 2 rows, "user.tags" in 1, "user" in 1')
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.kept = frozenset(_dictionaries(rows))
        self.objects: dict[str, str] = {}
        self.listed: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """One row with every object in it opened."""
        flat: dict[str, Any] = {}
        for name, value in self._cells(row, ""):
            free = name
            number = 2
            while free in flat:  # {"a.b": 1, "a": {"b": 2}}
                free = f"{name}_{number}"
                number += 1
            flat[free] = value
        self.counts.update(flat.keys())
        return flat

    def notes(self, rows: int) -> tuple[str, ...]:
        """What was done to `rows` rows, one sentence each."""
        found = []
        if self.objects:
            names = _listed(list(self.objects))
            plural = "objects" if len(self.objects) > 1 else "object"
            was = "were" if len(self.objects) > 1 else "was"
            found.append(
                f"{len(self.objects)} nested {plural} ({names}) {was} flattened into columns like "
                f'"{next(iter(self.objects.values()))}"'
            )
        if self.kept:
            found.append(
                f"the keys of {_listed(sorted(self.kept))} differ from row to row like a dictionary's: it stays JSON"
            )
        for name, count in self.listed.items():
            found.append(f'column "{name}": {count:,} lists of objects stay JSON text')
        some = [(name, count) for name, count in self.counts.items() if count < rows]
        if some:
            (first, count), *others = sorted(some, key=lambda item: item[1])[:SHOWN]
            shown = f'"{first}" is in {count:,} of {rows:,} rows' + "".join(f', "{n}" in {c:,}' for n, c in others)
            more = f", and {len(some) - SHOWN} more" if len(some) > SHOWN else ""
            found.append(f"not every row has the same keys: {shown}{more}")
        return tuple(found)

    def _cells(self, value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
        for key, cell in value.items():
            name = f"{path}{key}"
            if isinstance(cell, dict) and cell and name not in self.kept:
                self.objects.setdefault(name, f"{name}.{next(iter(cell))}")
                yield from self._cells(cell, f"{name}.")
            else:
                if isinstance(cell, list) and any(isinstance(item, dict) for item in cell):
                    self.listed[name] += 1
                yield name, cell if cell != {} else None


def _dictionaries(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Paths of objects with very many different keys, few of them in any one."""
    keys: dict[str, set[str]] = {}
    seen: Counter[str] = Counter()
    sizes: Counter[str] = Counter()

    def look(value: Mapping[str, Any], path: str) -> None:
        for key, cell in value.items():
            if isinstance(cell, dict):
                name = f"{path}{key}"
                keys.setdefault(name, set()).update(cell)
                seen[name] += 1
                sizes[name] += len(cell)
                look(cell, f"{name}.")

    for row in rows:
        look(row, "")
    for name, found in keys.items():
        if len(found) > MOST_KEYS and sizes[name] < THINLY * len(found) * seen[name]:
            yield name


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
