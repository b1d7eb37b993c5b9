"""Rows that nearly repeat others, in all columns but one or in the words of a text; test rows that were trained on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from artificer.quality.base import Check, Checked, Finding, Mask, Severity, first_rows
from artificer.types import MISSING_STRING, Ints, Kind

Hashes: TypeAlias = NDArray[np.uint64]

LEAST_ROWS = 20
SPARE_BITS = 10.0
"""So many bits more than pairs of rows must the agreeing cells of two rows carry: chance makes one in a thousand."""
TRUST = 0.7
"""Columns tell the same in part; their bits count so much."""
MOST_WEIGHED = 100_000
"""Bits are estimated on so many rows."""
HASHES, BANDS = 64, 16
ALIKE = 0.8
LEAST_WORDS = 8
MUCH = 0.01
MOST = 0.3
"""With so many test rows seen in training the test score says little."""


def feature_columns(table: Checked) -> list[str]:
    """Names of the columns that feed the model, in the table's order."""
    return [c.name for c in table.contract.columns if c.kind is not None and c.name in table.frame.columns]


def cell_hashes(table: Checked, names: list[str]) -> Hashes:
    """One hash for each cell (n, p), equal for equal cells."""
    columns = []
    for j, name in enumerate(names):
        series = table.frame[name]
        if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
            series = pl.Series(name, [repr(cell) for cell in series.to_list()])
        columns.append(series.hash(seed=j + 1).to_numpy())
    return np.column_stack(columns) if columns else np.empty((table.frame.height, 0), dtype=np.uint64)


