"""Rows as JSON brings them, all of them at once: the quick half of ``RowReader``.

Almost every request is as it should be, so whole columns are looked at first, by calls that run in C. Whatever is
unusual (a column left out or unknown, a number written as text, a cell that breaks a rule) is no business of this
file: it says None, and the rows are read cell by cell, where each rule has its sentence. Both halves give the same
blocks, which a property test holds them to.

Serving imports this file: NumPy and the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import numpy as np

from artificer.tables.cells import READERS, ColumnSpec, RuleError
from artificer.types import FLOAT32_MAX, Blocks, Kind, Role

MEMO_LIMIT: Final = 4096
"""So many different texts of a column are remembered, none longer than ``MEMO_TEXT``."""
MEMO_TEXT: Final = 200

_PLAIN: Final = frozenset({float, int})
_PLAIN_OR_NONE: Final = frozenset({float, int, type(None)})


class Memo:
    """What the texts of one column were read as. A cell of a category or a time is seldom one that was never seen."""

    __slots__ = ("column", "known")

    def __init__(self, column: ColumnSpec, missing: Any) -> None:
        self.column = column
        self.known: dict[Any, Any] = {None: missing} if column.nullable else {}

    def read(self, value: Any) -> Any:
        """Read a cell, and remember it if it is a text. Raises the rule it breaks."""
        if type(value) is not str:
            return READERS[self.column.role](value, self.column)
        found = self.known.get(value)
        if found is None:
            found = READERS[self.column.role](value, self.column)
            if len(value) <= MEMO_TEXT and len(self.known) < MEMO_LIMIT:
                self.known[value] = found
        return found


class WholeRows:
    """Reads rows that are all as they should be; safe to share between threads.

    Parameters
    ----------
    columns : the columns of each kind, in the order of their block.
    memos : of the string and the time columns, shared with who reads cell by cell.
    known : the names that may stand in a row.
    """

    def __init__(
        self, columns: dict[Kind, tuple[ColumnSpec, ...]], memos: dict[str, Memo], known: frozenset[str]
    ) -> None:
        numbers = columns[Kind.NUMBERS]
        self._known = known
        self._fed = sum(map(len, columns.values()))
        self._width = len(numbers)
        self._numeric = [j for j, column in enumerate(numbers) if column.role is Role.NUMERIC]
        self._booleans = [(j, column) for j, column in enumerate(numbers) if column.role is not Role.NUMERIC]
        self._take_numbers = _taker([numbers[j].name for j in self._numeric])
        self._plain = _PLAIN_OR_NONE if all(numbers[j].nullable for j in self._numeric) else _PLAIN
        self._strings = [memos[column.name] for column in columns[Kind.STRINGS]]
        self._take_strings = _taker([column.name for column in columns[Kind.STRINGS]])
        self._times = [memos[column.name] for column in columns[Kind.TIMES]]
        self._take_times = _taker([column.name for column in columns[Kind.TIMES]])
        self._texts = columns[Kind.TEXTS]
        self._take_texts = _taker([column.name for column in self._texts])

    def read(self, rows: Sequence[Any]) -> Blocks | None:
        """Give the blocks of `rows`, or None where a cell, a row or a name is unusual."""
        if set(map(type, rows)) != {dict}:
            return None
        # Rows of exactly as many names as are read below hold no other.
        if set(map(len, rows)) != {self._fed} and not all(map(self._known.issuperset, rows)):
            return None
        try:
            numbers = self._read_numbers(rows)
            if numbers is None:
                return None
            return Blocks(
                numbers,
                _remembered(self._strings, self._take_strings, rows, object),
                _remembered(self._times, self._take_times, rows, np.int64),
                self._read_texts(rows),
            )
        except (KeyError, TypeError, OverflowError, RuleError):  # left out, of an odd type, too large, against a rule
            return None

    def _read_numbers(self, rows: Sequence[Any]) -> Any:
        flat = list(chain.from_iterable(map(self._take_numbers, rows)))
        kinds = set(map(type, flat))
        if not kinds <= self._plain:
            return None
        values = np.array(flat, dtype=np.float64)  # None becomes NaN, which is not at most anything
        missing = flat.count(None) if type(None) in kinds else 0
        if np.count_nonzero(np.abs(values) <= FLOAT32_MAX) != len(flat) - missing:
            return None
        return self._placed(rows, values)

    def _placed(self, rows: Sequence[Any], values: Any) -> Any:
        """Put the numeric columns, and the booleans read one by one, where the block has them."""
        count = len(rows)
        read = values.astype(np.float32).reshape(count, len(self._numeric))
        if not self._booleans:
            return read
        numbers = np.empty((count, self._width), dtype=np.float32)
        numbers[:, self._numeric] = read
        for j, column in self._booleans:
            name, reader = column.name, READERS[column.role]
            numbers[:, j] = [reader(row[name], column) for row in rows]
        return numbers

    def _read_texts(self, rows: Sequence[Any]) -> Any:
        if not self._texts:
            return np.empty((len(rows), 0), dtype=object)
        cells = zip(*map(self._take_texts, rows), strict=True)
        read = [
            [READERS[column.role](value, column) for value in values]
            for column, values in zip(self._texts, cells, strict=True)
        ]
        return _block(read, len(rows), object)


def _remembered(memos: list[Memo], take: Callable[[Any], tuple[Any, ...]], rows: Sequence[Any], dtype: Any) -> Any:
    if not memos:
        return np.empty((len(rows), 0), dtype=dtype)
    read = []
    for memo, cells in zip(memos, zip(*map(take, rows), strict=True), strict=True):
        found = list(map(memo.known.get, cells))
        if None in found:
            found = [memo.read(cell) if read is None else read for cell, read in zip(cells, found, strict=True)]
        read.append(found)
    return _block(read, len(rows), dtype)


def _block(columns: list[list[Any]], rows: int, dtype: Any) -> Any:
    """Columns as one array (rows, columns); one call into NumPy, since each costs a microsecond."""
    flat = list(chain.from_iterable(zip(*columns, strict=True)))
    return np.array(flat, dtype=dtype).reshape(rows, len(columns))


def _taker(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes the cells of these names out of a row, as a tuple; KeyError where one is absent."""
    if len(names) == 1:
        name = names[0]
        return lambda row: (row[name],)
    if not names:
        return lambda row: ()
    return itemgetter(*names)
