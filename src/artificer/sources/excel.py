"""Excel and OpenDocument workbooks: one sheet becomes a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from artificer.errors import SourceError, nearest
from artificer.sources.base import Content, ReadOptions, Source
from artificer.sources.dialect import unique_names

Rows: TypeAlias = list[list[Any]]
Merge: TypeAlias = tuple[int, int, int, int]
"""First row, first column, last row, last column of cells that were merged into one."""

_INSIDE = (b"[Content_Types].xml", b"docProps/", b"xl/", b"opendocument.spreadsheet")


class Excel(Source):
    """Workbook of Excel or OpenDocument, read by calamine. Formulas count by the value that was saved with them."""

    name: ClassVar[str] = "excel"
    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
    tables: ClassVar[bool] = True

    def recognises(self, head: bytes) -> bool:
        return head.startswith(b"PK\x03\x04") and any(mark in head for mark in _INSIDE)

    def read(self, path: Path, options: ReadOptions) -> Content:
        import python_calamine as calamine

        try:
            with calamine.CalamineWorkbook.from_path(path) as book:
                sheet = _chosen(path, book, options.table)
                rows = [
                    [None if cell == "" else cell for cell in row] for row in sheet.to_python(skip_empty_area=False)
                ]
                merges = [(*first, *last) for first, last in sheet.merged_cell_ranges or ()]
        except calamine.PasswordError as error:
            raise SourceError(f'"{path}" is locked by a password; save it without one') from error
        except (calamine.CalamineError, calamine.ZipError, calamine.XmlError, OSError) as error:
            cause = str(error).splitlines()[0][:200]
            raise SourceError(
                f'"{path}" is cut short or no Excel workbook ({cause}); write or fetch it again'
            ) from error
        return table_of(rows, merges, where=f'sheet "{sheet.name}" of "{path}"')


def _chosen(path: Path, book: Any, wanted: str | None) -> Any:
    """The sheet that is asked for, or the only one with anything on it."""
    from python_calamine import SheetTypeEnum

    names = [sheet.name for sheet in book.sheets_metadata if sheet.typ is SheetTypeEnum.WorkSheet]
    if wanted is not None:
        if wanted not in names:
            hint = nearest(wanted, names) or "; its sheets are " + ", ".join(f'"{name}"' for name in names)
            raise SourceError(f'"{path}" has no sheet "{wanted}"{hint}')
        return book.get_sheet_by_name(wanted)
    filled = [sheet for name in names if (sheet := book.get_sheet_by_name(name)).start is not None]
    if not filled:
        raise SourceError(f'"{path}" is empty; give a workbook with a header and at least one line of data')
    if len(filled) > 1:
        shown = ", ".join(f'"{sheet.name}"' for sheet in filled)
        raise SourceError(
            f'"{path}" has {len(filled)} sheets ({shown}); name one of them after the file, as in '
            f'"{path.name}#{filled[0].name}"'
        )
    return filled[0]


def table_of(rows: Rows, merges: Sequence[Merge], where: str) -> Content:
    """Find the header of a sheet and make columns of what stands below it.

    Merged cells share their one value. Lines above the header are titles; a header of several lines is joined to one.

    Examples
    --------
    >>> rows = [["Report", None, None], ["shop", "sales", None], [None, 2023, 2024], ["A", 1.0, 2.5], ["B", 3.0, None]]
    >>> found = table_of(rows, [(0, 0, 0, 2), (1, 0, 2, 0), (1, 1, 1, 2)], "the sheet")
    >>> found.frame.to_dict(as_series=False)
    {'shop': ['A', 'B'], 'sales 2023': [1, 3], 'sales 2024': [2.5, None]}
    """
    import polars as pl

    from artificer.tables.door import column_of

    width = max(map(len, rows), default=0)
    rows = [row + [None] * (width - len(row)) for row in rows]
    top = _header_row(rows, merges)
    depth = _header_depth(rows, merges, top)
    rows = _filled(rows, merges)
    body = [row for row in rows[top + depth :] if any(cell is not None for cell in row)]
    used = [j for j in range(width) if any(row[j] is not None for row in rows[top:])]
    if not body or not used:
        raise SourceError(f"{where} holds no rows below its header; give at least one line of data")
    names, renamed = unique_names([_name(rows[top : top + depth], j) for j in used])
    columns = [column_of(name, _whole_numbers([row[j] for row in body])) for name, j in zip(names, used, strict=True)]
    inside = sum(first >= top + depth for first, *_ in merges)
    return Content(pl.DataFrame(columns), (), (*_told(top, depth, inside, names), *renamed))


def _header_row(rows: Rows, merges: Sequence[Merge]) -> int:
    """The first row that names most columns; what stands above is a title."""
    reach = _filled(rows, [merge for merge in merges if merge[3] - merge[1] + 1 < _filled_width(rows)])
    most = max((sum(cell is not None for cell in row) for row in reach[:50]), default=0)
    return next((i for i, row in enumerate(reach) if sum(cell is not None for cell in row) * 2 > most), 0)


def _filled_width(rows: Rows) -> int:
    return sum(any(row[j] is not None for row in rows) for j in range(len(rows[0]))) if rows else 0


def _header_depth(rows: Rows, merges: Sequence[Merge], top: int) -> int:
    """Lines of the header: a name above several columns has their own names below it."""
    end = top + 1
    while True:
        here = [merge for merge in merges if top <= merge[0] < end]
        below = [last_row + 2 if last > first else last_row + 1 for _, first, last_row, last in here]
        reach = min(max([end, *below]), len(rows))
        if reach == end:
            return end - top
        end = reach


def _filled(rows: Rows, merges: Sequence[Merge]) -> Rows:
    """Every cell of a merged area with the area's value."""
    rows = [list(row) for row in rows]
    for first_row, first, last_row, last in merges:
        for i in range(first_row, min(last_row + 1, len(rows))):
            for j in range(first, min(last + 1, len(rows[i]))):
                rows[i][j] = rows[first_row][first]
    return rows


def _name(header: Rows, column: int) -> str:
    parts = [_text(row[column]) for row in header if row[column] is not None]
    return " ".join(dict.fromkeys(parts))


def _text(cell: Any) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    return " ".join(str(int(cell) if whole else cell).split())


def _whole_numbers(cells: list[Any]) -> list[Any]:
    """Workbooks keep every number as a fraction; a column of whole ones is one of whole numbers."""
    numbers = [cell for cell in cells if isinstance(cell, float)]
    if numbers and all(number.is_integer() and abs(number) < 2**53 for number in numbers):
        return [int(cell) if isinstance(cell, float) else cell for cell in cells]
    return cells


def _told(top: int, depth: int, inside: int, names: Sequence[str]) -> list[str]:
    notes = []
    if top:
        notes.append(f"{top} {'row' if top == 1 else 'rows'} above the header were passed over")
    if depth > 1:
        shown = ", ".join(f'"{name}"' for name in names[:5])
        notes.append(f"the header has {depth} lines with merged cells, joined to the names {shown}")
    if inside:
        notes.append(f"{inside} merged areas below the header were filled with their one value")
    return notes
