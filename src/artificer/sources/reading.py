"""The way in: whatever the caller names becomes a table with an account of how it was read."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.errors import SourceError, nearest
from artificer.sources.base import Content, ReadOptions, ReadResult, Reject, Source, sources
from artificer.sources.delimited import Delimited
from artificer.sources.dialect import unique_names
from artificer.sources.survey import file_fingerprint, open_bytes
from artificer.tables.door import to_polars

if TYPE_CHECKING:
    import polars as pl

NOT_TABLES = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF document",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"FEA1": "a Feather file of version 1",
    b"\x80\x04\x95": "a pickle, which is never opened",
}


def read_source(spec: object, *, options: ReadOptions | None = None) -> ReadResult:
    """Read a file by its path, or take a table object, into a Polars frame.

    Parameters
    ----------
    spec : path of a CSV (any dialect), Parquet, JSON (lines or array) or Arrow file; or a pandas, Polars or Arrow
        table, a dict of columns, or a list of dicts.
    options : what is known about the file.

    Returns
    -------
    ReadResult : ``rows_read + rows_rejected`` are the data lines of the file.

    Raises
    ------
    SourceError
        The file is absent, empty, not readable or damaged, or too many of its lines were refused.
    """
    options = options or ReadOptions()
    if not isinstance(spec, (str, os.PathLike)):
        frame = to_polars(spec)
        return ReadResult(frame, frame.height, 0, None, frame_fingerprint(frame))
    path = Path(spec).expanduser()
    _check_file(path)
    try:
        content = choose(path).read(path, options)
        fingerprint = file_fingerprint(path)
    except PermissionError as error:
        raise SourceError(f'"{path}" may not be read; give this user read permission') from error
    except OSError as error:
        raise SourceError(f'"{path}" could not be read ({error.strerror or error}); check the disk') from error
    frame = content.frame
    names, renamed = unique_names(frame.columns)
    frame.columns = list(names)
    if frame.height + len(content.rejects) == 0:
        raise SourceError(f'"{path}" holds no rows below its header; give a file with at least one line of data')
    written = _settle_rejects(path, content, options)
    return ReadResult(frame, frame.height, len(content.rejects), written, fingerprint, (*content.notes, *renamed))


def choose(path: Path) -> Source:
    """Pick the source for a file: what its first bytes prove, else its suffix, else delimited text.

    Raises
    ------
    SourceError
        The first bytes show something that is no table.
    """
    try:
        with open_bytes(path) as file:
            head = file.read(4096)
    except (gzip.BadGzipFile, EOFError) as error:
        raise SourceError(f'"{path}" is a damaged gzip file ({error}); fetch it again') from error
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    found = [member() for member in sources().values()]
    for magic, what in NOT_TABLES.items():
        if head.startswith(magic):
            raise SourceError(f'"{path}" is {what}; give a CSV, Parquet, JSON or Arrow file')
    named = next((member for member in found if suffix in member.suffixes), None)
    proved = next((member for member in found if member.recognises(head)), None)
    if isinstance(named, Delimited) and proved is not None and proved.name == "json":
        return named  # a line of CSV may begin like JSON, and the suffix says CSV
    return proved or named or Delimited()


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise SourceError(f'"{path}" is a folder; give one of the files in it')
        if not path.exists():
            folder = path.parent
            near = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
            where = "" if folder.is_dir() else f' (there is no folder "{folder}")'
            hint = nearest(path.name, near) or "; check the path"
            raise SourceError(f'there is no file "{path}"{where}{hint}')
        if not path.is_file():
            raise SourceError(f'"{path}" is not a regular file; give a file')
        if path.stat().st_size == 0:
            raise SourceError(f'"{path}" is empty; give a file with a header and at least one line of data')
        with path.open("rb"):
            pass
    except PermissionError as error:
        raise SourceError(f'"{path}" may not be read; give this user read permission') from error
    except ValueError as error:  # a NUL in the name
        raise SourceError(f"{str(path)!r} is no file name; check the path") from error
    except OSError as error:
        raise SourceError(f'"{path}" could not be read ({error.strerror or error}); check the path') from error


def _settle_rejects(path: Path, content: Content, options: ReadOptions) -> Path | None:
    """Write the refused lines down, and stop where they are too many."""
    rejects = content.rejects
    if not rejects:
        return None
    if options.rejects_path is not None:
        write_rejects(options.rejects_path, rejects)
    share = len(rejects) / (len(rejects) + content.frame.height)
    if share > options.max_reject_share:
        first = rejects[0]
        kept = f"see {options.rejects_path}" if options.rejects_path else "mend them or raise max_reject_share"
        raise SourceError(
            f'{len(rejects)} of {len(rejects) + content.frame.height} lines of "{path}" cannot be read, more than the '
            f"allowed {options.max_reject_share:.0%} (line {first.line}: {first.cause}); {kept}"
        )
    return options.rejects_path


def write_rejects(path: Path, rejects: Sequence[Reject]) -> None:
    """Write refused lines as JSON lines: line number, cause, text."""
    import msgspec

    encoder = msgspec.json.Encoder()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for reject in rejects:
            file.write(encoder.encode({"line": reject.line, "cause": reject.cause, "text": reject.text}) + b"\n")


def frame_fingerprint(frame: pl.DataFrame) -> str:
    """SHA-256 over names, types and cells of a table in memory, in row order."""
    digest = hashlib.sha256()
    for column in frame.get_columns():
        digest.update(f"{column.name}\x1f{column.dtype}\x1f{len(column)}\x1e".encode())
        for start in range(0, max(len(column), 1), 100_000):
            part = column.slice(start, 100_000)
            digest.update(repr(part.is_null().to_numpy().nonzero()[0].tolist()).encode())
            digest.update(_bytes(part))
    return "sha256:" + digest.hexdigest()


def _bytes(part: pl.Series) -> bytes:
    if part.dtype.is_numeric() and not part.dtype.is_decimal():
        return part.fill_null(0).to_numpy().tobytes()
    if part.dtype.is_temporal():
        return part.to_physical().fill_null(0).to_numpy().tobytes()
    return "\x1f".join("" if cell is None else str(cell) for cell in part.to_list()).encode(errors="replace")