def bits(hashes: Hashes) -> NDArray[np.float64]:
    """How many bits the agreement of two rows in a column carries (p): what chance gives more often carries less.

    Copies of whole rows are counted once, as they are no chance.
    """
    hashes = hashes[:: len(hashes) // MOST_WEIGHED + 1]
    _, first = np.unique(hashes.sum(axis=1), return_index=True)
    n = len(first)
    pairs = max(n * (n - 1) / 2, 1.0)
    out = np.zeros(hashes.shape[1])
    for j in range(hashes.shape[1]):
        _, counts = np.unique(hashes[first, j], return_counts=True)
        agreeing = float((counts.astype(np.float64) * (counts - 1) / 2).sum())
        out[j] = max(0.0, -np.log2((agreeing + 1) / (pairs + 1)))
    return out


def is_telling(carried: float, rows: int) -> bool:
    """Whether agreement of so many bits is more than chance brings about among all pairs of rows."""
    return bool(TRUST * carried >= 2 * np.log2(max(rows, 2)) - 1 + SPARE_BITS)


class NearDuplicates(Check):
    """Rows that agree in all features but one, where so much agreement does not come by chance.

    Each row's hash without one of its cells is blocked on, so the cost is that of sorting.
    """

    name: ClassVar[str] = "near_duplicates"
    counts: ClassVar[Literal["share", "least"]] = "least"
    megabytes: ClassVar[int] = 1024

    def run(self, table: Checked) -> Iterator[Finding]:
        names = feature_columns(table)
        n = table.frame.height
        if len(names) < 3 or n < LEAST_ROWS:
            return
        hashes = cell_hashes(table, names)
        carried = bits(hashes)
        total = hashes.sum(axis=1)
        _, first_of = np.unique(total, return_index=True)
        near = np.zeros(n, dtype=np.bool_)
        differing: dict[str, int] = {}
        for j, name in enumerate(names):
            if not is_telling(float(carried.sum() - carried[j]), n):
                continue
            rows = _repeats(total[first_of] - hashes[first_of, j])
            if len(rows):
                differing[name] = len(rows)
                near[first_of[rows]] = True
        count = int(near.sum())
        if not count:
            return
        share = table.share(count)
        most = sorted(differing, key=lambda name: -differing[name])[:3]
        named = ", ".join(f'"{name}" ({differing[name]:,})' for name in most)
        evidence = f"{count:,} rows repeat another row in all features but one, most often {named}"
        mend = "if they are one thing noted twice, keep one of them, or name a group column so that no split parts them"
        severity: Severity = "warning" if share >= MUCH else "info"
        yield Finding(self.name, None, count, share, tuple(most), severity, evidence, mend, rows=first_rows(near))


def _repeats(keys: Hashes) -> Ints:
    """Places of keys that stand there twice or more."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[inverse] > 1).astype(np.int64)


class NearTexts(Check):
    """Long texts that share nearly all their words.

    MinHash with locality-sensitive hashing (Broder 1997; Indyk and Motwani 1998): texts that agree in a band of
    hashes are candidates, and those whose sets of word pairs overlap by four fifths are told. Exact copies count too.
    """

    name: ClassVar[str] = "near_texts"
    counts: ClassVar[Literal["share", "least"]] = "least"
    rows: ClassVar[int] = 50_000
    seconds: ClassVar[float] = 15.0

    def run(self, table: Checked) -> Iterator[Finding]:
        for spec, texts in table.features(Kind.TEXTS):
            rows = near_texts(texts)
            count = int(rows.sum())
            if not count:
                continue
            share = table.share(count)
            evidence = f'{count:,} cells of "{spec.name}" share nearly all their words with another row\'s'
            mend = "if they are one thing noted twice, keep one; or name a group column so that no split parts them"
            severity: Severity = "warning" if share >= MUCH else "info"
            yield Finding(self.name, spec.name, count, share, (), severity, evidence, mend, rows=first_rows(rows))


def near_texts(texts: NDArray[Any]) -> Mask:
    """Which of n texts (words joined by spaces) nearly repeat another.

    Examples
    --------
    >>> words = " ".join(map(str, range(40)))
    >>> near_texts(np.array([words, "something else " * 9, words + " more"], dtype=object)).tolist()
    [True, False, True]
    """
    found = np.zeros(len(texts), dtype=np.bool_)
    places, sets = [], []
    for place, text in enumerate(texts):
        words = text.split(" ") if text != MISSING_STRING else []
        if len(words) >= LEAST_WORDS:
            places.append(place)
            sets.append({hash_of(a, b) for a, b in pairwise(words)})
    if len(places) < 2:
        return found
    signature = _signatures(sets)
    width = HASHES // BANDS
    for band in range(BANDS):
        keys = np.zeros(len(signature), dtype=np.uint64)
        for column in range(band * width, (band + 1) * width):  # what collides here is told apart by the words
            keys = (keys + signature[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        order = np.argsort(keys, kind="stable")
        for a, b in pairwise(order):
            if keys[a] == keys[b] and not (found[places[a]] and found[places[b]]):
                one, two = sets[a], sets[b]
                if len(one & two) >= ALIKE * len(one | two):
                    found[places[a]] = found[places[b]] = True
    return found


def hash_of(*words: str) -> int:
    """A hash of some words that is the same in every process."""
    from zlib import crc32

    return crc32("\x1f".join(words).encode(errors="replace"))


def _signatures(sets: list[set[int]]) -> NDArray[np.uint32]:
    """MinHash signatures (n, HASHES) by multiply-shift hashing."""
    rng = np.random.default_rng(0)
    times = rng.integers(1, 2**63, HASHES, dtype=np.uint64) | np.uint64(1)
    plus = rng.integers(0, 2**63, HASHES, dtype=np.uint64)
    out = np.empty((len(sets), HASHES), dtype=np.uint32)
    for i, values in enumerate(sets):
        items = np.fromiter(values, dtype=np.uint64, count=len(values))
        out[i] = ((items[:, None] * times + plus) >> np.uint64(32)).min(axis=0).astype(np.uint32)
    return out


class SplitOverlap(Check):
    """Test rows whose features are those of a training row: the score praises what was learnt by heart."""

    name: ClassVar[str] = "train_test_overlap"
    counts: ClassVar[Literal["share", "least"]] = "least"
    rows: ClassVar[int] = 5_000_000
    megabytes: ClassVar[int] = 2048

    def run(self, table: Checked) -> Iterator[Finding]:
        names = feature_columns(table)
        if table.test is None or not names or not table.test.any() or table.test.all():
            return
        hashes = cell_hashes(table, names)
        n = table.frame.height
        if not is_telling(float(bits(hashes).sum()), n):
            return
        total = hashes.sum(axis=1)
        known = np.isin(total, total[~table.test]) & table.test
        count, tested = int(known.sum()), int(table.test.sum())
        if not count:
            return
        share = count / tested
        evidence = f"{count:,} of {tested:,} test rows ({share:.1%}) are in the training rows too, in every feature"
        mend = "drop copies, or name a group column whose rows stay together"
        severity: Severity = "error" if share >= MOST else "warning" if share >= MUCH else "info"
        yield Finding(self.name, None, count, table.share(count), (), severity, evidence, mend, rows=first_rows(known))
