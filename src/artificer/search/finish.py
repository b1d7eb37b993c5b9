"""From a race that is over to a model: choose members, fit them on all rows, calibrate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from artificer.bundle.calibration import Calibration
from artificer.clock import derive_seed
from artificer.search.calibrate import calibrate
from artificer.search.ensemble import Library, average, select
from artificer.search.leaderboard import leaderboard
from artificer.search.members import baseline_member, fit_members, is_cut, size_mb
from artificer.search.records import Member, SearchResult
from artificer.search.run import MAX_MEMBERS, Run
from artificer.search.tasks import FitOutcome
from artificer.types import Doubles, Ints, Json, Task

POOL = 12
SHARERS = 3
RECIPE_FORMAT = 1
LIKE = 0.5
"""A fold of which less than this part was used, compared with a candidate's other folds, was fitted on a sample."""

UNSEEN = 0.01
"""Rows a fold's model has not seen are worth this share of the gap between the best candidate and the baseline."""


@dataclass(frozen=True)
class Pool:
    """Candidates that share folds, best first, and those folds."""

    indices: tuple[int, ...]
    folds: tuple[int, ...]


def pool_of(run: Run) -> Pool:
    """The best candidates and the folds that the first :data:`SHARERS` share; the baseline is always among them.

    Folds run in order, so fewer folds admit more candidates: to an ensemble a partner with fewer folds is worth more
    than the leader's further folds.
    """
    standings = run.race.standings
    ran = [i for i, s in enumerate(standings) if s.outcomes and not s.failed]
    best = sorted(ran, key=lambda i: run.race.belief.mean[i])
    sets = [set(standings[i].outcomes) for i in best[:SHARERS]]
    folds = tuple(sorted(set.intersection(*sets))) if sets else ()
    best = [i for i in best if set(folds) <= set(standings[i].outcomes)][:POOL]
    return Pool(tuple(best if 0 in best else [*best, 0]), folds)


def library_of(run: Run, pool: Pool) -> Library:
    outcomes = [run.race.standings[i].outcomes for i in pool.indices]
    return Library(
        run.objective,
        tuple(run.data.y[run.data.folds[f][1]] for f in pool.folds),
        tuple(np.array([each[f].scores for each in outcomes]) for f in pool.folds),
    )


def choose(run: Run, pool: Pool) -> dict[int, float]:
    """Weights of the members, by candidate."""
    if not pool.folds:
        return {0: 1.0}
    rows = float(np.mean([len(run.data.folds[f][1]) for f in pool.folds]))
    noise = 0.15 * (0.02 + 0.5 / math.sqrt(rows)) / math.sqrt(len(pool.folds))
    most = MAX_MEMBERS
    if run.request.budget.fits is not None:
        most = max(1, min(most, run.request.budget.fits - run.fits))
    seed = derive_seed(run.request.seed, "ensemble")
    while True:
        chosen = select(library_of(run, pool), (0.002 + noise) * run.race.belief.unit, most, seed)
        weights = {i: float(w) for i, w in zip(pool.indices, chosen.weights, strict=True) if w > 0}
        if set(weights) == {0} or sum(run.whole_cost(i) for i in weights if i not in (0, *run.ready)) <= max(
            0.9 * run.left, 0.0
        ):
            return weights
        # There is no time to fit all of these on all rows: do without the one that costs most for its weight.
        dear = max((i for i in weights if i not in (0, *run.ready)), key=lambda i: run.whole_cost(i) / weights[i])
        run.notes.append(
            f"{run.race.standings[dear].candidate.name} was passed over: fitting it takes more than is left"
        )
        pool = Pool(tuple(i for i in pool.indices if i != dear), pool.folds)


