"""Events of outcomes become entries of the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from artificer.journal.entries import OutcomeEntry
from artificer.serving.champion import Champion
from artificer.streams.base import Event
from artificer.streams.work import Batch, apart, parsed


class Outcomes:
    """Works on batches of ``{"id": ..., "value": ...}`` or ``{"event": ..., "value": ...}``, the event's own name.

    Outcomes are dated by the broker, so that one which is delivered again never counts as newer than its correction.

    Parameters
    ----------
    champion : knows which values the target can have.
    name : the durable name of the predictions.
    known : the newest outcomes in the journal, by id: what is no newer is not journalled again.
    """

    def __init__(self, champion: Champion, name: str, known: Mapping[str, OutcomeEntry] | None = None) -> None:
        self._champion = champion
        self._name = name
        self._known = dict(known or {})

    @property
    def ready(self) -> bool:
        """Whether a version is there to say which values there can be."""
        return self._champion.predictor is not None

    def work(self, events: Sequence[Event], at: float) -> Batch:
        """Read outcomes: see :class:`Batch`."""
        batch = Batch(at, events)
        predictor = self._champion.predictor
        if predictor is None:
            raise RuntimeError("there is no champion; look at ready first")
        items: list[Any] = []
        kept: list[Event] = []
        for event in events:
            item = parsed(event.data)
            if isinstance(item, str):
                batch.bury(event, item)
                continue
            if "event" in item and "id" not in item:
                item["id"] = f"{self._name}:{item.pop('event')}"
            items.append(item)
            kept.append(event)
        answered = apart(
            items,
            lambda some: predictor.outcomes(some, at),
            lambda index, why, violations: batch.bury(kept[index], why, violations),
        )
        for indices, entries in answered:
            for index, entry in zip(indices, entries, strict=True):
                self._take(OutcomeEntry(entry.id, kept[index].at, entry.value), batch, kept[index])
        return batch

    def _take(self, entry: OutcomeEntry, batch: Batch, event: Event) -> None:
        known = self._known.get(entry.id) if event.redelivered else None
        if known is not None and known.at >= entry.at:
            batch.again += 1
        else:
            batch.entries.append(entry)
