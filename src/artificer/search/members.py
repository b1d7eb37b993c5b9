"""The members as they will be packed: averages of their folds' models, or fits on all rows, within time and limits.

Where rows are exchangeable a member is the average of the models of its folds: they exist when the search is over, and
together they have seen every row. In chains over time the newest rows count most and only a fit on all rows has seen
them; such fits run here, side by side where the session has room.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from artificer.algorithms.base import algorithms
from artificer.errors import TrainingError
from artificer.search.executor import Handle, InlineSession, wait_any
from artificer.search.frontier import Limits, price_of, spread
from artificer.search.run import LEAST_ROWS, Run
from artificer.search.scratch import with_model
from artificer.search.tasks import ROUND_KEYS, FitOutcome, FitTask, with_rounds

ENOUGH_ROUNDS = 0.8
LIKE = 0.5
"""A fold of which less than this part was used, compared with a candidate's other folds, was fitted on a sample."""


@dataclass(frozen=True)
class Made:
    """One member: the average of its parts, which are models of folds, or a single fit on all rows."""

    parts: tuple[FitOutcome, ...]

    @property
    def folds(self) -> tuple[int, ...]:
        """Folds whose models the parts are; none for a fit on all rows."""
        return tuple(part.task.fold for part in self.parts if part.task.fold is not None)

    @property
    def rounds(self) -> int | None:
        found = [part.rounds for part in self.parts if part.rounds]
        return round(float(np.mean(found))) if found else None

    @property
    def seconds(self) -> float:
        """Of the parts' fits, one after the other."""
        return sum(part.seconds + part.encode_seconds for part in self.parts)


def make_members(run: Run, wanted: Mapping[int, float], limits: Limits) -> dict[int, Made]:
    """Make the members out of what the search has kept, and fit the others on all rows, the heaviest first.

    Those that do not fit into the time, size or latency left are left out.
    """
    order = sorted(wanted, key=lambda i: (-wanted[i], i))
    kept = {i: kept_parts(run, i) for i in order if run.bagged(i)}
    counts = spread(run, wanted, kept, limits)
    bags = {i: counts[i] for i in order if i in counts and (len(counts[i]) > 1 or not has_time(run, order, i))}
    found = {i: made for i, parts in bags.items() if (made := loaded(run, parts)) is not None}
    outcomes = Refits(run, [i for i in order if i not in found]).outcomes()
    for i, outcome in outcomes.items():
        name = run.race.standings[i].candidate.name
        made = loaded(run, [outcome]) if outcome.ok and outcome.has_model else None
        if made is None:
            run.notes.append(f"{name} was left out of the model: {outcome.reason or 'its files are gone'}")
        elif i and not price_of([*found.values(), made]).within(limits.us, limits.mb) and (found or limits.asked):
            run.notes.append(f"{name} was left out of the model: with it the model would be above {limits}")
        else:
            found[i] = made
    return {i: found[i] for i in order if i in found}


def has_time(run: Run, order: Iterable[int], i: int) -> bool:
    """Whether a fit of all rows, which is better than one fold's model, can run: not while a budget of fits counts."""
    if run.request.budget.fits is not None or run.interrupted:
        return False
    return run.together([i, *(j for j in order if not run.bagged(j))]) <= 0.9 * run.left


def kept_parts(run: Run, i: int) -> tuple[FitOutcome, ...]:
    """Models of a candidate's folds that were fitted alike."""
    ready = run.ready.get(i)
    if ready is not None and ready.task.fold is None and run.whole_cost(i) == 0:
        return ()  # seen all rows already
    outcomes = run.race.standings[i].outcomes
    return tuple(outcomes[f] for f in sorted(alike(run, i)) if outcomes[f].has_model)


def alike(run: Run, i: int) -> set[int]:
    """Folds of a candidate that were fitted on about as many rows as most, and were not stopped early."""
    outcomes = run.race.standings[i].outcomes
    share = {f: o.rows / len(run.data.folds[f][0]) for f, o in outcomes.items()}
    most = max(share.values(), default=0.0)
    return {f for f, o in outcomes.items() if not i or (share[f] >= LIKE * most and not is_cut(o))}


def loaded(run: Run, parts: Iterable[FitOutcome]) -> Made | None:
    """The parts with their fragments in memory; those whose files are gone are left out, and None is left of none."""
    found = []
    for part in parts:
        try:
            found.append(with_model(part))
        except (OSError, ValueError, KeyError):
            run.notes.append(f"the model of a fold of {part.task.candidate} cannot be read and is left out")
    return Made(tuple(found)) if found else None


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
                while self.queue and len(self.running) < self.run.session.slots and self.has_room(self.queue[0]):
                    self.begin(self.queue.pop(0))
                if self.running:
                    self.collect()
        except KeyboardInterrupt:
            self.run.interrupted = self.run.stopped = True
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
        elif run.stopped:
            self.ended[i] = FitOutcome(run.task(i, None), ok=False, reason="it was interrupted")
        elif cost <= run.left:
            task = self.with_room(i, whole_task(run, i))
            if task is None:
                reason = run.memory.refusal(run.race.standings[i].candidate, LEAST_ROWS)
                self.ended[i] = FitOutcome(run.task(i, None), ok=False, reason=reason)
                return
            run.fits += 1
            self.running[run.session.submit(task)] = (i, task)
        else:
            self.ended[i] = FitOutcome(run.task(i, None), ok=False, reason="no time was left to fit it on all rows")

    def has_room(self, i: int) -> bool:
        """Whether a fit has room in memory beside those under way; one by itself takes what rows there is room for."""
        run = self.run
        rows = run.rows(len(run.data.blocks))
        taken = sum(run.memory.need_mb(run.race.standings[j].candidate, rows) for j, _ in self.running.values())
        return not self.running or i == 0 or run.memory.fits(run.race.standings[i].candidate, rows, taken)

    def with_room(self, i: int, task: FitTask) -> FitTask | None:
        """The fit on as many rows as have room in memory; None where that is too few."""
        run = self.run
        candidate, rows = run.race.standings[i].candidate, run.rows(len(run.data.blocks))
        most = run.memory.rows_that_fit(candidate, rows)
        if most >= rows:
            return task
        if most < LEAST_ROWS:
            return None
        run.short_of_memory.add(i)
        run.notes.append(
            f"{candidate.name} was fitted on a sample of {most:,} rows, as many as the memory limit of "
            f"{run.memory.limit_mb / 1024:.1f} GiB has room for"
        )
        return replace(task, max_rows=most)

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
