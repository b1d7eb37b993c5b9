"""The table that is being mended: every cell as its canonical text, each different text once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from artificer.tables.arrays import canonical_texts
from artificer.types import Doubles, Ints

Texts: TypeAlias = NDArray[Any]
Mask: TypeAlias = NDArray[np.bool_]

REPAIRED, FLAGGED = "mended", "flagged"
"""What became of a cell: it holds something else now; or it is surely wrong and nobody knows what it should hold."""


@dataclass(frozen=True, slots=True)
class Change:
    """Cells of one column that one step holds for wrong.

    Attributes
    ----------
    rows : places in the table, k.
    after : what they should hold, k; ``""`` for a missing cell.
    confidence : probability that the change is right, k.
    action : ``mended``, or ``flagged`` where `after` is what stands there already.
    """

    column: str
    cause: str
    rows: Ints
    after: Texts
    confidence: Doubles
    action: str = REPAIRED


@dataclass(frozen=True)
class Column:
    """One column of n cells.

    Attributes
    ----------
    texts : the cells, n; ``""`` where missing.
    typed : whether the source holds numbers, truths or times here, whose writing cannot be wrong.
    words : texts that stand for missing here and are kept.
    """

    name: str
    texts: Texts
    typed: bool = False
    words: frozenset[str] = frozenset()

    @cached_property
    def _ranked(self) -> tuple[tuple[str, ...], Ints]:
        series = pl.Series("t", self.texts, dtype=pl.String)
        named = series.unique().sort().to_list()
        codes = series.rank("dense").to_numpy().astype(np.int64) - 1
        gone = [place for place, text in enumerate(named) if text == "" or text in self.words]
        if not gone:
            return tuple(named), codes
        place = np.full(len(named), -1, dtype=np.int64)
        kept = [j for j in range(len(named)) if j not in set(gone)]
        place[kept] = np.arange(len(kept))
        return tuple(named[j] for j in kept), place[codes]

    @property
    def distinct(self) -> tuple[str, ...]:
        """The different texts that are not missing, sorted."""
        return self._ranked[0]

    @property
    def codes(self) -> Ints:
        """Place in `distinct` of each cell, n; -1 where missing."""
        return self._ranked[1]

    @cached_property
    def counts(self) -> Ints:
        """Cells of each of `distinct`."""
        codes = self.codes
        return np.bincount(codes[codes >= 0], minlength=len(self.distinct)).astype(np.int64)

    @property
    def kept(self) -> Mask:
        """Which cells hold one of `words`, n."""
        kept: Mask = (self.codes < 0) & np.asarray(self.texts != "", dtype=np.bool_)
        return kept

    @property
    def present(self) -> int:
        return int(self.counts.sum())

    @property
    def repeats(self) -> bool:
        """Whether its texts come again often enough to tell something about each other."""
        return 2 <= len(self.distinct) <= 0.9 * max(self.present, 1)

    def to(self, mapping: dict[str, str], cause: str, confidence: dict[str, float] | float = 1.0) -> Change | None:
        """The change that writes every text of `mapping` as what it maps to."""
        codes = {text: code for code, text in enumerate(self.distinct)}
        wanted = {codes[text]: (after, text) for text, after in mapping.items() if text in codes}
        if not wanted:
            return None
        rows = np.flatnonzero(np.isin(self.codes, list(wanted))).astype(np.int64)
        found = [wanted[int(code)] for code in self.codes[rows]]
        sure = confidence if isinstance(confidence, dict) else {}
        plain = confidence if isinstance(confidence, float) else 1.0
        return Change(
            self.name,
            cause,
            rows,
            np.array([after for after, _ in found], dtype=object),
            np.array([sure.get(text, plain) for _, text in found]),
        )


@dataclass
class Sheet:
    """The columns, and for each cell that changed the cause and the confidence of its last change."""

    columns: dict[str, Column]
    height: int
    causes: dict[str, dict[int, tuple[str, float, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Sheet:
        """Take the columns that hold single values; nested ones are left alone."""
        columns: dict[str, Column] = {}
        for series in frame.get_columns():
            if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object, pl.Null):
                continue
            texts = canonical_texts(series).fill_null("").to_numpy().astype(object)
            typed = series.dtype not in (pl.String, pl.Categorical, pl.Enum)
            columns[series.name] = Column(series.name, texts, typed)
        return cls(columns, frame.height)

    def apply(self, change: Change) -> int:
        """Write a change down and give the number of cells; a cell that already holds it does not change."""
        column = self.columns[change.column]
        told = self.causes.setdefault(change.column, {})
        texts = column.texts.copy()
        done = 0
        for row, after, sure in zip(change.rows.tolist(), change.after, change.confidence.tolist(), strict=True):
            if change.action == FLAGGED:
                told.setdefault(row, (change.cause, sure, FLAGGED))
            elif texts[row] != after:
                texts[row] = after
                told[row] = (change.cause, sure, REPAIRED)
                done += 1
        if done:
            self.columns[change.column] = Column(column.name, texts, column.typed, column.words)
        return done

    def keep_words(self, name: str, words: Sequence[str]) -> None:
        """Take some texts of a column for missing from now on, without changing them."""
        column = self.columns[name]
        self.columns[name] = Column(name, column.texts, column.typed, column.words | frozenset(words))

    def is_told(self, name: str, rows: Ints) -> Mask:
        """Which of some cells have been changed or flagged already."""
        told = self.causes.get(name, {})
        return np.array([row in told for row in rows.tolist()], dtype=np.bool_)
