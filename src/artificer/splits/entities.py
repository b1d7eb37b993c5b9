"""Whether a column names entities (patients, customers, devices) whose rows resemble each other beyond chance.

A model that has seen one row of a patient may recognise the next one instead of having learnt anything; a random split
then promises too much, as long as production brings patients that are new. Ordinary categories (a city, a job) make
rows alike, too, and production brings the same ones again. So a column has to look like a key, its values have to
recur with few rows each or in blocks, and its rows have to be recognisable by their other columns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from artificer.splits.evidence import Evidence, Table
from artificer.splits.likeness import agreement, chance_of, distances, recognised, target_columns
from artificer.tables.arrays import canonical_texts
from artificer.tables.contract import ColumnSpec
from artificer.tables.roles import KEY_NAME
from artificer.types import Doubles, Floats, Ints, Kind, Role

FEWEST_ROWS = 50
FEWEST_KEYS = 10
"""Fewer values are the levels of a category."""

REPEATED = 0.1
"""Share of rows that must have another row of their key: with fewer no split is changed by them."""

LARGEST = 0.2
"""No key has a larger share of the rows: one that has is a usual value."""

FEW_EACH = 50
"""Keys with more rows each, in the mean, are categories that will be met again, unless their rows stand in blocks."""

BLOCKS = 1.3
"""Rows stand in blocks where there are at most so many runs of equal values as there are values."""

SURE = 0.01
RECOGNISED, RECOGNISED_PLAIN = 0.5, 0.7
"""Share of rows whose nearest row is of the same key: of columns that look like a key, and of those that do not."""

LIFT = 3.0
"""And so many times what chance would give."""

LEAST_ALIKE, ALIKE, ALIKE_KEY = 0.02, 0.1, 0.3
"""Intraclass correlation of the target: what is said at all; what matters, as who is recognised gives much away; and by
which a key counts whose rows are not told by the other columns."""

SAMPLE = 1200
"""Rows looked at: whole keys, drawn at random."""

CANDIDATES = 6
KNOWN_AGAIN = 0.5
"""Where at least this share of the newer rows is of keys that the older ones had, the keys are here to stay."""


@dataclass(frozen=True, slots=True)
class Key:
    """A column that may name entities: a code for each row (n,), and what its shape tells."""

    spec: ColumnSpec
    codes: Ints
    keys: int
    repeated: float
    each: float
    is_key: bool
    in_blocks: bool


@dataclass(frozen=True, slots=True)
class Entity:
    """A key, what speaks for it, and the code of each row's entity (n,)."""

    evidence: Evidence
    codes: Ints


def find_entity(table: Table, seed: int = 0, features: Collection[str] = ()) -> Entity | None:
    """Find the column whose values are entities, with evidence that says whether they matter; None where no column is.

    Parameters
    ----------
    features : columns that are known to be none.

    Examples
    --------
    >>> import polars as pl
    >>> from artificer.tables.prepare import prepare
    >>> rng = np.random.default_rng(0)
    >>> patient = np.repeat(np.arange(60), 5)
    >>> state, body = rng.random(60)[patient], rng.normal(size=(60, 3))[patient]
    >>> signs = body + 0.1 * rng.normal(size=(300, 3))
    >>> frame = pl.DataFrame({"patient_id": [f"P{p:03}" for p in patient], "ill": (state > 0.6).astype(int)})
    >>> frame = frame.with_columns(pl.Series(f"sign{j}", signs[:, j]) for j in range(3))
    >>> ready = prepare(frame, target="ill")
    >>> find_entity(Table(ready.frame, ready.contract, ready.blocks, ready.y, ready.contract.task)).evidence.column
    'patient_id'
    """
    if table.frame.height < FEWEST_ROWS or sum(len(table.names(kind)) for kind in Kind) < 2:
        return None
    keys = [key for key in candidates(table) if key.spec.name not in features]
    found = [entity for key in keys if (entity := _judged(table, key, seed)) is not None]
    return max(found, key=lambda e: (e.evidence.followed, e.evidence.numbers["recognised"]), default=None)


def candidates(table: Table) -> list[Key]:
    """Columns that have the shape of a key, the likeliest first."""
    keys = [key for spec in table.contract.columns if (key := _key(table, spec)) is not None]
    return sorted(keys, key=lambda key: (not key.is_key, not key.in_blocks, -key.repeated))[:CANDIDATES]


