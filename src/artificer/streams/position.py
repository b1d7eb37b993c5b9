"""What is done of a stream, kept so that a killed consumer does nothing twice.

The journal is the truth: an event is done once its prediction, whose id follows from the event alone, is in it. What a
process that starts must therefore know is which ids were journalled since a moment before which everything is settled.
That moment, and which events above the broker's own floor were done by then, are the checkpoint. It may be old without
harm: the journal is then read from further back.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from artificer.bundle.files import write_atomically
from artificer.errors import StreamError
from artificer.streams.base import Event

FORMAT: Final = 1


class Ranges:
    """A set of whole numbers that mostly follow each other.

    Examples
    --------
    >>> done = Ranges()
    >>> done.add([1, 2, 3, 7, 5])
    >>> done.ranges, 2 in done, 4 in done
    ([[1, 3], [5, 5], [7, 7]], True, False)
    >>> done.add([4, 6])
    >>> done.forget(5)
    >>> done.ranges
    [[6, 7]]
    """

    def __init__(self, ranges: Iterable[list[int]] = ()) -> None:
        self.ranges: list[list[int]] = [list(pair) for pair in ranges]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.ranges, number, key=_low) - 1
        return at >= 0 and number <= self.ranges[at][1]

    def add(self, numbers: Iterable[int]) -> None:
        """Add numbers, in any order."""
        run: list[int] | None = None
        for number in sorted(numbers):
            if run is not None and number <= run[1] + 1:
                run[1] = number
            else:
                if run is not None:
                    self._insert(run)
                run = [number, number]
        if run is not None:
            self._insert(run)

    def forget(self, floor: int) -> None:
        """Drop what is at `floor` or below."""
        while self.ranges and self.ranges[0][1] <= floor:
            del self.ranges[0]
        if self.ranges and self.ranges[0][0] <= floor:
            self.ranges[0][0] = floor + 1

    def _insert(self, run: list[int]) -> None:
        at = bisect_right(self.ranges, run[0], key=_low)
        if at and self.ranges[at - 1][1] >= run[0] - 1:
            at -= 1
            run = [self.ranges[at][0], max(run[1], self.ranges[at][1])]
            del self.ranges[at]
        while at < len(self.ranges) and self.ranges[at][0] <= run[1] + 1:
            run[1] = max(run[1], self.ranges[at][1])
            del self.ranges[at]
        self.ranges.insert(at, run)


def _low(pair: list[int]) -> int:
    return pair[0]


class Checkpoint(msgspec.Struct, frozen=True):
    """What is kept between processes.

    Attributes
    ----------
    since : everything that was journalled before this moment is settled: published, and known to `done` or the broker.
    floors : for each partition what the broker never delivers again, as it was then.
    done : for each partition the ranges above the floor that are done.
    newest : for each partition when the broker took the newest event that is done.
    """

    since: float
    floors: dict[int, int] = {}
    done: dict[int, list[list[int]]] = {}
    newest: dict[int, float] = {}
    format: int = FORMAT


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, None where there is none.

    Raises
    ------
    StreamError
        It is damaged, or a newer Artificer wrote it.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StreamError(
            f"the position {path} cannot be read ({error}); remove it: the whole journal is then read instead"
        ) from None
    if found.format > FORMAT:
        raise StreamError(f"the position {path} has format {found.format}, this Artificer knows {FORMAT}; update it")
    return found


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at `path` in one step."""
    write_atomically(path, msgspec.json.encode(checkpoint), "the stream's position")


class Position:
    """Which events are done or under way. Belongs to one task."""

    def __init__(self, checkpoint: Checkpoint | None, floors: Mapping[int, int]) -> None:
        self._done: dict[int, Ranges] = {}
        self._floors = dict(floors)
        self._flying: set[tuple[int, int]] = set()
        self._highest: dict[int, int] = {}
        self._newest: dict[int, float] = dict(checkpoint.newest) if checkpoint else {}
        self.at = checkpoint.since if checkpoint else 0.0
        """Nothing is dated before this, so that a clock that is set back moves nothing out of sight."""
        for partition, ranges in (checkpoint.done if checkpoint else {}).items():
            # A floor that fell means a stream of the same name made anew, whose sequences begin again.
            if checkpoint and floors.get(partition, -1) >= checkpoint.floors.get(partition, -1):
                self._done[partition] = Ranges(ranges)

    def is_doubtful(self, event: Event) -> bool:
        """Whether this may not be the first delivery: a broker that was killed forgets what it has delivered."""
        return event.redelivered or event.sequence <= self._highest.get(event.partition, -1)

    def is_done(self, event: Event) -> bool:
        """Whether the event was journalled, published and acknowledged.

        One that the broker took later than all that was done is another event: of a stream made anew, whose sequences
        begin again.
        """
        partition, sequence = event.partition, event.sequence
        if event.at > self._newest.get(partition, -math.inf):
            return False
        if sequence <= self._floors.get(partition, -1):
            return True
        return partition in self._done and sequence in self._done[partition]

    def is_flying(self, event: Event) -> bool:
        return (event.partition, event.sequence) in self._flying

    def take_off(self, events: Sequence[Event]) -> None:
        """Events are under way."""
        for event in events:
            self._flying.add((event.partition, event.sequence))
            if event.sequence > self._highest.get(event.partition, -1):
                self._highest[event.partition] = event.sequence

    def land(self, events: Sequence[Event]) -> None:
        """Events are done."""
        by_partition: dict[int, list[int]] = {}
        for event in events:
            by_partition.setdefault(event.partition, []).append(event.sequence)
            self._flying.discard((event.partition, event.sequence))
            if event.at > self._newest.get(event.partition, -math.inf):
                self._newest[event.partition] = event.at
        for partition, sequences in by_partition.items():
            self._done.setdefault(partition, Ranges()).add(sequences)

    def settle(self, floors: Mapping[int, int]) -> None:
        """Forget the ranges that the broker's floor covers. A floor that falls, because a killed broker has lost
        acknowledgements, does not make undone what was done."""
        for partition, floor in floors.items():
            self._floors[partition] = max(floor, self._floors.get(partition, -1))
            if partition in self._done:
                self._done[partition].forget(floor)

    def checkpoint(self, since: float) -> Checkpoint:
        done = {partition: [list(pair) for pair in ranges.ranges] for partition, ranges in self._done.items()}
        return Checkpoint(since, dict(self._floors), done, dict(self._newest))
