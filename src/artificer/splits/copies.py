"""Rows that are copies of each other: equal, or almost equal, in so many columns that chance does not do it.

A copy on the other side of a split is a question whose answer was seen. Tables with few or coarse columns hold equal
rows by chance, and production will, too; there nothing is to be kept apart. The two are told from each other by what
comes next: the nearest row that is no copy differs in many columns, while around a chance equality there are rows that
differ in one or two.

References
----------
Indyk, P. and Motwani, R. Approximate nearest neighbors: towards removing the curse of dimensionality. STOC 1998 (rows
that are near fall into equal cells of a grid; several grids find those that one of them parts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artificer.splits.evidence import Evidence, Table
from artificer.types import MISSING_TIME, Ints, Kind

Hashes: TypeAlias = NDArray[np.uint64]

FEWEST_ROWS = 50
STEPS = 500.0
"""Numbers are almost equal where they differ by less than about this part of the spread of their column."""

SPREAD_ROWS = 20_000
"""The spread of a column is that of so many of its rows."""

BANDS = 10
"""Columns are dealt to so many bands; copies agree in all of them but one. With fewer columns they agree in all."""

LARGE = 200_000
"""Of tables with more rows only such copies are looked for as agree in all columns."""

FEWEST_COLUMNS = 4
MOST_COPIES = 50
"""More rows alike are a usual row."""

LEAST_SHARE = 0.01
"""Copies that are a smaller share of the rows change no score that anybody would notice."""

ALONE = 0.3
"""The nearest row that is no copy differs in this share of the columns, half of the time or more."""

COARSE_STEPS = 8.0
"""Repeated measurements scatter: on a coarse grid most of their numbers fall into one cell all the same."""

FEWEST_MEASURED, MOST_ROWS = 6, 100_000
"""Columns that are needed for that, and rows up to which it is done."""

PROBES, PROBED = 24, 8
"""So many times rows are looked for that agree in so many columns drawn at random."""

SAME = 0.7
"""They are the same if they agree in this share of all columns, and the nearest others differ in half of them."""

OTHERS = 0.5
REPEATED_SHARE = 0.3
"""Where things are measured repeatedly a large share of the rows is."""

LONG_TEXT = 80
"""Characters from which on equal texts are copies."""

ASKED, LEAST_ASKED, CELLS = 300, 40, 3e8
"""Rows whose nearest others are looked for: fewer where the table has more cells."""


@dataclass(frozen=True, slots=True)
class Copies:
    """What speaks for copies, and a code for each row's set of copies (n,); rows without one are a set each."""

    evidence: Evidence
    codes: Ints


def find_copies(table: Table, seed: int = 0) -> Copies | None:
    """Find sets of rows that are copies of each other; None where there are none, or too few to matter.

    Examples
    --------
    >>> import polars as pl
    >>> from artificer.tables.prepare import prepare
    >>> rng = np.random.default_rng(0)
    >>> x = np.repeat(rng.normal(size=(100, 6)), 2, axis=0)
    >>> frame = pl.DataFrame({**{f"x{j}": x[:, j] for j in range(6)}, "y": rng.normal(size=200)})
    >>> ready = prepare(frame, target="y")
    >>> found = find_copies(Table(ready.frame, ready.contract, ready.blocks, ready.y, ready.contract.task))
    >>> len(np.unique(found.codes)), found.evidence.numbers["rows"]
    (100, 200.0)
    """
    if len(table.blocks) < FEWEST_ROWS:
        return None
    rng = np.random.default_rng(seed)
    return _same_rows(table, rng) or _same_things(table, rng) or _same_texts(table)


def _same_rows(table: Table, rng: np.random.Generator) -> Copies | None:
    columns = _cells(table, STEPS)
    if len(columns) < FEWEST_COLUMNS:
        return None
    what = "copies of others, equal or almost so in nearly all of"
    return _told(columns, _linked(columns, rng), rng, LEAST_SHARE, ALONE, what)


def _same_things(table: Table, rng: np.random.Generator) -> Copies | None:
    """Rows of things that were measured repeatedly."""
    if len(table.blocks) > MOST_ROWS or table.blocks.numbers.shape[1] < FEWEST_MEASURED:
        return None
    columns = _cells(table, COARSE_STEPS)
    if len(columns) < FEWEST_MEASURED:
        return None
    what = "measured repeatedly, as they agree roughly with others in most of"
    return _told(columns, _alike(columns, rng), rng, REPEATED_SHARE, OTHERS, what)


def _same_texts(table: Table) -> Copies | None:
    """Rows that share a text so long that nobody writes it twice."""
    for j, name in enumerate(table.names(Kind.TEXTS)):
        texts = table.blocks.texts[:, j].tolist()
        codes = _codes(np.array([t if len(t) >= LONG_TEXT else f"row {i}" for i, t in enumerate(texts)], dtype=object))
        sizes = np.bincount(codes.astype(np.int64))
        rows, sets = int(sizes[sizes > 1].sum()), int((sizes > 1).sum())
        if rows < max(LEAST_SHARE * len(texts), 4) or sizes.max() > MOST_COPIES:
            continue
        sentence = (
            f'{rows:,} rows ({rows / len(texts):.1%}) share their "{name}", a text of {LONG_TEXT} characters or more, '
            f"with another ({sets:,} sets)"
        )
        numbers = {"rows": float(rows), "sets": float(sets), "share": rows / len(texts)}
        return Copies(Evidence("copies", name, True, sentence, numbers), codes.astype(np.int64))
    return None


