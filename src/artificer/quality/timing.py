"""Checks of the rows' order in time: rows out of order, gaps in a regular series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from artificer.quality.base import Check, Checked, Finding, Severity, first_rows
from artificer.tables.cells import ColumnSpec
from artificer.tables.formats import time_format
from artificer.types import MISSING_TIME, Ints, Kind

LEAST_ROWS = 50
MOSTLY = 0.98
REGULAR = 0.8
"""A series is regular where so many of its steps are the same."""
MANY_STEPS = 1.5
FAR_STEPS = 50.0
"""In an irregular series a gap is so many times the 99th percentile of its steps."""


class RowsOutOfOrder(Check):
    """Rows that come after later ones in a table that is otherwise sorted by a time."""

    name: ClassVar[str] = "out_of_order"

    def run(self, table: Checked) -> Iterator[Finding]:
        for spec, moments in _times(table):
            known = np.flatnonzero(moments != MISSING_TIME)
            if len(known) < LEAST_ROWS:
                continue
            seen = moments[known]
            latest = np.maximum.accumulate(seen)
            behind = seen < latest
            back = float((np.diff(seen) < 0).mean())
            falling = float((np.diff(seen) > 0).mean())
            count = int(behind.sum())
            if not count or back > 1 - MOSTLY or falling < 1 - MOSTLY:
                continue  # sorted throughout, or not by this column at all
            longest = int((latest - seen).max())
            evidence = (
                f'{count:,} rows come after rows that are later by "{spec.name}", by up to {span(longest)}, in a table '
                "that is otherwise in its order"
            )
            mend = "training sorts by the time column; see whether rows were added late or clocks went wrong"
            severity: Severity = "warning" if spec.name == table.contract.time else "info"
            places = first_rows(known[behind])
            yield Finding(self.name, spec.name, count, table.share(count), (), severity, evidence, mend, rows=places)


class TimeGaps(Check):
    """Gaps in a series of times: steps missing from a regular one, or a pause far longer than any other."""

    name: ClassVar[str] = "time_gaps"
    rows: ClassVar[int] = 5_000_000
    megabytes: ClassVar[int] = 4096

    def run(self, table: Checked) -> Iterator[Finding]:
        if table.total is not None and table.total > table.frame.height:
            return  # a sample has gaps of its own
        for spec, moments in _times(table):
            seen = np.unique(moments[moments != MISSING_TIME])
            if len(seen) < LEAST_ROWS:
                continue
            steps = np.diff(seen)
            usual, times = _usual(steps)
            regular = times >= REGULAR * len(steps)
            wide = steps > (MANY_STEPS * usual if regular else FAR_STEPS * np.quantile(steps, 0.99))
            count = int(wide.sum())
            if not count or count > 0.5 * len(steps):
                continue
            wide &= ~_left_out(table, moments, seen)
            count = int(wide.sum())
            if not count:
                continue
            at = int(np.argmax(np.where(wide, steps, 0)))
            begin, end = (time_format(None).write(int(moment)) or "?" for moment in (seen[at], seen[at + 1]))
            longest = f"the longest {span(int(steps[at]))}, from {begin} to {end}"
            if regular:
                lost = int((steps[wide] // usual - 1).sum())
                evidence = (
                    f'"{spec.name}" goes on by {span(usual)}, but for {count:,} gaps in which {lost:,} steps are '
                    f"missing; {longest}"
                )
            else:
                evidence = f'"{spec.name}" has {count:,} gaps far longer than its other steps; {longest}'
            mend = "see whether rows were lost; features of the past (lags, means) are wrong across a gap"
            places = first_rows(np.flatnonzero(moments == seen[at + 1]))
            yield Finding(self.name, spec.name, count, table.share(count), (), "info", evidence, mend, rows=places)


def _times(table: Checked) -> Iterator[tuple[ColumnSpec, Ints]]:
    """The named time column, else every column of times that the table is sorted by nearly."""
    for spec, block in table.features(Kind.TIMES):
        moments = block.astype(np.int64)
        if table.contract.time is not None:
            if spec.name == table.contract.time:
                yield spec, moments
            continue
        seen = moments[moments != MISSING_TIME]
        if len(seen) >= LEAST_ROWS and len(np.unique(seen)) >= LEAST_ROWS and _nearly_sorted(seen):
            yield spec, moments


def _nearly_sorted(seen: Ints) -> bool:
    steps = np.diff(seen)
    return bool((steps < 0).mean() <= 1 - MOSTLY and (steps > 0).mean() > 1 - MOSTLY)


def _left_out(table: Checked, moments: Ints, seen: Ints) -> NDArray[np.bool_]:
    """Steps (between moments seen) over which rows of the table as given were left out, having no target."""
    if table.places is None or not _nearly_sorted(moments[moments != MISSING_TIME]):
        return np.zeros(len(seen) - 1, dtype=np.bool_)
    first = table.places[np.searchsorted(np.maximum.accumulate(moments), seen[1:])]
    last = table.places[np.searchsorted(np.maximum.accumulate(moments), seen[:-1], side="right") - 1]
    return np.asarray(first - last > 1)


def _usual(steps: Ints) -> tuple[int, int]:
    values, counts = np.unique(steps, return_counts=True)
    most = int(counts.argmax())
    return int(values[most]), int(counts[most])


def span(seconds: int) -> str:
    """A length of time in its largest fitting unit.

    Examples
    --------
    >>> span(90), span(7200), span(86400 * 3), span(86400 * 400)
    ('90 s', '2 h', '3 days', '400 days')
    """
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds == size:
            text = f"{seconds / size:.3g}"
            return f"{text} {'day' if name == 'days' and text == '1' else name}"
    return f"{seconds} s"