def finish(run: Run, fixed: Mapping[int, float] | None = None) -> SearchResult:
    """Make the model. `fixed` are weights of a recipe, which then are not chosen anew."""
    pool = pool_of(run)
    wanted = dict(fixed) if fixed else choose(run, pool)
    members = fit_members(run, wanted)
    for i in instead(run, pool):
        if members:
            break
        if i not in wanted:
            members = fit_members(run, {i: 1.0})
    if not members:
        members = {0: baseline_member(run)}
        if any(i != 0 for i in wanted):
            run.notes.append("no learner could be fitted on all rows in time, so the model is the constant baseline")
    elif set(members) <= set(run.ready) and not set(wanted) & set(members):
        name = ", ".join(run.race.standings[i].candidate.name for i in members)
        run.notes.append(f"no stronger model could be fitted on all rows in time, so the model is {name}")
    members = better_kept(run, wanted, members)
    weights = shares(wanted, members)
    note_parts(run, members)
    if set(weights) == {0} == set(wanted):
        run.notes.append(why_constant(run))
    rows, scores, score = out_of_fold(run, weights, members)
    final = calibration_of(run, rows, scores, constant=set(weights) == {0})
    names = {run.race.standings[i].candidate.name: w for i, w in weights.items()}
    result = SearchResult(
        leaderboard=leaderboard(run.race, run.objective, metric_name(run), names, score),
        members=tuple(member_of(run, i, members[i], weights[i]) for i in sorted(members, key=lambda i: -weights[i])),
        calibration=final,
        recipe=recipe_of(run, weights, members, final),
        oof_scores=final.apply(scores),
        oof_rows=rows,
        seconds=run.clock.monotonic() - run.started,
        fits=run.fits,
        notes=tuple(run.notes),
    )
    run.tell("finished", f"{len(members)} members: {', '.join(names)}")
    return result


def instead(run: Run, pool: Pool) -> list[int]:
    """Candidates to try one by one when no chosen member could be fitted: better ones first, ready ones last."""
    mean = run.race.belief.mean
    better = [i for i in {*pool.indices, *run.ready} if mean[i] < mean[0]]
    return sorted(better, key=lambda i: (i in run.ready, mean[i]))


def note_parts(run: Run, members: Mapping[int, FitOutcome]) -> None:
    """Say of every member that is no full fit on all rows what it is, and of how many rows."""
    n = len(run.data.blocks)
    samples = []
    for i, outcome in members.items():
        name, rows = run.race.standings[i].candidate.name, f"{outcome.rows:,} of {n:,} rows"
        if i and outcome.task.fold is not None:
            run.notes.append(
                f"{name} is the model of one of its folds, fitted on {rows}: no time was left to fit it on all rows"
            )
        elif i and outcome.rows < n:
            samples.append(outcome.rows if outcome.task.max_rows is None else outcome.task.max_rows)
        if i and is_cut(outcome):
            run.notes.append(f"{name}, fitted on {rows}, was stopped early by the deadline, so it may be weaker")
    if samples:
        run.notes.append(
            f"the budget of {run.request.budget.seconds:g} s is short for {n} rows, so models were fitted on samples "
            f"of {min(samples)}; a longer budget uses all of them"
        )


def shares(wanted: Mapping[int, float], members: Mapping[int, FitOutcome]) -> dict[int, float]:
    total = sum(wanted.get(i, 1.0) for i in members)
    return {i: wanted.get(i, 1.0) / total for i in members}


def better_kept(run: Run, wanted: Mapping[int, float], members: dict[int, FitOutcome]) -> dict[int, FitOutcome]:
    """`members`, or a fold's model in their place that does better than they do as they came out.

    Weights were chosen before it was known for which members there is time; a fold's model that stands in for a fit
    on all rows may be weaker than it was thought to be.
    """
    whole = all(is_whole(run, i, outcome) for i, outcome in members.items())
    if whole and set(wanted) == set(members):
        return members
    kept = {i: o for i, o in run.ready.items() if o.task.fold is not None and not run.race.standings[i].failed}
    folds = {o.task.fold for o in kept.values()}
    for fold in sorted(f for f in folds if f is not None):
        if any(fold not in run.race.standings[i].outcomes for i in members):
            continue
        y = [run.data.y[run.data.folds[fold][1]]]
        now = run.objective.mean(y, [average(fold_scores(run, members, fold), list(shares(wanted, members).values()))])
        losses = {
            i: run.objective.mean(y, [o.scores])
            for i, o in kept.items()
            if o.task.fold == fold and o.scores is not None and i not in members
        }
        best = min(losses, key=lambda i: losses[i], default=None)
        if best is not None and losses[best] + UNSEEN * run.race.belief.unit < now and fits_size(run, kept[best]):
            return {best: kept[best]}
    return members


def fits_size(run: Run, outcome: FitOutcome) -> bool:
    return run.request.model_mb is None or size_mb([outcome]) <= run.request.model_mb


def is_whole(run: Run, i: int, outcome: FitOutcome) -> bool:
    """Whether a member has seen all rows and was not stopped. The baseline always has."""
    return i == 0 or (outcome.task.fold is None and outcome.rows >= len(run.data.blocks) and not is_cut(outcome))


