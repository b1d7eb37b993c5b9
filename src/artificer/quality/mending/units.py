"""Numbers with a unit inside the cell, where the column does not agree on it: "12.0 oz", "12.0 oz.", "16 ounce"."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from artificer.quality.mending.sheet import Change, Column, Sheet
from artificer.tables.cells import canonical_text

CAUSE = "unit in a number"
NUMBERS = 0.9
"""So much of a column must be numbers, with or without a unit."""
SECOND = 0.02
"""A second way of writing is no slip of the pen when so many of the numbers show it."""
ONE_SCALE = 1.5
"""Medians further apart than this are two units and not one unit written twice: a mile is 1.6 km, a kilogram 2.2 lb."""
DIGITS = 15
"""Decimal digits that a double holds surely; more are noise of arithmetic."""
_NUMBER = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?)\s*(\D.{0,19}|)$")


def units(sheet: Sheet) -> Iterator[Change]:
    """Strip units from columns of numbers that write them in several ways, or that leave them out most often."""
    for column in sheet.columns.values():
        mapping = unit_map(column)
        change = column.to(mapping, CAUSE) if mapping else None
        if change is not None:
            yield change


def unit_map(column: Column) -> dict[str, str]:
    """The number of every text that has a unit; nothing where the column's units are one, or of different scales.

    Examples
    --------
    >>> import numpy as np
    >>> unit_map(Column("a", np.array(["12.0 oz", "12 oz.", "16.0 ounce", "16 oz"] * 20, dtype=object)))
    {'12 oz.': '12', '12.0 oz': '12', '16 oz': '16', '16.0 ounce': '16'}
    >>> unit_map(Column("a", np.array(["5 km", "3 mi", "8 km", "5 mi"] * 20, dtype=object)))
    {}
    >>> unit_map(Column("a", np.array(["37 patients", "21 patients"] * 20, dtype=object)))
    {}
    """
    if column.typed or not column.distinct:
        return {}
    read = {text: parts for text in column.distinct if (parts := _parts(text)) is not None}
    counts = dict(zip(column.distinct, column.counts.tolist(), strict=True))
    covered = sum(counts[text] for text in read)
    if covered < NUMBERS * column.present:
        return {}
    spellings: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for text, (number, unit) in read.items():
        spellings[unit].append((number, counts[text]))
    common = {unit for unit, seen in spellings.items() if sum(count for _, count in seen) >= SECOND * covered}
    if len(common) < 2 or not _one_scale({unit: spellings[unit] for unit in common}):
        return {}
    return {text: _written(number) for text, (number, unit) in read.items() if unit}


def unit_endings(column: Column) -> tuple[str, ...]:
    """The units that `unit_map` would strip, as they are written.

    Examples
    --------
    >>> unit_endings(Column("a", np.array(["12.0 oz", "12 oz.", "16"] * 20, dtype=object)))
    ('oz', 'oz.')
    """
    found = {parts[1] for text in unit_map(column) if (parts := _parts(text)) is not None}
    return tuple(sorted(found))


def _parts(text: str) -> tuple[float, str] | None:
    found = _NUMBER.match(text)
    if found is None or any(character.isdigit() for character in found[2]):
        return None
    return float(found[1]), found[2].strip()


def _written(number: float) -> str:
    return canonical_text(float(f"{number:.{DIGITS}g}"))


def _one_scale(spellings: Mapping[str, list[tuple[float, int]]]) -> bool:
    medians = [_median(seen) for seen in spellings.values()]
    low, high = min(medians), max(medians)
    return low == high or (low > 0 and high / low <= ONE_SCALE)


def _median(seen: list[tuple[float, int]]) -> float:
    numbers, counts = np.array([n for n, _ in seen]), np.array([c for _, c in seen])
    return float(np.median(np.repeat(numbers, counts)))
