"""Events of rows become predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from artificer.journal.entries import PredictionEntry
from artificer.serving.champion import Champion
from artificer.serving.guards import TOLD, Hit
from artificer.serving.predictor import MAX_ID, Predictor
from artificer.streams.base import Event, Message
from artificer.streams.work import Batch, apart, parsed

LOOK_BACK: Final = 100_000
"""So many names of events are remembered to recognise one that its sender repeats."""
_encode = msgspec.json.Encoder().encode
_renamed = msgspec.structs.replace


class Scoring:
    """Works on batches, one at a time, in any thread. An event's prediction has the same id at every delivery.

    Parameters
    ----------
    champion : which version answers; a whole batch is answered by one.
    name : the durable name, with which ids begin.
    id_field : the field that names an event, where its sender names it.
    known : what a process before has journalled and perhaps not published, by id.
    """

    def __init__(
        self, champion: Champion, name: str, id_field: str = "id", known: Mapping[str, PredictionEntry] | None = None
    ) -> None:
        self._champion = champion
        self._name = name
        self._id_field = id_field
        self._known = dict(known or {})
        self._recent: dict[str, None] = {}
        self._columns: frozenset[str] = frozenset()

    @property
    def ready(self) -> bool:
        """Whether a version can answer."""
        return self._champion.predictor is not None

    def work(self, events: Sequence[Event], at: float) -> Batch:
        """Score events: see :class:`Batch`."""
        batch = Batch(at, events)
        predictor = self._champion.predictor
        if predictor is None:
            raise RuntimeError("there is no champion; look at ready first")
        batch.version = predictor.version
        self._columns = frozenset(column.name for column in predictor.bundle.contract.columns)
        left = events
        while left:
            left = self._some(left, batch, predictor)
        return batch

    def _some(self, events: Sequence[Event], batch: Batch, predictor: Predictor) -> list[Event]:
        """Score what can be scored at once; gives back events whose names came twice."""
        rows: list[dict[str, Any]] = []
        kept: list[Event] = []
        names: dict[str, str | None] = {}
        twice: list[Event] = []
        for event in events:
            row = parsed(event.data)
            if isinstance(row, str):
                batch.bury(event, row)
                continue
            own = self._own_name(row)
            if own is not None and not 0 < len(own) <= MAX_ID - len(self._name) - 1:
                batch.bury(
                    event, f'"{self._id_field}" must be a text of 1 to {MAX_ID - len(self._name) - 1} characters'
                )
                continue
            name = f"{self._name}#{event.key}" if own is None else f"{self._name}:{own}"
            if name in self._known:
                batch.messages.append(Message(name, told(predictor, self._known[name], own)))
                batch.again += 1
            elif name in self._recent:
                batch.repeated += 1
            elif name in names:
                twice.append(event)
            else:
                names[name] = own
                rows.append(row)
                kept.append(event)
        self._answer(rows, list(names.items()), kept, batch, predictor)
        return twice

    def _own_name(self, row: dict[str, Any]) -> str | None:
        """The event's own name, taken out of the row unless the model has a column of that name."""
        field = self._id_field
        if field not in row:
            return None
        own = row[field] if field in self._columns else row.pop(field)
        if own is None:
            return None
        return str(own) if type(own) is int else own if type(own) is str else ""

    def _answer(
        self,
        rows: Sequence[dict[str, Any]],
        names: Sequence[tuple[str, str | None]],
        events: Sequence[Event],
        batch: Batch,
        predictor: Predictor,
    ) -> None:
        at = batch.at
        answered = apart(
            rows,
            lambda some: predictor.answer(some, at),
            lambda index, why, violations: batch.bury(events[index], why, violations),
        )
        for indices, answer in answered:
            hits = answer.hits
            for place, (index, entry) in enumerate(zip(indices, answer.entries, strict=True)):
                name, own = names[index]
                named = _renamed(entry, id=name)
                caught = hits.get(place, ()) if hits else ()
                batch.guarded += [(hit.guard, hit.action) for hit in caught]
                batch.entries.append(named)
                batch.messages.append(Message(name, told(predictor, named, own, caught)))
                if own is not None:
                    self._remember(name)

    def _remember(self, name: str) -> None:
        self._recent[name] = None
        if len(self._recent) > LOOK_BACK:
            del self._recent[next(iter(self._recent))]


def told(predictor: Predictor, entry: PredictionEntry, event: str | None, caught: Sequence[Hit] = ()) -> bytes:
    """The message that is published for a prediction, with what guards caught and are to tell.

    What another version said before a restart is told without probabilities: its classes may be others.
    """
    document: dict[str, Any] = {
        "id": entry.id,
        "model": {"name": predictor.name, "version": int(entry.version)},
        "prediction": entry.prediction,
    }
    if event is not None:
        document["event"] = event
    shown = [{"guard": hit.guard, "action": hit.action, "why": hit.why} for hit in caught if hit.action in TOLD]
    if shown:
        document["guards"] = shown
    contract = predictor.bundle.contract
    if entry.version == str(predictor.version):
        if contract.classes:
            document["probabilities"] = dict(zip(contract.classes, entry.scores, strict=True))
        elif contract.levels:
            document["quantiles"] = dict(zip(map(str, contract.levels), entry.scores, strict=True))
    return _encode(document)


def slim(entry: PredictionEntry) -> PredictionEntry:
    """The entry without its row, to be kept in memory."""
    return _renamed(entry, row=None)
