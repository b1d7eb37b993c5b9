"""A real model within the first second: a linear learner, fitted in this process while others are still loading.

Linear learners of this package need no more than NumPy and SciPy, watch their deadline, and are fitted on a sample
where the table is large. So there is a model that is better than a constant, with honest scores to calibrate it by,
however slowly processes start on a crowded machine.
"""

from __future__ import annotations

from dataclasses import replace

from artificer.search.executor import InlineSession
from artificer.search.run import LEAST_ROWS, Run
from artificer.types import Kind

QUICK = ("logistic", "ridge")
"""Learners that may run in this process: they are this package's own, and end when they are told to."""

QUICK_CELLS = 4_000_000
"""Rows times columns times classes that are encoded and fitted in about a second."""

QUICK_SHARE = 0.15
"""A quick fit may take this share of what is left of the budget."""

QUICK_LEAST = 0.3
"""Seconds that a quick fit may take however little is left: a model has to come out."""


def first_model(run: Run) -> None:
    """Run a linear candidate's first fold and its fit on all rows here; the latter is kept in ``run.ready``.

    Nothing is done under a budget of fits, where time plays no part, or where there is no linear candidate.
    """
    i = next((i for i, s in enumerate(run.race.standings) if s.candidate.algorithm in QUICK), None)
    if i is None or run.request.budget.seconds is None or not run.data.folds or not run.race.adaptive:
        return
    session = InlineSession(run.data, run.clock)
    fold = 0
    for part in (fold, None):
        task = run.task(i, part)
        seconds = max(QUICK_SHARE * run.left, QUICK_LEAST)
        outcome = session.submit(
            replace(task, max_rows=quick_rows(run), keep_model=False, soft_seconds=seconds)
        ).result()
        run.fits += 1
        if part is None:
            if outcome.ok:
                run.ready[i] = outcome
            continue
        run.take(i, fold, outcome)
        run.tell("search", run.sentence(i, fold, outcome))
        if not outcome.ok:
            return


def quick_rows(run: Run) -> int | None:
    """Most rows a quick fit takes, whatever other fits are held to; None for all."""
    data = run.data
    columns = max(sum(data.blocks.of(kind).shape[1] for kind in Kind), 1)
    most = max(QUICK_CELLS // (columns * data.n_classes), LEAST_ROWS)
    return None if len(data.blocks) <= most else most
