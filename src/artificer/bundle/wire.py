"""Protocol buffers' wire format, just enough to look at an ONNX file without the onnx package.

References
----------
.. [1] Protocol Buffers documentation, "Encoding": a message is a sequence of
   (tag, value) with tag = field << 3 | wire type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int, int, int]
"""(field number, wire type, start, end): for ``VARINT`` the value stands in place of start."""


class WireError(ValueError):
    """The bytes are not a message."""


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read one variable-length integer at `at`; returns it with the position after it."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise WireError("a number is cut short")


def fields(data: bytes, start: int, end: int, skip: dict[int, re.Pattern[bytes]] | None = None) -> Iterator[Field]:
    """Walk the fields of the message in ``data[start:end]``.

    Parameters
    ----------
    skip : first byte of a run -> pattern of the whole run. A tree ensemble keeps each number as a field of its own;
        the pattern steps over millions of them at once.
    """
    at = start
    while at < end:
        if skip and data[at] in skip:
            run = skip[data[at]].match(data, at, end)
            if run is not None:
                at = run.end()
                continue
        tag, at = varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise WireError("a field has number 0")
        if kind == VARINT:
            value, at = varint(data, at, end)
            yield number, kind, value, at
            continue
        if kind == BYTES:
            size, at = varint(data, at, end)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise WireError(f"wire type {kind} is not in use")
        if size > end - at:
            raise WireError("a field reaches past the end")
        yield number, kind, at, at + size
        at += size
