"""A real model within the first second: a linear learner, fitted in this process while others are still loading.

Linear learners of this package need no more than NumPy and SciPy, watch their deadline, and are fitted on a sample
where the table is large. So there is a model that is better than a constant, with honest scores to calibrate it by,
however slowly processes start on a crowded machine.
"""

from __future__ import annotations

from dataclasses import replace

from artificer.search.executor import InlineSession
from artificer.search.run import LEAST_ROWS, Run
from artificer.search.tasks import FitOutcome
from artificer.types import Kind

QUICK = ("logistic", "ridge")
"""Learners that may run in this process: they are this package's own, and end when they are told to."""

QUICK_CELLS = 400_000
"""Rows times columns times classes of a sample whose fit ends by itself within a second, on a crowded machine too.

A fit that its deadline stops after an iteration or two is far worse than one of fewer rows that converged.
"""

QUICK_TRIES = 4
QUICK_LEAST_ROWS = 1000
QUICK_SMALLER = 4
"""A fit that was stopped by its deadline is repeated on so many times fewer rows, :data:`QUICK_TRIES` times at most."""

QUICK_SHARE = 0.15
"""A quick fit may take this share of what is left of the budget."""

QUICK_LEAST = 0.3
"""Seconds that a quick fit may take however little is left: a model has to come out."""


def first_model(run: Run) -> None:
    """Run a linear candidate's first fold here; its model is kept in ``run.ready``, with the scores of that very fit.

    Where the table is small enough not to be sampled a fit on all rows takes its place.

    Nothing is done under a budget of fits, where time plays no part, or where there is no linear candidate.
    """
    i = next((i for i, s in enumerate(run.race.standings) if s.candidate.algorithm in QUICK), None)
    if i is None or run.request.budget.seconds is None or not run.data.folds or not run.race.adaptive:
        return
    session = InlineSession(run.data, run.clock)
    if run.race.standings[i].candidate.algorithm == "logistic":
        import scipy.optimize  # noqa: F401 - loading it is no part of the time a fit is given
    rows = quick_rows(run)
    outcome = quick_fit(run, session, i, 0, rows)
    for _ in range(QUICK_TRIES - 1):
        if not outcome.ok or outcome.complete or outcome.rows <= LEAST_ROWS:
            break
        rows = max(outcome.rows // QUICK_SMALLER, LEAST_ROWS)
        outcome = quick_fit(run, session, i, 0, rows)
    run.take(i, 0, outcome)
    run.tell("search", run.sentence(i, 0, outcome))
    if outcome.ok and outcome.complete and rows is None:
        whole = quick_fit(run, session, i, None, None)
        if whole.ok and whole.complete:
            run.ready[i] = whole


def quick_fit(run: Run, session: InlineSession, i: int, fold: int | None, rows: int | None) -> FitOutcome:
    task = run.task(i, fold)
    seconds = max(QUICK_SHARE * run.left, QUICK_LEAST)
    run.fits += 1
    return session.submit(replace(task, max_rows=rows, keep_model=fold is not None, soft_seconds=seconds)).result()


def quick_rows(run: Run) -> int | None:
    """Most rows a quick fit takes, whatever other fits are held to; None for all."""
    data = run.data
    columns = max(sum(data.blocks.of(kind).shape[1] for kind in Kind), 1)
    most = max(QUICK_CELLS // (columns * data.n_classes), QUICK_LEAST_ROWS)
    return None if len(data.blocks) <= most else most
