"""All checks over one table, each within its time and memory, and an account of how it went."""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from artificer.clock import Clock, Deadline, SystemClock
from artificer.quality.base import MAX_EXAMPLES, Check, Checked, Finding, Sample, checks
from artificer.tables.contract import Contract
from artificer.types import Ints, Json

if TYPE_CHECKING:
    import polars as pl

State: TypeAlias = Literal["done", "failed", "too slow", "no time left"]

ORDER = {"error": 0, "warning": 1, "info": 2}
CELL_BYTES = 64
"""What a cell weighs while a check works on it: raw, typed, and a few arrays of the same length."""
LEAST_ROWS = 1000
SIZES = tuple(m * 10**e for e in range(3, 9) for m in (1, 2, 5))
"""Samples have one of these sizes, so that checks share them."""
MOST_COLUMNS = 8
"""So many columns with the same trouble are told one by one."""
GRACE = 0.5
"""Seconds that a check gets to end after it was told to."""
NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class CheckRun:
    """How one check went: seconds it took, rows it looked at, and why it was not done where it was not."""

    name: str
    state: State
    seconds: float
    rows: int
    reason: str = ""

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything the checks found in a table, the severe first, and how each of them went."""

    findings: tuple[Finding, ...]
    runs: tuple[CheckRun, ...]


def check_table(frame: pl.DataFrame, contract: Contract, *, max_rows: int | None = None) -> tuple[Finding, ...]:
    """Check a table against its contract and for what commonly spoils a model; ``survey`` without its account.

    Examples
    --------
    >>> import polars as pl
    >>> from artificer.tables.prepare import prepare
    >>> table = pl.DataFrame({"a": [1, 2] * 10 + [3] * 20, "b": ["x"] * 40, "y": [0, 1] * 20})
    >>> [(f.rule, f.column) for f in check_table(table, prepare(table, target="y").contract)]
    [('duplicate_rows', None), ('constant', 'b')]
    """
    return survey(Checked(frame, contract), max_rows=max_rows).findings


def survey(
    table: Checked,
    *,
    deep: bool = True,
    seconds: float = math.inf,
    max_rows: int | None = None,
    only: Collection[str] | None = None,
    seed: int = 0,
    clock: Clock | None = None,
) -> Survey:
    """Run every check on a table.

    A check that raises, or takes longer than it may, is reported as not done, and the others go on.

    Parameters
    ----------
    deep : whether the checks that fit models are run too.
    seconds : for all checks together; those that find no time left are not run, and the account says so.
    max_rows : a check is given no more rows than this, nor more than it takes.
    only : names of the checks to run; all when None.
    """
    clock = clock or SystemClock()
    deadline = Deadline.after(clock, seconds)
    given = _Samples(table, seed, max_rows)
    found: list[Finding] = []
    runs: list[CheckRun] = []
    for name, kind in sorted(checks().items(), key=lambda item: (item[1].deep, item[1].seconds, item[0])):
        if (kind.deep and not deep) or (only is not None and name not in only) or not table.frame.height:
            continue
        left = min(kind.seconds, deadline.remaining)
        part = given.of(kind)
        if left <= 0:
            runs.append(CheckRun(name, "no time left", 0.0, 0, "the time for all checks together was over"))
            continue
        start = clock.monotonic()
        made, state, reason = _within(left, kind(), part)
        runs.append(CheckRun(name, state, clock.monotonic() - start, part.frame.height, reason))
        found.extend(_placed(finding, kind, part) for finding in made)
    found = [*_folded(found), *_account(runs, table)]
    place = {name: index for index, name in enumerate(table.frame.columns)}
    found.sort(key=lambda f: (ORDER[f.severity], f.rule, place.get(f.column or "", -1)))
    return Survey(tuple(found), tuple(runs))


class _Samples:
    """The table for each check: whole where the check may have it, else a random part, the same for checks alike."""

    def __init__(self, table: Checked, seed: int, max_rows: int | None) -> None:
        self.table, self.seed, self.max_rows = table, seed, max_rows
        self.made: dict[int, Checked] = {}

    def of(self, kind: type[Check]) -> Checked:
        frame = self.table.frame
        fits = kind.megabytes * 2**20 // (CELL_BYTES * max(frame.width, 1))
        most = max(LEAST_ROWS, min(kind.rows, fits))
        if self.max_rows is not None:
            most = min(most, self.max_rows)
        if frame.height <= most:
            return self.table
        size = most if most == self.max_rows else max((s for s in SIZES if s <= most), default=most)
        if size not in self.made:
            rng = np.random.default_rng(self.seed)
            rows: Ints = np.sort(rng.choice(frame.height, size, replace=False)).astype(np.int64)
            self.made[size] = self.table.take(rows)
        return self.made[size]


def _within(seconds: float, check: Check, part: Checked) -> tuple[list[Finding], State, str]:
    """Run a check in a thread that can be left behind: what it found, how it ended, and why.

    Nothing is forced to end: an exception thrown into an import or a lock would break the process for everybody.
    """
    found: list[Finding] = []
    raised: list[BaseException] = []
    stop = threading.Event()

    def body() -> None:
        try:
            found.extend(check.run(part.stoppable(stop)))
        except BaseException as error:  # told below; a thread has nobody else to tell
            raised.append(error)

    thread = threading.Thread(target=body, name="artificer-check", daemon=True)
    thread.start()
    thread.join(min(seconds, threading.TIMEOUT_MAX))
    if thread.is_alive():
        stop.set()
        thread.join(GRACE)
        return [], "too slow", f"it took longer than {seconds:.3g} s"
    if raised:
        text = " ".join(str(raised[0]).split())[:200]
        return [], "failed", f"{type(raised[0]).__name__}: {text}" if text else type(raised[0]).__name__
    return found, "done", ""


def _placed(finding: Finding, kind: type[Check], part: Checked) -> Finding:
    """The finding as it concerns the whole table: rows by their places there, and what the sample means."""
    rows = finding.rows
    if part.places is not None:
        rows = tuple(int(part.places[row]) for row in rows)
    n, total = part.frame.height, part.total or part.frame.height
    if n == total:
        return replace(finding, rows=rows)
    seen = f"in a sample of {n:,} of {total:,} rows"
    if kind.counts == "least":
        sentence = f"{seen}, so there are at least so many"
        return replace(finding, rows=rows, sample=Sample(n, total, None), evidence=f"{finding.evidence} ({sentence})")
    bound = margin(finding.share, n, total)
    sentence = seen if finding.share in (0.0, 1.0) else f"{seen}; the share is within ±{_percent(bound)} of this"
    return replace(finding, rows=rows, sample=Sample(n, total, bound), evidence=f"{finding.evidence} ({sentence})")


def margin(share: float, rows: int, total: int) -> float:
    """How far a share in a random sample may be from the table's: the farther end of Wilson's 95 % interval (1927).

    Examples
    --------
    >>> round(margin(0.1, 100_000, 5_000_000), 5), round(margin(0.0, 1000, 10**6), 5), margin(0.5, 10, 10)
    (0.00186, 0.00382, 0.0)
    """
    if rows >= total:
        return 0.0
    z2 = NORMAL_95**2 * (total - rows) / max(total - 1, 1)  # fewer unknown rows, less doubt
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = math.sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2))) / (1 + z2 / rows)
    return max(abs(middle + half - share), abs(share - middle + half))


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _folded(found: list[Finding]) -> Iterator[Finding]:
    """Of many columns with the same trouble the worst are told each, the others in one finding."""
    groups: dict[tuple[str, str, bool], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.rule, finding.severity, finding.applied), []).append(finding)
    for group in groups.values():
        if len(group) <= MOST_COLUMNS + 2 or any(finding.column is None for finding in group):
            yield from group
            continue
        group = sorted(group, key=lambda finding: -finding.share)
        yield from group[:MOST_COLUMNS]
        rest = group[MOST_COLUMNS:]
        names = tuple(str(finding.column) for finding in rest)
        evidence = f"{len(rest)} more columns have the same; in the first of them {rest[0].evidence}"
        yield replace(
            rest[0], column=None, examples=names[:MAX_EXAMPLES], evidence=evidence, count=rest[0].count, rows=()
        )


def _account(runs: list[CheckRun], table: Checked) -> Iterator[Finding]:
    """What was not looked at: rows outside samples, and checks that did not end."""
    total = table.frame.height
    small = [run for run in runs if run.state == "done" and run.rows < total]
    if small:
        n = min(run.rows for run in small)
        evidence = (
            f"{len(small)} checks looked at a random part of the {total:,} rows, the smallest at {n:,}; a share in it "
            f"is within ±{_percent(margin(0.5, n, total))} of the table's"
        )
        names = tuple(run.name for run in small)[:MAX_EXAMPLES]
        yield Finding("sampled", None, n, n / total, names, "info", evidence, "counts are of the rows looked at")
    for run in runs:
        if run.state != "done":
            evidence = f'the check "{run.name}" was not done: {run.reason}'
            mend = "what it looks for may be there; give it fewer rows or columns, or report the error"
            yield Finding("not_done", None, 0, 0.0, (run.name,), "warning", evidence, mend)
