"""CSV: rows below a line of names, UTF-8, answered by CSV with one line for each.

A text says nothing of its type, so cells are read by the contract: an empty one is missing, and a number is a number
where the column holds native ones. What does not read so stays a text, and the contract's reader says what is wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any, Final

from artificer.server.bodies import MAX_CELLS
from artificer.server.dialects.base import Dialect
from artificer.server.dialects.columns import named
from artificer.server.dialects.told import columns_of
from artificer.server.problems import Refusal
from artificer.serving.predictor import Answer, Ask, Predictor
from artificer.tables.cells import ColumnSpec
from artificer.tables.contract import Contract
from artificer.types import Role

MEDIA: Final = frozenset({b"text/csv", b"application/csv"})
CSV: Final = (b"content-type", b"text/csv; charset=utf-8")


def rows_of(body: bytes, contract: Contract) -> list[dict[str, Any]]:
    """Read the rows; Refusal where the body is no table."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(400, "malformed", f"the body is not UTF-8: {error}; send CSV in UTF-8") from error
    if text.count(",") + text.count("\n") > MAX_CELLS:
        detail = f"the body holds more than {MAX_CELLS:,} values; send the rows in smaller batches"
        raise Refusal(413, "too-large", detail)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise Refusal(400, "malformed", f"the body is not CSV: {error}; quote cells that hold quotes") from error
    if not lines:
        raise Refusal(422, "shape", "the body holds no line; the first one names the columns")
    header, *cells = lines
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise Refusal(422, "shape", f'the first line names "{twice[:100]}" twice; give each column a name of its own')
    known = {column.name: column for column in contract.columns}
    read = [_reader(known.get(name)) for name in header]
    return named([[take(cell) for take, cell in zip(read, line, strict=False)] for line in cells], header)


def _reader(column: ColumnSpec | None) -> Callable[[str], Any]:
    """How the cells of a column are read into JSON values."""
    if column is None or column.format is not None or column.role not in (Role.NUMERIC, Role.BOOLEAN, Role.DATETIME):
        return _text
    return _boolean if column.role is Role.BOOLEAN else _number


def _text(cell: str) -> str | None:
    return cell or None


def _number(cell: str) -> Any:
    stripped = cell.strip()
    if "_" not in stripped:  # Python's own digits; no number elsewhere
        try:
            return int(stripped) if stripped.lstrip("+-").isdigit() and len(stripped) < 16 else float(stripped)
        except ValueError:
            pass
    return cell or None


def _boolean(cell: str) -> Any:
    known = {"true": True, "false": False}
    lower = cell.strip().lower()
    return known[lower] if lower in known else _number(cell)


def read(body: bytes, predictor: Predictor) -> Ask:
    """Read a body; Refusal where it is none."""
    return Ask(rows_of(body, predictor.bundle.contract))


def write(predictor: Predictor, answer: Answer, ask: Ask) -> bytes:
    """Write a line for each row, below the names of the columns."""
    columns = columns_of(predictor, answer)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


ROWS_CSV: Final = Dialect("/v1/predict", MEDIA, read, write, CSV)