def _key(table: Table, spec: ColumnSpec) -> Key | None:
    if spec.role not in (Role.ID, Role.CATEGORICAL, Role.NUMERIC) or spec.name not in table.frame.columns:
        return None
    series = table.frame[spec.name]
    if spec.role is Role.NUMERIC and not _are_whole(
        table.blocks.numbers[:, table.names(Kind.NUMBERS).index(spec.name)]
    ):
        return None
    if series.dtype.is_nested() or series.n_unique() < FEWEST_KEYS:
        return None
    values = series.fill_nan(None) if series.dtype.is_float() else series
    values = values if values.dtype.is_numeric() else canonical_texts(values)
    missing = values.is_null().to_numpy()
    if bool(missing.mean() > 0.5):
        return None
    codes: Ints = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    codes[missing] = int(codes.max()) + 1 + np.arange(int(missing.sum()))
    sizes = np.bincount(codes)
    n, keys = len(codes), int((sizes > 0).sum())
    several = sizes[sizes > 1]
    repeated = float(several.sum()) / n
    if keys < FEWEST_KEYS or repeated < REPEATED or sizes.max() > LARGEST * n:
        return None
    each = float(several.mean())
    runs = 1 + int((codes[1:] != codes[:-1]).sum())
    is_key = spec.role is Role.ID or bool(KEY_NAME.search(spec.name))
    in_blocks = runs <= BLOCKS * keys and each >= 2
    if each > FEW_EACH and not in_blocks:
        return None
    return Key(spec, codes, keys, repeated, each, is_key, in_blocks)


def _are_whole(numbers: Floats) -> bool:
    for part in (numbers[:1000], numbers):  # measurements show themselves at once
        present = part[~np.isnan(part)]
        if not bool((present == np.floor(present)).all()):
            return False
    return True


def _judged(table: Table, key: Key, seed: int) -> Entity | None:
    rng = np.random.default_rng(seed)
    rows = _whole_keys(key.codes, rng)
    codes = np.unique(key.codes[rows], return_inverse=True)[1].reshape(-1).astype(np.int64)
    target = target_columns(table.y[rows], table.task)
    alike = agreement(codes, target)
    if alike < LEAST_ALIKE:
        return None
    chance = chance_of(codes, target, alike, rng)
    if chance > SURE:
        return None
    known, by_chance = recognised(distances(table.blocks.take(rows), _doubles(table, key)), codes)
    stands_out = known >= LIFT * by_chance
    if key.is_key:
        seen, follows = stands_out and known >= RECOGNISED, alike >= ALIKE
        seen, follows = (True, True) if alike >= ALIKE_KEY else (seen, follows)
    else:
        # A job title or a product is met again, and is then the best there is to know: only rows that come entity by
        # entity show that it is not.
        seen = stands_out and known >= RECOGNISED_PLAIN and alike >= ALIKE_KEY
        follows = seen and key.in_blocks
    if not seen:
        return None
    numbers = {
        "keys": float(key.keys),
        "rows_each": key.each,
        "agreement": alike,
        "p": chance,
        "recognised": known,
        "recognised_by_chance": by_chance,
    }
    sentence = (
        f'"{key.spec.name}" names {key.keys:,} entities with {key.each:.1f} rows each: their rows agree in the target '
        f"(intraclass correlation {alike:.2f}, by chance with p {_at_most(chance)}), and {known:.0%} of rows have "
        f"one of their own entity as the nearest ({by_chance:.1%} by chance)"
    )
    return Entity(Evidence("entity", key.spec.name, follows, sentence, numbers), key.codes)


def _at_most(p: float) -> str:
    return f"≤ {p:.2g}" if p <= 0.01 else f"{p:.2g}"


def _whole_keys(codes: Ints, rng: np.random.Generator) -> Ints:
    """Rows of keys drawn at random, all those of a key that has several, as many as are looked at."""
    sizes = np.bincount(codes)
    order = rng.permutation(np.flatnonzero(sizes > 1))
    chosen = order[: max(int((np.cumsum(sizes[order]) <= SAMPLE).sum()), 2)]
    wanted = np.zeros(len(sizes), dtype=bool)
    wanted[chosen] = True
    rows = np.flatnonzero(wanted[codes])
    return rows if len(rows) <= 2 * SAMPLE else np.sort(rng.choice(rows, 2 * SAMPLE, replace=False))


def _doubles(table: Table, key: Key) -> frozenset[tuple[Kind, int]]:
    """The key itself, and columns that say the same in other words: that rows are recognised by them proves nothing."""
    found = set()
    for kind in (Kind.NUMBERS, Kind.STRINGS):
        for j, name in enumerate(table.names(kind)):
            if name == key.spec.name or _same_partition(table.blocks.of(kind)[:, j], key.codes):
                found.add((kind, j))
    return frozenset(found)


def _same_partition(values: Floats | Ints | Doubles | object, codes: Ints) -> bool:
    other = np.unique(np.asarray(values), return_inverse=True)[1].reshape(-1).astype(np.int64)
    own, others = len(np.unique(codes)), int(other.max()) + 1
    if not 0.9 * own <= others <= 1.1 * own:
        return False
    pairs = len(np.unique(codes * (others + 1) + other))
    return pairs <= 1.1 * own


def known_again(codes: Ints, order: Ints | Doubles, share: float = 0.2) -> float:
    """Share of the newest rows whose key the older rows had already.

    Examples
    --------
    >>> known_again(np.array([0, 1, 0, 1, 0]), np.arange(5), 0.4)
    1.0
    >>> known_again(np.array([0, 0, 1, 1, 2]), np.arange(5), 0.2)
    0.0
    """
    by_time = np.argsort(order, kind="stable")
    cut = max(1, round(len(codes) * (1 - share)))
    older, newer = codes[by_time[:cut]], codes[by_time[cut:]]
    return float(np.isin(newer, older).mean()) if len(newer) else 1.0
