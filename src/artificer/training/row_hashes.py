"""Which rows a model was trained on: a 64-bit hash of each one's content, kept beside the run's other files.

A row is known by what its cells are read as, so that the same row is found again under a wider type or another way of
writing. Rows of equal content are told apart by counting them: the second of two equal rows is not the first.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artificer.types import Blocks, Ints

if TYPE_CHECKING:
    import polars as pl

    from artificer.tables.contract import Contract

Hashes: TypeAlias = NDArray[np.uint64]

TRAIN_FILE = "train_rows.npy"
"""Hash of every training row with its count among its equals, (n,) uint64."""
TEST_FILE = "test_counts.npy"
"""Count of every test row among its equals in the whole table, as the champion's contract reads it where there is one;
in the order of the kept test rows, (m,) int64."""


def content_hashes(columns: Sequence[NDArray[Any]]) -> Hashes:
    """Hash rows (n) by their cells: numbers, whole numbers (epoch seconds) or texts, a column each.

    Fractions count in single precision, which is what models read.

    Examples
    --------
    >>> found = content_hashes([np.array([1.0, 1.0, 2.5]), np.array(["a", "a", "a"], dtype=object)])
    >>> bool(found[0] == found[1]), bool(found[0] == found[2])
    (True, False)
    """
    found = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        found = _mixed(found * np.uint64(0x9E3779B97F4A7C15) + _bits(column))
    return found


def counts_among_equals(hashes: Hashes) -> Ints:
    """How many equal rows come before each row (n).

    Examples
    --------
    >>> counts_among_equals(np.array([7, 5, 7, 7], dtype=np.uint64)).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(hashes, kind="stable")
    place = np.arange(len(order))
    starts = np.concatenate([[True], np.diff(hashes[order]) != 0])[: len(order)]
    counts = np.empty(len(order), dtype=np.int64)
    counts[order] = place - np.maximum.accumulate(np.where(starts, place, 0))
    return counts


def counted(hashes: Hashes, counts: Ints) -> Hashes:
    """Hash of the content together with the count, (n,)."""
    return _mixed(hashes + counts.astype(np.uint64) * np.uint64(0xD1B54A32D192ED03))


def row_hashes(frame: pl.DataFrame, blocks: Blocks, contract: Contract) -> Hashes:
    """Hash rows by what feeds the model and by the target, both as `contract` reads them."""
    from artificer.tables.arrays import column_numbers, label_texts
    from artificer.types import Kind

    spec, series = contract.column(contract.target), frame[contract.target]
    if not contract.task.is_classification:
        target: NDArray[Any] = column_numbers(series, spec)
    else:
        target = label_texts(series, spec, contract.label_kind).fill_null("").to_numpy().astype(object)
    return content_hashes([target, *(values for kind in Kind for values in blocks.of(kind).T)])


def hashes_under(frame: pl.DataFrame, contract: Contract) -> Hashes | None:
    """``row_hashes`` as another contract reads the table; None where it cannot read it."""
    from artificer.errors import DataError
    from artificer.tables.arrays import to_blocks

    if contract.target not in frame.columns:
        return None
    try:
        blocks, _ = to_blocks(frame, contract, strict=False)
    except DataError:
        return None
    return row_hashes(frame, blocks, contract)


def keep_hashes(
    folder: Path, hashes: Hashes, train_rows: Ints, test_rows: Ints, as_champion: Hashes | None = None
) -> None:
    """Write what a later comparison needs, each file whole or not at all.

    Parameters
    ----------
    as_champion : hashes of the same rows as the champion's contract reads them. Rows that are equal to one contract
        need not be so to another, and the champion's training rows were counted under its own.
    """
    _write(folder / TRAIN_FILE, counted(hashes, counts_among_equals(hashes))[train_rows])
    _write(folder / TEST_FILE, counts_among_equals(hashes if as_champion is None else as_champion)[test_rows])


def read_hashes(path: Path) -> NDArray[Any] | None:
    """What `keep_hashes` wrote, None where it is not at hand."""
    try:
        found: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found


def _write(path: Path, values: NDArray[Any]) -> None:
    from artificer.bundle.files import write_atomically

    data = io.BytesIO()
    np.save(data, values, allow_pickle=False)
    write_atomically(path, data.getvalue(), "the hashes of the rows")


def _bits(column: NDArray[Any]) -> Hashes:
    if column.dtype == object:
        known = {text: _text_hash(text) for text in set(column.tolist())}
        return np.fromiter((known[text] for text in column.tolist()), dtype=np.uint64, count=len(column))
    if column.dtype.kind == "f":
        wide = column.astype(np.float64)
        wide = np.where(wide == np.floor(wide), wide, wide.astype(np.float32).astype(np.float64)) + 0.0  # no minus zero
        wide[np.isnan(wide)] = np.nan  # one of the many
        return wide.view(np.uint64)
    return column.astype(np.int64).view(np.uint64)


def _text_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


def _mixed(value: Hashes) -> Hashes:
    """Spread every bit over all others (the finaliser of SplitMix64; Steele, Lea, Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
