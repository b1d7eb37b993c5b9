"""What is done of a stream: ranges, floors, and events that only look done."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.errors import StreamError
from artificer.streams.base import Event
from artificer.streams.position import Position, Ranges, read_checkpoint, write_checkpoint


def at(sequence: int, when: float, again: bool = False) -> Event:
    return Event(b"", f"{sequence}.{when}", 0, sequence, when, again)


@given(st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=8), st.integers(-1, 60))
def test_ranges_hold_what_a_set_holds(parts: list[list[int]], floor: int) -> None:
    ranges, plain = Ranges(), set()
    for part in parts:
        ranges.add(part)
        plain.update(part)
    ranges.forget(floor)
    assert {number for number in range(62) if number in ranges} == {number for number in plain if number > floor}
    assert all(low <= high for low, high in ranges.ranges)


def test_a_broker_that_forgets_what_it_has_delivered_makes_nothing_undone() -> None:
    position = Position(None, {})
    events = [at(i, 100.0 + i) for i in range(1, 11)]
    position.take_off(events)
    assert position.is_flying(events[3])
    position.land(events)
    position.settle({0: 10})
    position.settle({0: 4})  # killed, it comes back with an older state
    for event in events:
        assert position.is_doubtful(event)
        assert position.is_done(event)
    assert not position.is_doubtful(at(11, 111.0))


def test_a_stream_made_anew_begins_again() -> None:
    position = Position(None, {})
    position.land([at(i, 100.0 + i) for i in range(1, 11)])
    position.settle({0: 10})
    assert not position.is_done(at(3, 500.0))


def test_a_position_is_read_as_it_was_written(tmp_path: Path) -> None:
    position = Position(None, {0: 0})
    position.land([at(i, 100.0 + i) for i in (1, 2, 5)])
    place = tmp_path / "shop.events.json"
    write_checkpoint(place, position.checkpoint(7.0))
    found = read_checkpoint(place)
    assert found is not None
    again = Position(found, {0: 0})
    assert again.at == 7.0
    assert [sequence for sequence in range(1, 7) if again.is_done(at(sequence, 100.0))] == [1, 2, 5]
    # Where the broker's own floor fell, sequences may mean other events: the journal alone is asked then.
    assert not Position(found, {0: -1}).is_done(at(5, 100.0))
    place.write_text("{")
    with pytest.raises(StreamError, match="remove it"):
        read_checkpoint(place)
