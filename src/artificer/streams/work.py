"""What some deliveries come to: entries for the journal, messages to publish, dead letters. No broker, no disk."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec

from artificer.errors import ContractError, Violation
from artificer.journal.entries import Entry
from artificer.streams.base import Event, Message

_T = TypeVar("_T")

MOST_ECHOED: Final = 256 * 1024
"""Larger events are named in a dead letter, not repeated: a broker has a limit for a message."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Batch:
    """What is to be done about some events, in this order: journal, publish, acknowledge.

    Attributes
    ----------
    at : when it was worked on; no other batch of a consumer has the same.
    events : all of them, to be acknowledged at the end.
    entries : for the journal.
    messages : to publish.
    dead : dead letters to publish.
    again : how many were found in the journal and are only published once more.
    guarded : guard and action of each row that a guard caught.
    repeated : how many came a second time under another place in the stream.
    """

    at: float
    events: Sequence[Event]
    entries: list[Entry] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    guarded: list[tuple[str, str]] = field(default_factory=list)
    again: int = 0
    repeated: int = 0
    version: int | None = None

    def bury(self, event: Event, cause: str, violations: Sequence[Violation] = ()) -> None:
        """Make a dead letter of an event."""
        letter: dict[str, Any] = {"key": event.key, "at": self.at, "cause": cause}
        if violations:
            letter["violations"] = [
                {"column": found.column, "value": found.value, "rule": found.rule} for found in violations
            ]
        self.dead.append(Message(f"dead/{event.key}", _encode({**letter, **_echo(event.data)})))
        self.causes.append(violations[0].rule if violations else cause)


def _echo(data: bytes) -> dict[str, Any]:
    if len(data) > MOST_ECHOED:
        return {"bytes": len(data)}
    try:
        _decode(data)
        data.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {"base64": base64.b64encode(data).decode("ascii")}
    return {"event": msgspec.Raw(data)}


def parsed(data: bytes) -> dict[str, Any] | str:
    """An event as an object, or what is wrong with it."""
    try:
        found = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return f"the event is not JSON in UTF-8: {error}"
    except RecursionError:
        return "the event is nested too deeply"
    return found if type(found) is dict else "the event is not a JSON object"


def apart(
    items: Sequence[Any],
    answer: Callable[[Sequence[Any]], _T],
    refused: Callable[[int, str, Sequence[Violation]], None],
) -> list[tuple[Sequence[int], _T]]:
    """Answer `items` together where that can be, and without those that cannot be answered.

    Parameters
    ----------
    answer : raises ContractError with the violations of some items, or another error because of items unknown.
    refused : told the index of each item that cannot be answered, why, and its violations.

    Returns
    -------
    Which items were answered together, as indices, and their answer.

    Examples
    --------
    >>> def halves(numbers):
    ...     return [10 // number for number in numbers]
    >>> apart([5, 0, 2], halves, lambda index, why, violations: print(index, why))
    1 ZeroDivisionError: integer division or modulo by zero
    [((0,), [2]), ((2,), [5])]
    """
    answered: list[tuple[Sequence[int], _T]] = []
    waiting: list[Sequence[int]] = [tuple(range(len(items)))]
    while waiting:
        indices = waiting.pop()
        if not indices:
            continue
        try:
            answered.append((indices, answer([items[i] for i in indices])))
        except ContractError as error:
            broken: dict[int, list[Violation]] = {}
            for violation in error.violations:
                broken.setdefault(violation.row, []).append(violation)
            if not broken:
                waiting += _halves(indices, error, refused)
                continue
            for row, violations in broken.items():
                first = violations[0]
                where = f'"{first.column}": ' if first.column else ""
                refused(indices[row], f"{where}{first.rule}", violations)
            waiting.append(tuple(index for row, index in enumerate(indices) if row not in broken))
        except Exception as error:  # whatever an event sets off, the ones beside it must go on
            waiting += _halves(indices, error, refused)
    return answered


def _halves(
    indices: Sequence[int], error: Exception, refused: Callable[[int, str, Sequence[Violation]], None]
) -> list[Sequence[int]]:
    if len(indices) == 1:
        refused(indices[0], f"{type(error).__name__}: {error}", ())
        return []
    middle = len(indices) // 2
    return [indices[middle:], indices[:middle]]
