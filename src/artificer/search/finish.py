"""From a race that is over to a model: choose members, fit them on all rows, calibrate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from artificer.bundle.calibration import Calibration
from artificer.clock import derive_seed
from artificer.graph import Fragment
from artificer.search.calibrate import calibrate, quantile_shifts
from artificer.search.choice import Choice, Pool, choose, limits_for, pool_of
from artificer.search.frontier import Option, price_of
from artificer.search.leaderboard import interval, leaderboard
from artificer.search.members import Made, alike, baseline_member, is_cut, kept_parts, loaded, make_members
from artificer.search.objective import STAND_INS
from artificer.search.records import Interval, Member, Part, SearchResult
from artificer.search.run import Run
from artificer.search.sharing import shared_encoders
from artificer.search.stacking import Pooling, pooled
from artificer.search.tasks import FitOutcome, by_weight
from artificer.types import Doubles, Ints, Json, Task

RECIPE_FORMAT = 1

ENOUGH_FOLDS = 3
"""Fewer folds than this do not say how much the score varies."""
PIECES = 8
"""They are cut into so many stretches of rows, whose scores do."""

UNSEEN = 0.01
"""Rows a fold's model has not seen are worth this share of the gap between the best candidate and the baseline."""


def finish(run: Run, fixed: Mapping[int, float] | None = None, pooling: Pooling = "mean") -> SearchResult:
    """Make the model. `fixed` are weights of a recipe, which then are not chosen anew, and `pooling` goes with them."""
    pool = pool_of(run)
    choice = Choice(dict(fixed), limits_for(run, pool), pooling=pooling) if fixed else choose(run, pool)
    wanted = choice.weights
    members = make_members(run, wanted, choice.limits)
    for i in instead(run, pool):
        if members:
            break
        if i not in wanted and (not run.stopped or i in run.ready or kept_parts(run, i)):
            members = make_members(run, {i: 1.0}, choice.limits)
    if not members:
        members = {0: Made((baseline_member(run),))}
        if any(i != 0 for i in wanted):
            run.notes.append("no learner could be fitted on all rows in time, so the model is the constant baseline")
    elif set(members) <= set(run.ready) and not set(wanted) & set(members):
        name = ", ".join(run.race.standings[i].candidate.name for i in members)
        run.notes.append(f"no stronger model could be fitted on all rows in time, so the model is {name}")
    members = better_kept(run, choice, members)
    weights = shares(wanted, members)
    note_parts(run, members)
    if set(weights) == {0} == set(wanted):
        run.notes.append(why_constant(run))
    stated = out_of_fold(run, weights, members, choice.pooling)
    if choice.losses is not None and set(wanted) == set(members) and stated.folds == choice.folds:
        stated = replace(stated, losses=choice.losses)
    final = calibration_of(run, stated.rows, stated.scores, constant=set(weights) == {0})
    names = {run.race.standings[i].candidate.name: w for i, w in weights.items()}
    price = price_of(members.values())
    score = stated.score(run)
    as_made = Option(tuple(names), sum(len(m.parts) for m in members.values()), score, price.us, price.mb, chosen=True)
    board = leaderboard(run.race, run.objective, metric_name(run), names, score)
    result = SearchResult(
        leaderboard=replace(board, interval=stated.interval(run)),
        members=packed(run, members, weights),
        calibration=final,
        recipe={**recipe_of(run, weights, members, final), "pooling": choice.pooling},
        pooling=choice.pooling,
        oof_scores=final.apply(stated.scores),
        oof_rows=stated.rows,
        seconds=run.clock.monotonic() - run.started,
        fits=run.fits,
        notes=tuple(run.notes),
        options=(*(o for o in choice.options if (o.members, o.models) != (as_made.members, as_made.models)), as_made),
    )
    run.tell("finished", f"{len(members)} members: {', '.join(names)}")
    return result


def instead(run: Run, pool: Pool) -> list[int]:
    """Candidates to try one by one when no chosen member could be fitted: better ones first, ready ones last."""
    mean = run.race.belief.mean
    better = [i for i in {*pool.indices, *run.ready} if mean[i] < mean[0]]
    return sorted(better, key=lambda i: (i in run.ready, mean[i]))