def fold_scores(run: Run, members: Mapping[int, FitOutcome], fold: int) -> list[Doubles]:
    """Scores of the members on a fold's rows: of the very model where it was fitted on that fold."""
    found = []
    for i, outcome in members.items():
        of = outcome if outcome.task.fold == fold else run.race.standings[i].outcomes[fold]
        assert of.scores is not None  # noqa: S101 - folds' outcomes that are kept have scores
        found.append(of.scores)
    return found


def why_constant(run: Run) -> str:
    learners = run.race.standings[1:]
    if not run.data.folds:
        why = "there are too few rows to validate anything"
    elif learners and all(s.failed for s in learners):
        why = "every candidate failed, for the reasons on the leaderboard"
    elif not any(s.outcomes for s in learners):
        why = "no learner's fold was finished within the budget"
    else:
        why = "no candidate did better"
    return f"the model is the constant baseline, which predicts the same for every row: {why}"


def member_of(run: Run, i: int, outcome: FitOutcome, weight: float) -> Member:
    assert outcome.representation is not None  # noqa: S101 - fits on all rows carry both fragments
    assert outcome.model is not None  # noqa: S101
    return Member(
        candidate=run.race.standings[i].candidate,
        weight=weight,
        rounds=outcome.rounds,
        representation=outcome.representation,
        representation_key=outcome.task.features_key,
        model=outcome.model,
    )


def out_of_fold(
    run: Run, weights: Mapping[int, float], members: Mapping[int, FitOutcome]
) -> tuple[Ints, Doubles, float | None]:
    """Rows, averaged scores (m, c), and the mean score over the folds that say what the members do as they are."""
    data, standings = run.data, run.race.standings
    folds = sorted(set.intersection(*(own_folds(run, i, members[i]) for i in weights)))
    if not folds:  # the members have no fold in common that is quite like them
        folds = sorted(set.intersection(*(set(standings[i].outcomes) for i in weights)))
    if not folds:
        return np.zeros(0, dtype=np.int64), np.zeros((0, data.n_classes)), None
    ordered = {i: members[i] for i in weights}
    scores = [average(fold_scores(run, ordered, f), list(weights.values())) for f in folds]
    y = [data.y[data.folds[f][1]] for f in folds]
    rows = np.concatenate([data.folds[f][1] for f in folds]).astype(np.int64)
    return rows, np.concatenate(scores), run.objective.score(run.objective.mean(y, scores))


def own_folds(run: Run, i: int, outcome: FitOutcome) -> set[int]:
    """Folds that were run as a member was fitted: its own if it is a fold's model, else those of as many rows."""
    outcomes = run.race.standings[i].outcomes
    if i and outcome.task.fold is not None:
        return {outcome.task.fold}
    share = {f: o.rows / len(run.data.folds[f][0]) for f, o in outcomes.items()}
    most = max(share.values(), default=0.0)
    return {f for f, o in outcomes.items() if not i or (share[f] >= LIKE * most and not is_cut(o))} or set(outcomes)


def calibration_of(run: Run, rows: Ints, scores: Doubles, constant: bool) -> Calibration:
    if run.data.task is Task.REGRESSION:
        return Calibration.affine(run.objective.spread, run.objective.center)
    if constant:  # it says the classes' shares already
        return Calibration.identity()
    y = run.data.y[rows].astype(np.int64)
    return calibrate(y, scores, run.data.task, derive_seed(run.request.seed, "calibrate"))


def recipe_of(
    run: Run, weights: Mapping[int, float], members: Mapping[int, FitOutcome], calibration: Calibration
) -> Json:
    """All that is needed to fit the same model on new data."""
    return {
        "format": RECIPE_FORMAT,
        "task": run.data.task.value,
        "metric": run.request.metric.name,
        "seed": run.request.seed,
        "rows": len(run.data.blocks),
        "max_rows": None if set(members) <= set(run.ready) else run.max_rows,
        "calibration": calibration.to_json(),
        "members": [
            {
                **run.race.standings[i].candidate.to_json(),
                "weight": weights[i],
                "rounds": members[i].rounds,
                "seconds": round(members[i].seconds + members[i].encode_seconds, 3),
            }
            for i in sorted(weights, key=lambda i: -weights[i])
        ],
    }


def metric_name(run: Run) -> str:
    if run.objective.metric is not None:
        return run.objective.metric.name
    return "log_loss" if run.data.task.is_classification else "mean_squared_error"
