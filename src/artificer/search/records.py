"""What search takes and gives: frozen records, JSON-ready where a person or a file will see them.

Losses are lower-is-better whatever the metric; scores are in the metric's own direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from artificer.clock import Clock, SystemClock
from artificer.errors import ConfigurationError
from artificer.graph import Fragment
from artificer.types import Blocks, Doubles, Ints, Json, Kind, Params, Task

if TYPE_CHECKING:
    from artificer.bundle.calibration import Calibration
    from artificer.metrics.base import Metric
    from artificer.search.executor import Executor
    from artificer.search.frontier import Option
    from artificer.search.stacking import Pooling

Status = Literal["finished", "dropped", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Budget:
    """How much work a search may do: wall-clock seconds, or a number of fits (deterministic work units).

    Under ``fits`` no clock influences any decision, so the same seed gives the same result on any machine.

    Examples
    --------
    >>> Budget(seconds=60).seconds
    60
    >>> Budget(seconds=60, fits=3)
    Traceback (most recent call last):
    artificer.errors.ConfigurationError: a budget is either seconds or fits, and above 0; got seconds=60, fits=3
    """

    seconds: float | None = None
    fits: int | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.seconds, self.fits) if value is not None]
        if len(given) != 1 or not given[0] > 0:
            raise ConfigurationError(
                f"a budget is either seconds or fits, and above 0; got seconds={self.seconds}, fits={self.fits}"
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """An algorithm with its hyperparameters and the representation it is fed; what races against the others."""

    name: str
    algorithm: str
    params: Params
    representation: str

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing that happened, for those who watch. Probabilities and scores are of the moment.

    Attributes
    ----------
    phase : ``search``, ``refit`` or ``finished``.
    seconds : since the start; `budget_seconds` is None under a budget of fits.
    leader, leader_score : the best candidate so far, None before the first fold.
    """

    phase: Literal["search", "refit", "finished"]
    message: str
    seconds: float
    budget_seconds: float | None
    fits: int
    leader: str | None
    leader_score: float | None
    probabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchRequest:
    """Everything one search needs to know.

    Attributes
    ----------
    y : class codes int64 (n,), or values float64 (n,) in the target's own unit.
    folds : (training rows, validation rows) pairs; rows may be missing from all of them (forward chaining).
    candidates : None for the portfolio of every registered algorithm.
    executor : None for one that suits the size of the table.
    weight : (n,) how much each row counts in learning and in scores; None where all count alike.
    class_weights : (c,) how much more the rows of each class count in learning; None where they count alike.
    monotone : 1 for columns of numbers with which scores (of two classes, those of the second) may only rise, -1 for
        those with which they may only fall; only algorithms that obey take part.
    groups, times : (n,) by which the folds were made, None where rows are exchangeable; encoders that use the target
        keep to them, too.
    grouped : groups are entities; what is fitted on some of them is judged on others, encoders included.
    levels : the quantiles that are wanted, rising, as many as `n_classes`; empty for other tasks.
    model_mb : members are left out until the deployed graph is at most this large; None for a usual size.
    checkpoint : a folder of finished fits: those of this very table are taken up, further ones are written there.
    memory_mb : what all fits together may take, in MiB; None for a share of what is free.
    row_ms : members are chosen so that the graph is expected to answer one row in this time; None for a usual time.
    """

    blocks: Blocks
    y: Doubles | Ints
    task: Task
    n_classes: int
    names: Mapping[Kind, Sequence[str]]
    folds: Sequence[tuple[Ints, Ints]]
    metric: Metric
    groups: Ints | None = None
    times: Ints | Doubles | None = None
    grouped: bool = False
    weight: Doubles | None = None
    class_weights: Doubles | None = None
    monotone: Mapping[str, int] = field(default_factory=dict)
    levels: tuple[float, ...] = ()
    candidates: tuple[Candidate, ...] | None = None
    budget: Budget = field(default_factory=lambda: Budget(seconds=60.0))
    seed: int = 0
    threads: int = 2
    executor: Executor | None = None
    clock: Clock = field(default_factory=SystemClock)
    progress: Callable[[Progress], None] | None = None
    model_mb: float | None = None
    memory_mb: float | None = None
    checkpoint: Path | None = None
    row_ms: float | None = None


def balanced(y: Ints, n_classes: int, weight: Doubles | None = None) -> Doubles:
    """Weights (c,) by which every class counts as much as any other; those without rows get 1.

    Examples
    --------
    >>> balanced(np.array([0, 0, 0, 1]), 2).round(3).tolist()
    [0.667, 2.0]
    """
    counts = np.bincount(y, weight, n_classes)
    present = counts > 0
    found = np.ones(n_classes)
    found[present] = counts.sum() / (present.sum() * counts[present])
    return found


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """What is known of one candidate when the race is over.

    Attributes
    ----------
    score : mean over its folds, in the metric's own direction; None where no fold was finished.
    interval : 95 % t interval of the score, its variance corrected for overlapping training sets; None below two folds.
    success_probability : that it is within epsilon of the best candidate.
    weight : its share of the ensemble, 0 for those outside.
    """

    name: str
    algorithm: str
    params: Params
    score: float | None
    interval: Interval | None
    success_probability: float
    weight: float
    fit_seconds: float
    folds: int
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Candidates, best first, and the ensemble they ended in.

    Attributes
    ----------
    score : the ensemble's, out of fold, mean over folds, by weights that the other folds chose where there was time to
        judge the choice. It is optimistic by a little: the way of averaging was picked by the same losses, and boosting
        stops early on the rows it is scored on.
    interval : of that score, as those of the rows are.
    """

    rows: tuple[LeaderboardRow, ...]
    metric: str
    greater_is_better: bool
    score: float | None
    baseline_score: float | None
    interval: Interval | None = None

    def to_json(self) -> Json:
        return {key: _plain(value) for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Part:
    """One fitted model as graph fragments: its representation and itself."""

    representation: Fragment
    representation_key: str
    model: Fragment


@dataclass(frozen=True, slots=True)
class Member:
    """One candidate of the ensemble: the average of its parts, which are its folds' models or one fit on all rows."""

    candidate: Candidate
    weight: float
    rounds: int | None
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class SearchResult:
    """What a search hands on.

    Attributes
    ----------
    members : weights sum to 1.
    calibration : goes after the weighted average.
    recipe : what :func:`artificer.search.search.refit` repeats on new data.
    oof_scores : (m, c) calibrated out-of-fold scores of the ensemble, for regression in the target's unit.
    oof_rows : (m,) the rows they belong to; empty where nothing was validated.
    notes : what was left out or cut short, and why, in sentences.
    options : models that were considered, with what each would cost in use.
    pooling : how members are averaged, as assembling has to know.
    """

    leaderboard: Leaderboard
    members: tuple[Member, ...]
    calibration: Calibration
    recipe: Json
    oof_scores: Doubles
    oof_rows: Ints
    seconds: float
    fits: int
    notes: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    pooling: Pooling = "mean"

    def graphs(self) -> list[Any]:
        """The members as :func:`artificer.bundle.assemble.assemble` takes them."""
        from artificer.bundle.assemble import MemberGraph

        return [
            MemberGraph(
                part.representation, part.representation_key, part.model, member.weight / len(member.parts), number
            )
            for number, member in enumerate(self.members)
            for part in member.parts
        ]


def _plain(value: Any) -> Any:
    """Make asdict's output strict JSON: tuples to lists, numpy scalars to Python's, non-finite numbers to null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