def note_parts(run: Run, members: Mapping[int, Made]) -> None:
    """Say of every member that is neither a full fit on all rows nor all its folds' models what it is."""
    n = len(run.data.blocks)
    samples = []
    for i, made in members.items():
        name, first = run.race.standings[i].candidate.name, made.parts[0]
        rows = f"{first.rows:,} of {n:,} rows"
        if i and len(made.folds) == 1:
            more = any(o.has_model and o.task.fold not in made.folds for o in run.race.standings[i].outcomes.values())
            why = "more would make the model larger or slower" if more else "no other was run, nor one on all rows"
            run.notes.append(f"{name} is the model of one of its folds, fitted on {rows}: {why}")
        elif i in run.short_of_memory:
            pass  # said when it was fitted
        elif i and not made.folds and first.rows < n:
            samples.append(first.rows if first.task.max_rows is None else first.task.max_rows)
        elif i and first.task.max_rows is not None and first.rows < n:
            samples.append(first.task.max_rows)
        if i and is_cut(first):
            run.notes.append(f"{name}, fitted on {rows}, was stopped early by the deadline, so it may be weaker")
    if samples and min(samples) != run.room_rows:
        run.notes.append(
            f"the budget of {run.request.budget.seconds:g} s is short for {n} rows, so models were fitted on samples "
            f"of {min(samples)}; a longer budget uses all of them"
        )


def shares(wanted: Mapping[int, float], members: Mapping[int, Made]) -> dict[int, float]:
    total = sum(wanted.get(i, 1.0) for i in members)
    return {i: wanted.get(i, 1.0) / total for i in members}


def better_kept(run: Run, choice: Choice, members: dict[int, Made]) -> dict[int, Made]:
    """`members`, or a fold's model in their place that does better than they do as they came out.

    Weights were chosen before it was known for which members there is time; a fold's model that stands in for a fit
    on all rows may be weaker than it was thought to be.
    """
    wanted = choice.weights
    if all(is_whole(run, i, made) for i, made in members.items()) and set(wanted) == set(members):
        return members
    kept = {i: o for i, o in run.ready.items() if o.task.fold is not None and not run.race.standings[i].failed}
    folds = {o.task.fold for o in kept.values()}
    for fold in sorted(f for f in folds if f is not None):
        if any(fold not in run.race.standings[i].outcomes for i in members):
            continue
        valid = run.data.folds[fold][1]
        y, counts = [run.data.y[valid]], [run.data.weight_of(valid)]
        mixed = pooled(fold_scores(run, members, fold), list(shares(wanted, members).values()), choice.pooling)
        now = run.objective.mean(y, [mixed], counts)
        losses = {
            i: run.objective.mean(y, [o.scores], counts)
            for i, o in kept.items()
            if o.task.fold == fold and o.scores is not None and i not in members
        }
        best = min(losses, key=lambda i: losses[i], default=None)
        if best is not None and losses[best] + UNSEEN * run.race.belief.unit < now:
            instead = loaded(run, [kept[best]])
            if instead is not None and price_of([instead]).within(choice.limits.us, choice.limits.mb):
                return {best: instead}
    return members


def is_whole(run: Run, i: int, made: Made) -> bool:
    """Whether a member has seen all rows and was not stopped. The baseline always has."""
    seen = len(made.folds) > 1 or (not made.folds and made.parts[0].rows >= len(run.data.blocks))
    return i == 0 or (seen and not any(map(is_cut, made.parts)))


def fold_scores(run: Run, members: Mapping[int, Made], fold: int) -> list[Doubles]:
    """Scores of the members on a fold's rows, by models that had not seen them: its own model where it is a part."""
    found = []
    for i, made in members.items():
        own = [part for part in made.parts if part.task.fold == fold]
        of = own[0] if own else run.race.standings[i].outcomes[fold]
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


def packed(run: Run, members: Mapping[int, Made], weights: Mapping[int, float]) -> tuple[Member, ...]:
    """The members as graphs, the heaviest first."""
    shared = shared_encoders(run, [part for made in members.values() for part in made.parts])
    order = sorted(members, key=lambda i: -weights[i])
    return tuple(
        Member(
            run.race.standings[i].candidate,
            weights[i],
            members[i].rounds,
            tuple(part_of(part, shared) for part in members[i].parts),
        )
        for i in order
    )


def part_of(part: FitOutcome, shared: Mapping[str, Fragment]) -> Part:
    assert part.representation is not None  # noqa: S101 - parts carry both fragments
    assert part.model is not None  # noqa: S101
    key = part.task.representation_key
    if part.task.fold is not None and key in shared:
        return Part(shared[key], key, part.model)
    return Part(part.representation, part.task.features_key, part.model)


