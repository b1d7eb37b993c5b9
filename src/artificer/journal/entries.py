"""What the journal keeps: predictions and outcomes, and how they become bytes and come back.

An entry is encoded by position, so a field may be added only at the end and with a default; that is how a journal of an
older version stays readable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from artificer.errors import JournalError
from artificer.types import Json


class PredictionEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One answered row.

    Attributes
    ----------
    id : names the prediction; an outcome refers to it.
    at : when it was answered, seconds since 1970-01-01 UTC.
    version : the model version that answered.
    row : the raw features as they were received.
    scores : what the model said, one number a class, or one value.
    prediction : what the client was told: the label in its own type, or the value.
    """

    id: str
    at: float
    version: str
    row: Json
    scores: list[float]
    prediction: Any


class OutcomeEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What turned out to be true for a prediction; of several for one id, the newest counts."""

    id: str
    at: float
    value: Any


Entry: TypeAlias = PredictionEntry | OutcomeEntry

PREDICTIONS: Final = 0
OUTCOMES: Final = 1
KIND_OF_ENTRY: Final[dict[type, int]] = {PredictionEntry: PREDICTIONS, OutcomeEntry: OUTCOMES}

_encode = msgspec.msgpack.Encoder().encode
_decode_predictions = msgspec.msgpack.Decoder(list[PredictionEntry]).decode
_decode_outcomes = msgspec.msgpack.Decoder(list[OutcomeEntry]).decode


class Chunk(NamedTuple):
    """Entries of one kind, encoded one after the other without the array header that a whole group gets."""

    kind: int
    length: int
    min_at: float
    max_at: float
    data: bytes


def encode(entries: Sequence[Entry]) -> list[Chunk]:
    """Encode entries, one chunk for each kind among them.

    Raises
    ------
    JournalError
        For an entry that cannot be kept: of another type, with a time that is no number, or with a value that has no
        form in the journal.
    """
    kind = KIND_OF_ENTRY.get(type(entries[0])) if len(entries) == 1 else None
    if kind is not None:
        entry = entries[0]
        if not math.isfinite(entry.at):
            raise JournalError(f'the entry "{entry.id}" has the time {entry.at}; give seconds since 1970.')
        return [Chunk(kind, 1, entry.at, entry.at, _encoded(entry))]
    return [_chunk(kind, entries) for kind in (PREDICTIONS, OUTCOMES) if any(_kind(e) == kind for e in entries)]


def decode(kind: int, data: bytes) -> list[PredictionEntry] | list[OutcomeEntry]:
    """Decode the body of a group. ``msgspec.DecodeError`` if it is not one."""
    return _decode_predictions(data) if kind == PREDICTIONS else _decode_outcomes(data)


def group_header(count: int) -> bytes:
    """Give the msgpack header of an array of `count` entries (the 32-bit form, so that its length is constant)."""
    return b"\xdd" + count.to_bytes(4, "big")


def _kind(entry: Entry) -> int:
    kind = KIND_OF_ENTRY.get(type(entry))
    if kind is None:
        raise JournalError(f"a {type(entry).__name__} cannot be journalled; give predictions or outcomes.")
    return kind


def _chunk(kind: int, entries: Sequence[Entry]) -> Chunk:
    chosen = [e for e in entries if _kind(e) == kind]
    times = [e.at for e in chosen]
    if not all(map(math.isfinite, times)):
        raise JournalError("an entry has a time that is not a finite number; give seconds since 1970.")
    return Chunk(kind, len(chosen), min(times), max(times), b"".join(map(_encoded, chosen)))


def _encoded(entry: Entry) -> bytes:
    try:
        return _encode(entry)
    except OverflowError:
        # JSON knows integers of any length and msgpack 64 bits: the few that are larger are kept as floats or text.
        return _encode(_fitting(msgspec.to_builtins(entry)))
    except (TypeError, ValueError) as error:
        raise JournalError(f'the entry "{entry.id}" cannot be journalled: {error}.') from error


def _fitting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _fitting(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fitting(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 10**300 else str(value)
    return value
