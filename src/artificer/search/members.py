"""The members' fits on all rows, side by side where the session has room, within the time and size that are left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from artificer.algorithms.base import algorithms
from artificer.errors import TrainingError
from artificer.search.executor import Handle, InlineSession, wait_any
from artificer.search.run import Run
from artificer.search.tasks import ROUND_KEYS, FitOutcome, FitTask, with_rounds

ENOUGH_ROUNDS = 0.8


def fit_members(run: Run, wanted: Mapping[int, float]) -> dict[int, FitOutcome]:
    """Fit members on all rows, the heaviest first; those that do not fit into the time or size left are left out."""
    order = sorted(wanted, key=lambda i: (-wanted[i], i))
    outcomes = Refits(run, order).outcomes()
    found: dict[int, FitOutcome] = {}
    for i in order:
        name, outcome = run.race.standings[i].candidate.name, outcomes[i]
        if not outcome.ok or outcome.model is None:
            run.notes.append(f"{name} was left out of the model: {outcome.reason}")
        elif i and run.request.model_mb is not None and size_mb([*found.values(), outcome]) > run.request.model_mb:
            run.notes.append(
                f"{name} was left out of the model: with it the model would be above {run.request.model_mb:g} MB"
            )
        else:
            found[i] = outcome
    return found


def is_cut(outcome: FitOutcome) -> bool:
    """Whether the deadline stopped a fit so early that scores of other fits say nothing of it.

    Boosting that was stopped near the rounds it was to have is as good as done; an optimiser that was stopped is not.
    """
    if outcome.complete:
        return False
    wanted = next((outcome.task.params[key] for key in ROUND_KEYS if key in outcome.task.params), None)
    return outcome.rounds is None or wanted is None or outcome.rounds < ENOUGH_ROUNDS * wanted


@dataclass
class Refits:
    """Fits on all rows under way. A model that is ready already stands in for one that there is no time for."""

    run: Run
    queue: list[int]
    running: dict[Handle, tuple[int, FitTask]] = field(default_factory=dict)
    ended: dict[int, FitOutcome] = field(default_factory=dict)

    def outcomes(self) -> dict[int, FitOutcome]:
        self.queue = list(self.queue)
        everyone = list(self.queue)
        try:
            while self.queue or self.running:
                while self.queue and len(self.running) < self.run.session.slots:
                    self.begin(self.queue.pop(0))
                if self.running:
                    self.collect()
        except KeyboardInterrupt:
            self.run.notes.append("fitting on all rows was interrupted; members not yet fitted are left out")
            self.stop("it was interrupted")
        return {i: self.settled(i) for i in everyone}

    def begin(self, i: int) -> None:
        run, ready = self.run, self.run.ready.get(i)
        cost = run.whole_cost(i)
        if i == 0:
            self.ended[0] = baseline_member(run)
        elif ready is not None and cost == 0:
            self.ended[i] = ready
        elif cost <= run.left:
            task = whole_task(run, i)
            run.fits += 1
            self.running[run.session.submit(task)] = (i, task)
        else:
            self.ended[i] = FitOutcome(run.task(i, None), ok=False, reason="no time was left to fit it on all rows")

    def collect(self) -> None:
        run = self.run
        done = wait_any(list(self.running), None if run.total == math.inf else max(run.left, 0.02))
        if not done:
            self.stop("the budget ended before it was fitted on all rows")
        for handle in done:
            i, _ = self.running.pop(handle)
            outcome = handle.result()
            if outcome.ok:
                name = run.race.standings[i].candidate.name
                run.tell("refit", f"{name} fitted on all rows in {outcome.seconds:.1f} s")
            else:
                outcome = replace(outcome, reason=f"fitting it on all rows failed ({outcome.reason})")
            self.ended[i] = outcome

    def stop(self, reason: str) -> None:
        for handle, (i, task) in self.running.items():
            self.run.session.stop(handle)
            self.ended[i] = FitOutcome(task, ok=False, reason=reason)
        self.running.clear()
        for i in self.queue:
            self.ended[i] = FitOutcome(self.run.task(i, None), ok=False, reason=reason)
        self.queue.clear()

    def settled(self, i: int) -> FitOutcome:
        ended = self.ended.get(i) or FitOutcome(self.run.task(i, None), ok=False, reason="it was interrupted")
        return ended if ended.ok and not is_cut(ended) else self.run.ready.get(i, ended)


def whole_task(run: Run, i: int) -> FitTask:
    """A fit on all rows, with the rounds that its folds found best."""
    task = run.task(i, None)
    return replace(task, params=with_rounds(task.params, algorithms()[task.algorithm].defaults, rounds_of(run, i)))


def rounds_of(run: Run, i: int) -> int | None:
    """Mean best rounds over the folds, a little more because all rows are more than a fold's."""
    found = [o.rounds for o in run.race.standings[i].outcomes.values() if o.rounds]
    if not found:
        return None
    more = math.sqrt(len(run.data.blocks) / max(run.n_train, 1)) if run.max_rows is None else 1.0
    return max(1, round(float(np.mean(found)) * min(more, 1.25)))


def baseline_member(run: Run) -> FitOutcome:
    outcome = InlineSession(run.data, run.clock).submit(whole_task(run, 0)).result()
    if not outcome.ok:
        raise TrainingError(f"not even the constant baseline could be fitted: {outcome.reason}")
    return outcome


def size_mb(outcomes: list[FitOutcome]) -> float:
    """Size of the graph that these members make, each representation counted once."""
    parts = {o.task.features_key: len(o.representation.model) for o in outcomes if o.representation}
    return (sum(parts.values()) + sum(len(o.model.model) for o in outcomes if o.model)) / 1e6
