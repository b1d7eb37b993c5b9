"""Which fits have room in memory: what a run may take, and what a fit is expected to need.

No fit starts that would not fit beside those under way. What a fit needs grows with the cells it is fitted on, at a
rate that is guessed for each family of learners and then learnt from the peaks of fits on this very table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from artificer.algorithms.base import algorithms
from artificer.search.records import Candidate
from artificer.search.tasks import FitOutcome

MEMORY_SHARE = 0.8
"""How much of the memory that is free at the start a run may take, where no limit is given."""

BASE_MB = 60.0
"""What a fit's process takes beside its work; that of the libraries is shared by all."""

BYTES_A_CELL = {"linear": 40.0, "boosting": 20.0, "forest": 24.0}
UNKNOWN_BYTES = 32.0
"""Guessed bytes for each row of each feature: the rows taken, their features, and the learner's own copy of them."""

WARY = 1.15
"""What is expected of a fit that was measured may be exceeded by this factor, as more rows or another seed may."""


@dataclass
class MemoryModel:
    """What fits need of what there is, in MiB.

    Attributes
    ----------
    columns : raw columns, which stand for the features until a representation has been encoded once.
    learns : False keeps the guesses static, for budgets of work units in which no measurement may count.

    Examples
    --------
    >>> model = MemoryModel(limit_mb=1000.0, columns=100)
    >>> ridge = Candidate("ridge", "ridge", {}, "linear")
    >>> model.fits(ridge, 100_000), model.fits(ridge, 1_000_000)
    (True, False)
    >>> model.refusal(ridge, 1_000_000)
    'skipped: would need 3.8 GiB of 1.0'
    >>> model.rows_that_fit(ridge, 1_000_000)
    246415
    """

    limit_mb: float
    columns: int
    learns: bool = True
    features: dict[str, int] = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def need_mb(self, candidate: Candidate, rows: int) -> float:
        """What a fit on so many rows is expected to take at its peak."""
        return BASE_MB + self.rate(candidate) * rows * self.width(candidate.representation) / 2**20

    def width(self, representation: str) -> int:
        return self.features.get(representation, max(self.columns, 1))

    def rate(self, candidate: Candidate) -> float:
        """Bytes for each row of each feature."""
        measured = self.rates.get(candidate.algorithm)
        if measured:
            return WARY * max(measured)
        return BYTES_A_CELL.get(algorithms()[candidate.algorithm].tags.family, UNKNOWN_BYTES)

    def fits(self, candidate: Candidate, rows: int, taken_mb: float = 0.0) -> bool:
        """Whether a fit has room beside `taken_mb` that others under way need."""
        return taken_mb + self.need_mb(candidate, rows) <= self.limit_mb

    def refusal(self, candidate: Candidate, rows: int) -> str:
        """Why a fit never starts."""
        return f"skipped: would need {self.need_mb(candidate, rows) / 1024:.1f} GiB of {self.limit_mb / 1024:.1f}"

    def rows_that_fit(self, candidate: Candidate, rows: int) -> int:
        """The most rows, up to `rows`, on which a candidate has room."""
        room = max(self.limit_mb - BASE_MB, 0.0) * 2**20
        return min(rows, int(room / (self.rate(candidate) * self.width(candidate.representation))))

    def learn(self, candidate: Candidate, outcome: FitOutcome) -> None:
        """Take in what a fit took at its peak; nothing where that was not measured, or too little to tell."""
        if not self.learns or not outcome.ok or not outcome.rows:
            return
        self.features[candidate.representation] = outcome.features
        cells = outcome.rows * max(outcome.features, 1)
        if outcome.peak_mb > 2 * BASE_MB and cells >= 2**20:
            self.rates[candidate.algorithm].append((outcome.peak_mb - BASE_MB) * 2**20 / cells)


def memory_limit_mb() -> float:
    """What a run may take where nothing else was said, in MiB."""
    return MEMORY_SHARE * available_mb()


def available_mb(system: Path = Path("/")) -> float:
    """Memory that can still be taken, in MiB: what the system says is available, or the rest of a control group's.

    Parameters
    ----------
    system : where ``proc`` and ``sys`` are.
    """
    found = []
    with suppress(OSError, ValueError):
        lines = (system / "proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable:")]
    for group in control_groups(system):
        with suppress(OSError, ValueError):
            limit = (group / "memory.max").read_text(encoding="ascii").strip()
            if limit != "max":
                used = int((group / "memory.current").read_text(encoding="ascii"))
                found.append((int(limit) - used) / 2**20)
    return max(min(found, default=4096.0), 128.0)


def control_groups(system: Path) -> Iterator[Path]:
    """The control group of this process and all above it, each of which may have a limit."""
    top = system / "sys/fs/cgroup"
    yield top
    with suppress(OSError):
        for line in (system / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::/"):
                inner = Path(line[4:])
                yield from (top / part for part in (inner, *inner.parents) if part != Path())
