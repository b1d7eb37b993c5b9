"""The contract of a journal's store: what is appended is there for every reader, in windows, joined, once.

Run :func:`check_store` on an empty place of each kind of store.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from artificer.errors import JournalError
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.keeping import forget, retain, status, verify
from artificer.journal.query import query
from artificer.journal.reader import Counts, counts, labelled, made_in, outcomes, outcomes_of, predictions
from artificer.journal.sealing import DAY, seal
from artificer.journal.writer import Journal
from artificer.problem.places import Place

ROW: dict[str, Any] = {"price": 2.5, "hue": 'r"ed\nä', "n": None, "new": True, "list": [1, "x"]}


def made(number: int, at: float, who: str = "c") -> PredictionEntry:
    return PredictionEntry(f"p{number}", at, str(1 + number % 2), {**ROW, "who": who}, [0.25, 0.75], "yes")


def check_store(place: Place) -> None:
    """Hold a store, empty at first, to all of the contract."""
    check_appends(place)
    check_writers_side_by_side(place)
    check_reading(place)
    check_keeping(place)


def check_appends(place: Place) -> None:
    """Acknowledged means readable, also from the event loop; an empty append and a probe add nothing."""

    async def some() -> None:
        with Journal(place) as journal:
            await asyncio.gather(*[journal.append_async([made(i, float(i))]) for i in range(40)])
            await journal.probe_async()
            await journal.append_async([])
            assert journal.state.entries == 40
            assert journal.state.problem is None

    asyncio.run(some())
    assert predictions(place) == [made(i, float(i)) for i in range(40)]
    closed = Journal(place)
    closed.close()
    refused = ""
    try:
        closed.append([made(0, 0.0)])
    except JournalError as error:
        refused = str(error)
    assert "closed" in refused, "a closed journal took an append"


def check_writers_side_by_side(place: Place) -> None:
    """Two writers at one place, as two processes have, lose nothing of each other."""
    with Journal(place) as one, Journal(place) as other:
        threads = [
            threading.Thread(
                target=lambda j=journal, b=begin: [j.append([made(i, float(i))]) for i in range(b, b + 10)]
            )
            for journal, begin in ((one, 40), (other, 50))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [entry.id for entry in predictions(place)] == [f"p{i}" for i in range(60)]


def check_reading(place: Place) -> None:
    """Windows are half-open, the newest outcome counts, an entry that came twice is there once."""
    with Journal(place) as journal:
        journal.append([made(3, 3.0), OutcomeEntry("p3", 9.0, "new"), OutcomeEntry("p4", 5.0, 1.5)])
        journal.append([OutcomeEntry("p3", 8.0, "old")])
    assert len(predictions(place)) == 60
    assert [e.id for e in predictions(place, 3.0, 5.0)] == ["p3", "p4"]
    assert [e.id for e in predictions(place, version="2", limit=2)] == ["p57", "p59"]
    assert [e.value for e in outcomes(place)] == [1.5, "new"]
    assert [(p.id, o.value) for p, o in labelled(place)] == [("p3", "new"), ("p4", 1.5)]
    assert outcomes_of(place, ["p4"], 0.0)["p4"].value == 1.5
    assert len(made_in(place, 0.0, 99.0, 7, ["price"]).entries) == 7
    assert counts(place, 10.0, 20.0) == Counts(10, 0, 10.0, 19.0)
    asked = query(place, "select count(*), max(price) from predictions where new")
    assert asked["rows"] == [[61, 2.5]]


def check_keeping(place: Place) -> None:
    """A subject is forgotten, old days go, and all that is left is whole."""
    with Journal(place) as journal:
        journal.append([made(70, 2 * DAY, "Erika"), made(71, 2 * DAY), OutcomeEntry("p70", 2 * DAY, "no")])
    found = forget(place, "who", "Erika")
    assert (found.predictions, found.outcomes) == (1, 1)
    assert [e.id for e in predictions(place, 2 * DAY)] == ["p71"]
    assert verify(place)["damaged"] == []
    seal(place, 1 * DAY)
    assert len(predictions(place)) == 61
    assert retain(place, DAY) > 60
    assert [e.id for e in predictions(place)] == ["p71"]
    assert outcomes(place) == []
    state = status(place)
    assert (state["predictions"], state["outcomes"]) == (1, 0)
    assert {"forget", "retain"} <= {record["action"] for record in state["audit"]}
