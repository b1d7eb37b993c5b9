"""Members under limits: what a model may cost, how its folds' models are spent, and what else could have been had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from artificer.features.planning import parsed
from artificer.search.latency import CALL_US, NODE_US, NOTHING, Price, total
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.search.run import Run
    from artificer.search.tasks import FitOutcome, FitTask

ROW_US = 330.0
MODEL_MB = 20.0
"""What a model may cost where nothing is required: room for averages of several models, which is where accuracy is."""

MB_PER_SECOND = 0.5
"""Putting a graph together and opening it takes a second for 20 MB, which is to be a small part of any budget."""

LEAST_MB = 2.0

SAFETY = 0.9
"""Share of a limit that is planned with: prices are estimates."""

PART = Price(2 * NODE_US, 0.0)
"""Taking one more model into the average."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Microseconds a row and megabytes; `asked` says that they are required rather than usual."""

    us: float
    mb: float
    asked: bool = False

    def __str__(self) -> str:
        return f"{self.us / SAFETY:g} microseconds a row or {self.mb / SAFETY:g} MB"

    def share(self, price: Price) -> float:
        """How much of the scarcer of the two a price takes."""
        return max(price.us / self.us, price.mb / self.mb)


class Packed(Protocol):
    """A member as far as its price matters."""

    @property
    def parts(self) -> Sequence[FitOutcome]: ...


@dataclass(frozen=True, slots=True)
class Option:
    """One way to make the model that was considered.

    Attributes
    ----------
    members : names of the candidates; `models` counts their folds' models.
    score : out of fold; several models of one candidate are at least as good as its score says.
    row_us, mb : what it would cost in use, estimated.
    """

    members: tuple[str, ...]
    models: int
    score: float | None
    row_us: float
    mb: float
    chosen: bool = False

    def to_json(self) -> Json:
        data = asdict(self)
        return data | {"row_us": round(self.row_us, 1), "mb": round(self.mb, 3), "members": list(self.members)}


def limits_of(run: Run, least: Price = NOTHING) -> Limits:
    """What the model may cost; usual limits give way to `least`, the price of the best candidate alone."""
    request = run.request
    us = ROW_US if request.row_ms is None else 1000.0 * request.row_ms
    mb = MODEL_MB if request.model_mb is None else request.model_mb
    us, mb = max(SAFETY * us - CALL_US, 1.0), SAFETY * mb
    if request.budget.seconds is not None:
        mb = min(mb, max(MB_PER_SECOND * request.budget.seconds, LEAST_MB))
    if request.row_ms is None:
        us = max(us, least.us)
    if request.model_mb is None:
        mb = max(mb, least.mb)
    return Limits(us, mb, asked=request.row_ms is not None or request.model_mb is not None)


def price_of(members: Iterable[Packed]) -> Price:
    """Price of a model of these members, calling it left out; encoders that are shared count once."""
    return price_of_parts([part for member in members for part in member.parts])


def price_of_parts(parts: Iterable[FitOutcome]) -> Price:
    parts = list(parts)
    # Encoders of plain representations are fitted anew for all folds' models together.
    plain = {part.task.representation_key: part for part in parts if shares_encoders(part.task)}
    own = [part for part in parts if part.task.representation_key not in plain]
    nodes = {key: cost for part in [*plain.values(), *own] for key, cost in part.encoder_prices.items()}
    return total([*(part.model_price + PART for part in parts), *nodes.values()])


def shares_encoders(task: FitTask) -> bool:
    """Whether features mean the same on whichever rows the encoders were fitted: none were chosen by them.

    Where folds are groups they do not: a category of another group is as rare as in training, and is to stay so.
    """
    return not task.apart and not parsed(task.representation.name)[1]


def kept(run: Run, i: int) -> FitOutcome | None:
    """A model of a candidate, which stands for what each of its models costs; None where none was kept."""
    outcomes = [*run.race.standings[i].outcomes.values(), *([run.ready[i]] if i in run.ready else [])]
    found = [outcome for outcome in outcomes if outcome.has_model]
    return max(found, key=lambda outcome: outcome.model_price.us, default=None)


def together(run: Run, members: Iterable[int], counts: Mapping[int, int] | None = None) -> Price:
    """Price of some candidates with one model of each, or as many as `counts` says; none is known before it was fitted.

    Encoders of further models count as if they were shared.
    """
    known = {i: outcome for i in members if i and (outcome := kept(run, i)) is not None}
    more = [(o.model_price + PART).times(counts[i] - 1) for i, o in known.items() if counts and counts.get(i, 0) > 1]
    return total([price_of_parts(known.values()), *more])


def spread(
    run: Run, weights: Mapping[int, float], models: Mapping[int, Sequence[FitOutcome]], limits: Limits
) -> dict[int, list[FitOutcome]]:
    """Which folds' models each member consists of: one at first, then more where they gain most for what they cost.

    The variance of an average of m models falls by 1/m - 1/(m + 1) with the next one, times the weight squared. Members
    begin with different folds, so that few models have seen all rows between them.
    """
    order = [i for i in weights if models.get(i)]
    queues = {i: rotated(models[i], place) for place, i in enumerate(order)}
    chosen = {i: [queue.pop(0)] for i, queue in queues.items()}
    others = together(run, [i for i in weights if i not in chosen])

    def cost() -> Price:
        return others + price_of_parts([part for parts in chosen.values() for part in parts])

    open_ = {i for i in order if queues[i]}
    while open_:
        now = limits.share(cost())

        def gain(i: int, now: float = now) -> float:
            m = len(chosen[i])
            parts = [part for parts in chosen.values() for part in parts]
            dearer = limits.share(others + price_of_parts([*parts, queues[i][0]])) - now
            return weights[i] ** 2 / (m * (m + 1)) / max(dearer, 1e-9)

        best = max(sorted(open_), key=gain)
        chosen[best].append(queues[best].pop(0))
        if not cost().within(limits.us, limits.mb):
            queues[best].append(chosen[best].pop())
            open_.discard(best)
        elif not queues[best]:
            open_.discard(best)
    return chosen


def rotated(models: Sequence[FitOutcome], by: int) -> list[FitOutcome]:
    by %= len(models)
    return [*models[by:], *models[:by]]