@dataclass(frozen=True)
class Stated:
    """What the ensemble says of rows that its parts had not seen.

    Attributes
    ----------
    rows, scores : (m,) rows of the folds, one after the other, and (m, c) averaged scores.
    losses : (k,) of each fold.
    """

    folds: tuple[int, ...]
    rows: Ints
    scores: Doubles
    losses: Doubles

    def score(self, run: Run) -> float | None:
        decided = self.losses[np.isfinite(self.losses)]
        return run.objective.score(float(decided.mean())) if decided.size else None

    def interval(self, run: Run) -> Interval | None:
        decided = self.losses[np.isfinite(self.losses)]
        if not decided.size:
            return None
        varying = decided if len(decided) >= ENOUGH_FOLDS else self.pieces(run)
        return interval(varying, float(decided.mean()), run.race.overlap, run.objective)

    def pieces(self, run: Run) -> Doubles:
        """Losses of stretches of the folds' rows in their order: how scores vary where too few folds say it."""
        ends = np.cumsum([len(run.data.folds[f][1]) for f in self.folds])
        stretches = [
            part
            for rows in np.split(np.arange(len(self.rows)), ends[:-1])
            for part in np.array_split(rows, max(PIECES // len(self.folds), 1))
            if len(part)
        ]
        losses = []
        for part in stretches:
            rows, weight = self.rows[part], run.data.weight_of(self.rows[part])
            if weight is None or weight.any():
                losses.append(run.objective.loss(run.data.y[rows], self.scores[part], weight))
        return np.array(losses)


def out_of_fold(run: Run, weights: Mapping[int, float], members: Mapping[int, Made], pooling: Pooling) -> Stated:
    """Averaged scores over the folds that say what the members do as they are."""
    data, standings = run.data, run.race.standings
    folds = sorted(set.intersection(*(own_folds(run, i, members[i]) for i in weights)))
    if not folds:  # the members have no fold in common that is quite like them
        folds = sorted(set.intersection(*(set(standings[i].outcomes) for i in weights)))
    if not folds:
        return Stated((), np.zeros(0, dtype=np.int64), np.zeros((0, data.n_classes)), np.zeros(0))
    ordered = {i: members[i] for i in weights}
    scores = [pooled(fold_scores(run, ordered, f), list(weights.values()), pooling) for f in folds]
    valid = [data.folds[f][1] for f in folds]
    losses = [
        run.objective.loss(data.y[rows], of, data.weight_of(rows)) for rows, of in zip(valid, scores, strict=True)
    ]
    return Stated(tuple(folds), np.concatenate(valid).astype(np.int64), np.concatenate(scores), np.array(losses))


def own_folds(run: Run, i: int, made: Made) -> set[int]:
    """Folds that were run as a member was fitted: its own if it is a model of a sample, else those of as many rows."""
    same = alike(run, i) or set(run.race.standings[i].outcomes)
    return same if set(made.folds) <= same else set(made.folds)


def calibration_of(run: Run, rows: Ints, scores: Doubles, constant: bool) -> Calibration:
    spread, center, seed = run.objective.spread, run.objective.center, derive_seed(run.request.seed, "calibrate")
    if constant:  # it says the classes' shares, or the quantiles, already
        return Calibration.identity() if run.data.task.is_classification else Calibration.affine(spread, center)
    if (drawn := by_weight(run.data.weight_of(rows))) is not None:
        rows, scores = rows[drawn], scores[drawn]
    if run.data.task.is_classification:
        return calibrate(run.data.y[rows].astype(np.int64), scores, run.data.task, seed)
    if run.data.task is not Task.QUANTILE:
        return Calibration.affine(spread, center)
    shifts = quantile_shifts(run.data.y[rows], scores, run.data.levels, seed)
    return Calibration.affine(spread, center, [spread * shift for shift in shifts])


def recipe_of(run: Run, weights: Mapping[int, float], members: Mapping[int, Made], calibration: Calibration) -> Json:
    """All that is needed to fit the same model on new data."""
    sampled = all(part.task.max_rows == run.max_rows for made in members.values() for part in made.parts)
    return {
        "format": RECIPE_FORMAT,
        "task": run.data.task.value,
        "metric": run.request.metric.name,
        "seed": run.request.seed,
        "rows": len(run.data.blocks),
        "max_rows": run.max_rows if sampled else None,
        "calibration": calibration.to_json(),
        "members": [
            {
                **run.race.standings[i].candidate.to_json(),
                "weight": weights[i],
                "rounds": members[i].rounds,
                "form": "folds" if run.bagged(i) and members[i].folds else "whole",
                "models": len(members[i].parts),
                "seconds": round(members[i].seconds, 3),
            }
            for i in sorted(weights, key=lambda i: -weights[i])
        ],
    }


def metric_name(run: Run) -> str:
    if run.objective.metric is not None:
        return run.objective.metric.name
    return STAND_INS.get(run.data.task, "log_loss")
