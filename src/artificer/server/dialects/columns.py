"""Rows out of bodies that know no names or no types: lists of cells, and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from artificer.server.problems import Refusal
from artificer.tables.contract import Contract


def feature_names(contract: Contract) -> list[str]:
    """The columns that feed the model, in the order of the contract: what cells without names are taken for."""
    return [column.name for column in contract.columns if column.kind is not None]


def named(cells: Sequence[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Give the cells of every row their columns' names; Refusal where their numbers differ.

    Examples
    --------
    >>> named([[1, "a"], [2, "b"]], ["size", "colour"])
    [{'size': 1, 'colour': 'a'}, {'size': 2, 'colour': 'b'}]
    """
    rows = []
    for i, row in enumerate(cells):
        if not isinstance(row, (list, tuple)):
            shape(f"row {i} is no list of cells")
        if len(row) != len(names):
            shape(f"row {i} has {len(row)} cells, and there are {len(names)} columns: {', '.join(names)}"[:500])
        rows.append(dict(zip(names, row, strict=True)))
    return rows


def turned(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Make rows of columns; Refusal where their lengths differ.

    Examples
    --------
    >>> turned({"size": [1, 2], "colour": ["a", "b"]})
    [{'size': 1, 'colour': 'a'}, {'size': 2, 'colour': 'b'}]
    """
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f'"{name}" {length}' for name, length in list(lengths.items())[:10])
        shape(f"columns have different numbers of cells: {told}")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def shape(what: str) -> NoReturn:
    """Refuse a body for its shape."""
    raise Refusal(422, "shape", f"{what}; /docs shows what is taken")
