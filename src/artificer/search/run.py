"""One search under way: keeps the budget between the race, which knows no clock, and the executor, which has no aim."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from artificer.features.planning import plan
from artificer.features.representation import RepresentationSpec
from artificer.search.admission import MemoryModel, memory_limit_mb
from artificer.search.blend import Blend, worth
from artificer.search.costs import CostModel
from artificer.search.executor import Handle, InlineSession, Session, wait_any
from artificer.search.objective import STAND_INS, Objective
from artificer.search.priors import TableShape, priors
from artificer.search.race import ENOUGH, Phase, Race, Standing
from artificer.search.records import Candidate, Progress, SearchRequest
from artificer.search.tasks import FitOutcome, FitTask, TrainingData
from artificer.search.tuning import Tuner
from artificer.search.variants import drop_idle
from artificer.types import Kind

MAX_MEMBERS = 5
RESERVED_MEMBERS = 3
"""So many of the best candidates' fits on all rows are kept back from the search."""

LARGEST_RESERVE = 0.4
PHASES: tuple[tuple[float, Phase], ...] = ((0.45, "explore"), (0.65, "compare"), (1.0, "complete"))
"""What the race is for, up to which share of the budget that is not reserved."""

FIRST_FIT_SHARE = 0.3
"""An unmeasured candidate may take this share of what is left, in case its guess was wrong."""

CHOOSING_SECONDS = 0.5
CHOOSING_SHARE = 0.05
"""What choosing the members' weights takes, at most this share of the budget."""

TIGHT_SHARE = 0.1
"""Where a fold and a fit on all rows take more than this share of what is left, the fold's model is kept."""

SHORT_SECONDS = 60.0
"""Up to this budget the model of every first fold is kept: guesses of what there will be time for are too rough."""

VARIANT_SHARE = 0.15
"""A variant is not begun where its folds would take more than this share of the budget: it may be all for nothing."""

KEPT_MEMBERS = 3
PRESSING = 1.3
"""Time is kept for all folds of so many of the best candidates, so many times what they are expected to take."""

LEAST_ROWS = 500
HANG_SECONDS = 600.0
HANG_FACTOR = 100.0
"""Under a budget of fits, a fit that takes this many times what was guessed, and this long at least, counts as hung."""