def _told(
    columns: list[Hashes], codes: Ints, rng: np.random.Generator, least: float, alone: float, what: str
) -> Copies | None:
    """The sets with their evidence, where they are enough rows and stand apart from all others."""
    n, sizes = len(codes), np.bincount(codes)
    rows, sets = int(sizes[sizes > 1].sum()), int((sizes > 1).sum())
    if rows < max(least * n, 4):
        return None
    differ = _distance_to_others(columns, codes, rng)
    if differ < alone:
        return None
    sentence = (
        f"{rows:,} rows ({rows / n:.1%}) are {what} {len(columns)} columns ({sets:,} sets), while the nearest row of "
        f"another set differs in {differ:.0%} of them"
    )
    numbers = {"rows": float(rows), "sets": float(sets), "share": rows / n, "others_differ": differ}
    return Copies(Evidence("copies", None, followed=True, sentence=sentence, numbers=numbers), codes)


def _cells(table: Table, steps: float) -> list[Hashes]:
    """Each column that varies as the number of the cell of a grid that its value falls into."""
    found = []
    for kind in Kind:
        block = table.blocks.of(kind)
        for j in range(block.shape[1]):
            cells = _codes(block[:, j]) if kind in (Kind.STRINGS, Kind.TEXTS) else _grid(block[:, j], kind, steps)
            if cells is not None and (cells != cells[0]).any():
                found.append(cells)
    return found


def _codes(values: NDArray[Any]) -> Hashes:
    known: dict[str, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in values.tolist()], dtype=np.uint64)


def _grid(values: NDArray[Any], kind: Kind, steps: float) -> Hashes | None:
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers) if kind is Kind.NUMBERS else values == MISSING_TIME
    present = numbers[~missing]
    if not len(present):
        return None
    low, high = np.quantile(present[:: max(1, len(present) // SPREAD_ROWS)], [0.05, 0.95])
    step = (high - low) / steps if high > low else 1.0
    cells = np.where(missing, -(2.0**40), np.clip(np.round((numbers - low) / step), -(2.0**39), 2.0**39))
    return np.asarray(cells.astype(np.int64).view(np.uint64))


def _mixed(columns: list[Hashes]) -> Hashes:
    """One number for each row that depends on all columns (multiply and xor, the finalizer of MurmurHash3)."""
    found = np.full(len(columns[0]), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in columns:
        found = (found ^ column) * np.uint64(0xFF51AFD7ED558CCD)
        found ^= found >> np.uint64(33)
        found *= np.uint64(0xC4CEB9FE1A85EC53)
        found ^= found >> np.uint64(29)
    return found


def _linked(columns: list[Hashes], rng: np.random.Generator) -> Ints:
    """Codes (n,) of rows that are linked through agreement in all columns, or all bands of them but one."""
    n, count = len(columns[0]), BANDS if len(columns) >= BANDS and len(columns[0]) <= LARGE else 1
    order = rng.permutation(len(columns))
    bands = [_mixed([columns[i] for i in order[b::count]]) for b in range(count)]
    grids = (
        [_mixed([band for b, band in enumerate(bands) if b != left]) for left in range(count)] if count > 1 else bands
    )
    return _components([_beside(grid) for grid in grids], n)


def _alike(columns: list[Hashes], rng: np.random.Generator) -> Ints:
    """Codes (n,) of rows that agree in most columns: those that agree in a few drawn at random are looked at."""
    pairs = []
    for _ in range(PROBES):
        drawn = rng.permutation(len(columns))[:PROBED]
        left, right = _beside(_mixed([columns[i] for i in drawn]))
        agree = np.zeros(len(left), dtype=np.int64)
        for column in columns:
            agree += column[left] == column[right]
        same = agree >= SAME * len(columns)
        pairs.append((left[same], right[same]))
    return _components(pairs, len(columns[0]))


def _beside(grid: Hashes) -> tuple[Ints, Ints]:
    """Pairs of rows with equal values, each row with the next of its kind."""
    by_cell = np.argsort(grid, kind="stable").astype(np.int64)
    left, right = by_cell[:-1], by_cell[1:]
    same = grid[left] == grid[right]
    return left[same], right[same]


def _components(pairs: list[tuple[Ints, Ints]], n: int) -> Ints:
    """Codes (n,) of rows that pairs link; sets that are too large to be copies are taken apart."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = (np.concatenate([left for left, _ in pairs]), np.concatenate([right for _, right in pairs]))
    graph = coo_array((np.ones(len(edges[0]), dtype=np.int8), edges), shape=(n, n))
    codes = connected_components(graph, directed=False)[1].astype(np.int64)
    usual = np.bincount(codes)[codes] > MOST_COPIES
    codes[usual] = codes.max() + 1 + np.arange(int(usual.sum()))
    found: Ints = np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return found


def _distance_to_others(columns: list[Hashes], codes: Ints, rng: np.random.Generator) -> float:
    """The median share of columns in which the nearest row of another set differs, from rows that have copies."""
    n = len(codes)
    copied = np.flatnonzero(np.bincount(codes)[codes] > 1)
    asked = int(np.clip(CELLS / (n * len(columns)), LEAST_ASKED, ASKED))
    found = []
    for row in rng.permutation(copied)[:asked]:
        differing = np.zeros(n, dtype=np.int32)
        for column in columns:
            differing += column != column[row]
        found.append(differing[codes != codes[row]].min(initial=len(columns)) / len(columns))
    return float(np.median(found))
