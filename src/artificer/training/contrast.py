"""What a random split would have promised: one light learner on the honest folds, and on the same rows dealt at random.

Both figures are of training rows alone, and of training sets of the same sizes; the difference is the split's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.clock import derive_seed
from artificer.errors import DataError, TargetError
from artificer.search.records import SearchRequest
from artificer.splits.plan import SplitPlan
from artificer.splits.split import Split, holdout
from artificer.training.light import LEARNER, light_losses
from artificer.training.parting import search_folds
from artificer.types import Ints, Json

SHARE, MOST_SECONDS, LEAST_SECONDS = 0.08, 5.0, 0.6
"""Share of a budget of seconds that this takes, and its ends."""

LEAST_FITS, FITS = 10, 2
"""From a budget of so many fits on, so many of them are for this."""

MOST_ROWS, MOST_CELLS = 20_000, 2_000_000
"""Of larger tables whole groups, or the newest rows, are looked at."""

MOST_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Contrast:
    """The figures of both splits, in the metric's own direction, mean over folds."""

    metric: str
    random: float
    honest: float
    algorithm: str
    folds: int
    rows: int

    @property
    def sentence(self) -> str:
        return (
            f"a random split would have said {self.metric} {self.random:.4g}, the honest one says {self.honest:.4g} "
            f"({self.algorithm} on {self.folds} {'fold' if self.folds == 1 else 'folds'} of the same training rows, "
            "parted either way)"
        )

    def to_json(self) -> Json:
        return {**asdict(self), "sentence": self.sentence}


def allowance(search: SearchRequest, plan: SplitPlan) -> tuple[SearchRequest, float]:
    """The request with what is kept back for this taken from its budget, and that: seconds, or fits; 0 for nothing."""
    if plan.kind == "random" or not search.folds:
        return search, 0.0
    budget = search.budget
    if budget.fits is not None:
        kept = FITS if budget.fits >= LEAST_FITS else 0
        return replace(search, budget=replace(budget, fits=budget.fits - kept)), float(kept)
    seconds = budget.seconds or 0.0
    kept_seconds = min(SHARE * seconds, MOST_SECONDS)
    if kept_seconds < LEAST_SECONDS:
        return search, 0.0
    return replace(search, budget=replace(budget, seconds=seconds - kept_seconds)), kept_seconds


def contrast(search: SearchRequest, plan: SplitPlan, allowed: float, seed: int) -> Contrast | None:
    """Measure both splits; None where nothing is allowed, or no fold can be judged by the metric.

    Parameters
    ----------
    search : the training rows, with the honest folds.
    plan : how those were made, of the same rows.
    allowed : seconds, or fits where the budget is of fits.
    """
    if not allowed:
        return None
    search, plan = _bounded(search, plan, seed)
    pairs = [(pair, dealt) for pair in search.folds if (dealt := _at_random(search, pair, seed)) is not None]
    pairs = pairs[::-1][:MOST_FOLDS]  # those with the most training rows first, where folds are in time
    if not pairs:
        return None
    found = _losses(search, pairs, allowed)
    decided = [both for both in found if all(map(np.isfinite, both))]
    if not decided:
        return None
    honest, random = (float(np.mean(losses)) for losses in zip(*decided, strict=True))
    sign = -1.0 if search.metric.greater_is_better else 1.0
    rows = int(np.mean([len(a) + len(b) for (a, b), _ in pairs]))
    return Contrast(search.metric.name, sign * random, sign * honest, LEARNER, len(decided), rows)


def _losses(search: SearchRequest, pairs: list[tuple[Split, Split]], allowed: float) -> list[tuple[float, float]]:
    """Losses of (honest, random) folds, pair by pair, as long as time is left."""
    counted = search.budget.fits is not None
    began = search.clock.monotonic()

    def goes_on(done: int) -> bool:
        number = done // 2
        if done % 2:
            return True
        if counted:
            return done < allowed
        return not number or search.clock.monotonic() - began <= allowed * number / (number + 1)

    losses = light_losses(
        search,
        [(fold, at_random) for pair in pairs for fold, at_random in zip(pair, (False, True), strict=True)],
        goes_on=goes_on,
        soft_seconds=float("inf") if counted else allowed / 2,
    )
    return list(zip(losses[::2], losses[1::2], strict=False))


def _bounded(search: SearchRequest, plan: SplitPlan, seed: int) -> tuple[SearchRequest, SplitPlan]:
    """Few enough rows: the newest ones, or whole groups, as single rows would not show what neighbours give away."""
    n = len(search.y)
    columns = max(sum(len(names) for names in search.names.values()) * search.n_classes, 1)
    most = max(min(MOST_ROWS, MOST_CELLS // columns), 500)
    if n <= most:
        return search, plan
    if plan.times is not None:
        rows: Ints = np.sort(np.argsort(plan.times, kind="stable")[-most:])
    else:
        assert plan.groups is not None  # noqa: S101 - a plan that is not random has one of them
        order = np.random.default_rng(seed).permutation(int(plan.groups.max()) + 1)
        rank = np.argsort(order)[plan.groups]
        rows = np.sort(np.argsort(rank, kind="stable")[:most])
    plan = plan.take(rows)
    y = search.y[rows]
    try:
        parts = search_folds(plan, search.task, y, seed)
    except DataError:
        parts = ()
    weight = None if search.weight is None else search.weight[rows]
    bounded = replace(search, blocks=search.blocks.take(rows), y=y, folds=parts, weight=weight)
    return replace(bounded, groups=plan.groups, times=plan.times), plan


def _at_random(search: SearchRequest, pair: Split, seed: int) -> Split | None:
    """The rows of a fold, dealt to parts of the same sizes as if they were exchangeable."""
    rows: NDArray[Any] = np.concatenate(pair)
    share = len(pair[1]) / len(rows)
    try:
        train, valid = holdout(len(rows), search.task, search.y[rows], share, derive_seed(seed, "contrast"))
    except (DataError, TargetError):
        return None
    return rows[train], rows[valid]