class Run:
    """State of one search or refit."""

    def __init__(
        self,
        request: SearchRequest,
        candidates: Sequence[Candidate],
        data: TrainingData,
        objective: Objective,
        session: Session,
        started: float,
    ) -> None:
        self.request, self.data, self.objective, self.session = request, data, objective, session
        self.clock = request.clock
        self.started = started
        budget = request.budget
        self.deadline = math.inf if budget.seconds is None else started + budget.seconds - margin(budget.seconds)
        blocks = data.blocks
        columns = sum(blocks.of(kind).shape[1] for kind in Kind)
        train_rows = [len(train) for train, _ in data.folds]
        self.n_train = int(np.mean(train_rows)) if train_rows else len(blocks)
        shape = replace(TableShape.of(blocks, data.task, data.n_classes), rows=self.n_train)
        self.race = Race(
            candidates, priors(candidates, shape), [len(v) for _, v in data.folds], train_rows, request.seed
        )
        self.race.bags = data.exchangeable
        self.tuner = Tuner(self.race, request.seed) if request.candidates is None else None
        """Makes new candidates; none where the caller has said which ones there are."""
        self.costs = CostModel(columns, data.n_classes, learns=budget.fits is None)
        limit_mb = request.memory_mb or memory_limit_mb()
        self.memory = MemoryModel(limit_mb, columns, learns=budget.fits is None)
        self.representations = plans(candidates, data)
        self.max_rows: int | None = None
        self.room_rows: int | None = None
        """Rows there is room for in memory, where that is less than there are."""
        self.fits = 0
        self.task_count = 0
        self.notes: list[str] = []
        self.running: dict[Handle, tuple[int, FitTask]] = {}
        self.ready: dict[int, FitOutcome] = {}
        """Models that exist already, by candidate: fitted on all rows, a sample or a fold."""
        self.whole: set[int] = set()
        """Candidates of a recipe that are one fit on all rows, though the models of their folds could be kept."""
        self.interrupted = False
        self.stopped = False
        """Whether Ctrl-C came while members were fitted on all rows: no further fit is started."""
        self.short_of_memory: set[int] = set()
        """Members that were fitted on as many rows as there was room for in memory."""
        self.weighed: set[int] = set()
        valid = [rows for _, rows in data.folds]
        self.blend = Blend(objective, [data.y[rows] for rows in valid], [data.weight_of(rows) for rows in valid])

    # Time and fits left

    @property
    def left(self) -> float:
        """Seconds until the run has to be over."""
        return self.deadline - self.clock.monotonic()

    @property
    def total(self) -> float:
        return self.deadline - self.started

    def reserve(self) -> float:
        """Seconds kept back for choosing the members, and for fitting on all rows those that need it."""
        if self.total == math.inf:
            return 0.0
        ran = [i for i, s in enumerate(self.race.standings) if i > 0 and s.outcomes and not s.failed]
        best = sorted(ran, key=lambda i: self.race.belief.mean[i])[:RESERVED_MEMBERS]
        names = {self.race.standings[i].candidate.representation for i in best if self.bagged(i)}
        encoding = sum(self.costs.encode(name, self.rows(len(self.data.blocks))) for name in names)
        best = [i for i in best if self.needs_refit(i)]
        choosing = min(CHOOSING_SECONDS, CHOOSING_SHARE * self.total)
        return min(self.together(best) + encoding + choosing, LARGEST_RESERVE * self.total)

    def together(self, indices: Iterable[int]) -> float:
        """Seconds of some candidates' fits on all rows, side by side where the session has room for several."""
        costs = [self.whole_cost(i) for i in indices]
        return max([sum(costs) / self.session.slots, *costs])

    def bagged(self, i: int) -> bool:
        """Whether a candidate becomes the average of its folds' models, so that no fit is thrown away."""
        return self.data.exchangeable and i > 0 and i not in self.whole

    def needs_refit(self, i: int) -> bool:
        """Whether time has to be kept for a fit on all rows: also where a recipe's folds will not all be run."""
        if self.race.adaptive or not self.bagged(i):
            return not self.bagged(i)
        left = [j for j, s in enumerate(self.race.standings) if j > 0 and not s.failed]
        seconds = sum(
            (len(s.losses) - len(s.outcomes)) * self.fold_cost(j) for j in left for s in [self.race.standings[j]]
        )
        return seconds / self.session.slots > self.left

    def reserved_fits(self) -> int:
        if self.data.exchangeable and not self.whole:
            return 0
        fits = self.request.budget.fits or 0
        return min(MAX_MEMBERS, max(1, fits // 6))

    def rows(self, n: int) -> int:
        return n if self.max_rows is None else min(n, self.max_rows)

    def fold_cost(self, i: int) -> float:
        candidate = self.race.standings[i].candidate
        return self.costs.estimate(candidate, self.rows(self.n_train)) + self.start_cost(candidate)

    def start_cost(self, candidate: Candidate) -> float:
        return self.costs.start(candidate, loaded=candidate.algorithm in self.session.loaded)

    def whole_cost(self, i: int) -> float:
        """Seconds of a fit on all rows, writing the graph included."""
        ready = self.ready.get(i)
        if ready is not None and ready.task.fold is None and ready.rows >= self.rows(len(self.data.blocks)):
            return 0.0
        return 1.1 * self.costs.estimate(self.race.standings[i].candidate, self.rows(len(self.data.blocks))) + 0.05

    def affordable(self, i: int) -> bool:
        if not self.has_room(i):
            return False
        if self.request.budget.fits is not None:
            return self.fits + len(self.running) < self.request.budget.fits - self.reserved_fits()
        if self.race.standings[i].outcomes:
            return 1.1 * self.fold_cost(i) + self.reserve() < self.left
        if self.race.base_of(i) is not None and self.folds_seconds(i) > VARIANT_SHARE * self.total:
            return False
        # The first learner may use time that is later kept back for its own fit on all rows.
        whole = min(self.whole_cost(i), LARGEST_RESERVE * self.total) if self.needs_refit(i) else 0.0
        return 1.1 * self.fold_cost(i) + max(self.reserve(), whole) < self.left

    def folds_seconds(self, i: int) -> float:
        """Seconds of all folds of a candidate, side by side where the session has room for several."""
        return len(self.race.standings[i].losses) * self.fold_cost(i) / self.session.slots

    def has_room(self, i: int) -> bool:
        """Whether a fold has room in memory beside those under way."""
        rows = self.rows(self.n_train)
        taken = sum(self.memory.need_mb(self.race.standings[j].candidate, rows) for j, _ in self.running.values())
        return self.memory.fits(self.race.standings[i].candidate, rows, taken)

    def members_are_pressing(self) -> bool:
        """Whether what is left is just enough for all folds of the best candidates, whose models members are made of.

        While fewer than :data:`KEPT_MEMBERS` have run, those to come are taken to cost what the leader does.
        """
        standings = self.race.standings
        leader = self.race.leader()
        if not self.bagged(leader):
            return False
        best = self.race.likely_members(self.fold_cost)[:KEPT_MEMBERS]
        folds = {i: standings[i].folds_left for i in best}
        if not any(folds.values()):
            return False
        to_come = (KEPT_MEMBERS - len(best)) * len(standings[leader].losses)
        if self.request.budget.fits is not None:
            return sum(folds.values()) + to_come >= self.request.budget.fits - self.fits - len(self.running)
        seconds = sum(folds[i] * self.fold_cost(i) for i in best) + to_come * self.fold_cost(leader)
        return PRESSING * seconds / self.session.slots >= self.left - self.reserve()

    def phase(self) -> Phase:
        if self.members_are_pressing():
            return "complete"
        if self.request.budget.fits is not None:
            spent = self.fits / max(self.request.budget.fits - self.reserved_fits(), 1)
        elif self.total == math.inf:
            spent = 0.0
        else:
            spent = (self.clock.monotonic() - self.started) / max(self.total - self.reserve(), 1e-9)
        return next((phase for share, phase in PHASES if spent < share), "complete")

    # Steps

    def baseline(self) -> None:
        """The constant, on every fold, in this process: it takes microseconds and makes any later trouble harmless."""
        session = InlineSession(self.data, self.clock)
        for fold in range(len(self.data.folds)):
            outcome = session.submit(self.task(0, fold)).result()
            self.take(0, fold, outcome)
        if self.data.folds and not np.isfinite(self.race.standings[0].losses).any():
            name = self.request.metric.name
            stand_in = STAND_INS.get(self.data.task, "log_loss").replace("_", " ")
            self.notes.append(f"{name} is not defined on any fold, so candidates were compared by {stand_in}")
            self.objective = replace(self.objective, metric=None)
            for fold, outcome in self.race.standings[0].outcomes.items():
                self.take(0, fold, outcome)

    def sample_if_short(self) -> None:
        """Where the budget is too short for one fold and one fit of the quickest strong candidate, use fewer rows."""
        if self.total == math.inf or not self.data.folds or len(self.race.standings) < 2:
            return
        quick = min(self.race.strong(), key=self.fold_cost)
        if self.start_cost(self.race.standings[quick].candidate) > 0.5 * self.left:
            quick = min(range(1, len(self.race.standings)), key=self.fold_cost)
        candidate = self.race.standings[quick].candidate
        room = 0.7 * self.left - self.start_cost(candidate)
        rows = n = self.rows(len(self.data.blocks))
        while rows > LEAST_ROWS and 2.5 * self.costs.estimate(candidate, rows) > room:
            rows = rows // 2
        if rows < n:
            self.max_rows = max(rows, LEAST_ROWS)

    def sample_if_large(self) -> None:
        """Where not one strong candidate has room in memory with all rows, use as many as the leanest has room for."""
        strong, rows = self.race.strong(), len(self.data.blocks)
        most = max((self.memory.rows_that_fit(self.race.standings[i].candidate, rows) for i in strong), default=rows)
        if most < self.rows(rows) and most < self.n_train:
            self.max_rows = self.room_rows = max(most, LEAST_ROWS)
            self.notes.append(
                f"the memory limit of {self.memory.limit_mb / 1024:.1f} GiB is short for {rows:,} rows, so models were "
                f"fitted on samples of {self.max_rows:,}"
            )

    def search(self, meanwhile: Callable[[Run], None] | None = None) -> None:
        """Race until nothing affordable pays any more. Ctrl-C ends the race and keeps what it has.

        Parameters
        ----------
        meanwhile : called once, while the first fit runs elsewhere if it can.
        """
        try:
            if self.session.concurrent and self.session.loaded:
                self.launch()
            if meanwhile is not None:
                meanwhile(self)
            while True:
                while len(self.running) < self.session.slots and self.launch():
                    pass
                if not self.running:
                    return
                self.collect()
        except KeyboardInterrupt:
            self.interrupted = True
            self.notes.append("the search was interrupted; the model is the best one so far")
            self.abandon("interrupted")

    def launch(self) -> bool:
        """Start the fold that is worth most, if any is."""
        self.turn_away()
        self.tune()
        chosen = self.race.choose(self.fold_cost, self.affordable, self.phase())
        if chosen is None:
            return False
        i, fold = chosen
        task = self.task(i, fold)
        self.race.begin(i, fold)
        self.running[self.session.submit(task)] = (i, task)
        return True

    def turn_away(self) -> None:
        """Drop candidates that have no room in memory even by themselves."""
        rows = self.rows(self.n_train)
        for standing in self.race.standings[1:]:
            if self.race.may_run(standing) and not self.memory.fits(standing.candidate, rows):
                standing.dropped, standing.reason = True, self.memory.refusal(standing.candidate, rows)

    def tune(self) -> None:
        """Add a variation of a leading candidate to the race, once all others have had their say, if that pays."""
        if self.tuner is None or not self.race.adaptive or self.phase() == "complete":
            return
        standings = self.race.standings
        untried = any(
            self.race.may_run(s) and not s.outcomes and self.affordable(i) for i, s in enumerate(standings) if i > 0
        )
        if not untried and self.race.companions >= ENOUGH and not self.tuner.is_busy():
            i = self.tuner.propose(lambda candidate: self.costs.estimate(candidate, self.rows(self.n_train)))
            if i is not None:
                self.tell("search", f"{standings[i].candidate.name} joins: {varied(standings, i)}")

    def collect(self) -> None:
        """Wait for a fit to end and take it in; stop what runs when only the reserve is left."""
        wait = None if self.total == math.inf else max(self.left - 0.85 * self.reserve(), 0.0) + 0.01
        done = wait_any(list(self.running), wait)
        if not done:
            self.abandon("the budget ended before this fold did")
            return
        for handle in done:
            i, task = self.running.pop(handle)
            outcome = handle.result()
            self.fits += 1
            assert task.fold is not None  # noqa: S101 - search fits folds only
            self.take(i, task.fold, outcome)
            self.tell("search", self.sentence(i, task.fold, outcome))

    def abandon(self, reason: str) -> None:
        """Stop every fit under way. Its candidate keeps the folds it has."""
        for handle, (i, task) in self.running.items():
            self.session.stop(handle)
            standing = self.race.standings[i]
            standing.running.discard(-1 if task.fold is None else task.fold)
            standing.dropped = True
            standing.reason = standing.reason or reason
        wait_any(list(self.running), 0.2)
        self.running.clear()

    def take(self, i: int, fold: int, outcome: FitOutcome) -> None:
        if not outcome.ok or outcome.scores is None:
            self.race.fail(i, fold, outcome.reason)
            return
        if i > 0:  # the baseline's speed says nothing about learners
            self.costs.learn(self.race.standings[i].candidate, outcome)
            self.memory.learn(self.race.standings[i].candidate, outcome)
        valid = self.data.folds[fold][1]
        if outcome.has_model and (i not in self.ready or self.ready[i].rows < outcome.rows):
            self.ready[i] = outcome
        loss = self.objective.loss(self.data.y[valid], outcome.scores, self.data.weight_of(valid))
        self.race.absorb(i, fold, outcome, loss)
        drop_idle(self.race, fold)
        self.weigh(i)

    def weigh(self, i: int) -> None:
        """See what a candidate that has run all its folds, and proposals that were dropped, brought the average."""
        made = self.tuner.made if self.tuner is not None else []
        for each in {i, *made} - self.weighed - {0}:
            standing = self.race.standings[each]
            if standing.complete and not standing.failed:
                scores = [standing.outcomes[f].scores for f in range(len(self.data.folds))]
                rows = float(np.mean(self.race.valid_rows))
                least = worth(rows, len(self.data.folds)) * self.race.belief.unit
                self.blend.join([s for s in scores if s is not None], least)
            elif standing.dropped or standing.failed:
                self.blend.count(gained=False)
            else:
                continue
            self.weighed.add(each)
        self.race.companions = self.blend.chance

    def task(self, i: int, fold: int | None) -> FitTask:
        """The order for one fit, with the time it may take."""
        candidate = self.race.standings[i].candidate
        soft, hard = self.limits(i, fold)
        self.task_count += 1
        return FitTask(
            id=self.task_count,
            candidate=candidate.name,
            algorithm=candidate.algorithm,
            params=candidate.params,
            representation=self.representations[candidate.representation],
            fold=fold,
            seed=self.request.seed,
            threads=self.request.threads,
            max_rows=self.max_rows,
            keep_model=fold is not None and (self.bagged(i) or (fold == 0 and self.is_worth_keeping(i))),
            apart=self.request.grouped,
            soft_seconds=soft,
            hard_seconds=hard,
        )

    def is_worth_keeping(self, i: int) -> bool:
        """Whether the model of a candidate's first fold may be needed, as there may be no time for one of all rows.

        The first one always is: machines get slower without notice.
        """
        if i == 0 or self.request.budget.seconds is None:
            return False
        if self.total <= SHORT_SECONDS:
            return True
        kept = any(outcome.task.fold is not None for outcome in self.ready.values())
        return not kept or self.fold_cost(i) + self.whole_cost(i) > TIGHT_SHARE * self.left

    def limits(self, i: int, fold: int | None) -> tuple[float, float]:
        """Seconds after which a fit should end by itself, and after which it is killed."""
        if self.total == math.inf:
            return math.inf, HANG_SECONDS + HANG_FACTOR * self.fold_cost(i)
        if fold is None:
            return max(0.85 * self.left, 0.01), max(self.left, 0.02)
        room = max(self.left - self.reserve(), 0.05)
        if not self.race.standings[i].outcomes:
            room = min(room, max(4 * self.fold_cost(i), FIRST_FIT_SHARE * room, 0.5))
        return 0.9 * room, min(1.25 * room + 0.5, max(self.left, 0.05))

    # What watchers see

    def sentence(self, i: int, fold: int, outcome: FitOutcome) -> str:
        name = self.race.standings[i].candidate.name
        if not outcome.ok:
            return f"{name} failed: {outcome.reason}"
        loss = self.race.standings[i].losses[fold]
        score = "undecided" if math.isnan(loss) else f"{self.objective.score(float(loss)):.4f}"
        return f"{name}, fold {fold + 1} of {len(self.data.folds)}: {score} in {outcome.seconds:.1f} s"

    def tell(self, phase: str, message: str) -> None:
        if self.request.progress is None:
            return
        leader = self.race.leader()
        standing = self.race.standings[leader]
        names = [s.candidate.name for s in self.race.standings]
        self.request.progress(
            Progress(
                phase=phase,  # type: ignore[arg-type]
                message=message,
                seconds=self.clock.monotonic() - self.started,
                budget_seconds=self.request.budget.seconds,
                fits=self.fits,
                leader=standing.candidate.name,
                leader_score=None if math.isnan(standing.mean_loss) else self.objective.score(standing.mean_loss),
                probabilities=dict(zip(names, map(float, self.race.probabilities()), strict=True)),
            )
        )


def margin(seconds: float) -> float:
    """What of the budget is left for putting the result together."""
    return min(0.5, 0.05 * seconds)


def varied(standings: Sequence[Standing], i: int) -> str:
    """What a proposal changes of the candidate that it is a variation of."""
    parent = standings[i].belief.parent
    of = standings[parent or 0].candidate
    changes = {key: value for key, value in standings[i].candidate.params.items() if value != of.params.get(key)}
    return f"{of.name} with {', '.join(f'{key}={value}' for key, value in changes.items())}"


def plans(candidates: Sequence[Candidate], data: TrainingData) -> dict[str, RepresentationSpec]:
    """The encoders of every representation that is wanted, planned once for the table."""
    names = dict.fromkeys(candidate.representation for candidate in candidates)
    return {name: plan(cast(Any, name), data.blocks, data.names, data.task, data.n_classes) for name in names}
