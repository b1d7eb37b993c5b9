"""The way in: whatever the caller names becomes a table with an account of how it was read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from artificer.errors import SourceError
from artificer.sources.base import Content, Part, ReadOptions, ReadResult, Reject, Source, sources
from artificer.sources.databases import batches_of_database, is_database, read_database
from artificer.sources.delimited import Delimited
from artificer.sources.dialect import unique_names
from artificer.sources.fingerprints import combined, file_fingerprint, frame_fingerprint
from artificer.sources.locate import File, Located, located
from artificer.sources.packing import SUFFIXES, first_bytes
from artificer.sources.union import united
from artificer.tables.door import to_polars

NOT_TABLES = {
    b"PK\x03\x04": "a zip archive, and no Excel workbook",
    b"%PDF": "a PDF document",
    b"FEA1": "a Feather file of version 1",
    b"\x80\x04\x95": "a pickle, which is never opened",
}
KINDS = "CSV, Parquet, JSON, Arrow, Excel or SQLite file"


def read_source(spec: object, *, options: ReadOptions | None = None) -> ReadResult:
    """Read whatever `spec` names, or take a table object, into a Polars frame.

    Parameters
    ----------
    spec : a file (CSV in any dialect, Parquet, JSON, Arrow, Excel, SQLite; packed ones too), a pattern of several
        (``sales-*.csv``), or a folder of them, partitioned or not; ``#name`` behind a file names its sheet or table.
        Such files at ``https://``, ``s3://`` or ``gs://``. A database's URL, with a table or query in the options;
        ``${NAME}`` in a URL is read from the environment. Or a pandas, Polars or Arrow table, a dict of
        columns, or a list of dicts.
    options : what is known about the source.

    Returns
    -------
    ReadResult : ``rows_read + rows_rejected`` are the data lines of the source.

    Raises
    ------
    SourceError
        The source is absent, empty, not readable or damaged, or too many of its lines were refused.
    """
    options = options or ReadOptions()
    if not isinstance(spec, (str, os.PathLike)):
        frame = to_polars(spec)
        return ReadResult(frame, frame.height, 0, None, frame_fingerprint(frame))
    if is_database(str(spec)):
        return read_database(str(spec), options)
    with located(str(spec)) as found:
        found = _filled(found)
        return _assembled(found, [_read(file, _for(found, options)) for file in found.files], options)


def read_batches(spec: object, *, options: ReadOptions | None = None) -> Iterator[Content]:
    """Read the same rows as `read_source` in the same order, some at a time and without ever holding them all.

    Every cell is as the source writes it. Batches of one source may differ in their columns where its files do, and
    the rejects come with the batches; how many are too many is for the caller to say.
    """
    options = options or ReadOptions()
    if not isinstance(spec, (str, os.PathLike)):
        for part in to_polars(spec).iter_slices(options.batch_rows):
            yield Content(part)
        return
    if is_database(str(spec)):
        for frame in batches_of_database(str(spec), options):
            yield Content(frame)
        return
    with located(str(spec)) as found:
        found, wanted = _filled(found), _for(found, options)
        several = len(found.files) > 1
        for file in found.files:
            with _named(file):
                batches = _opened(file, wanted).batches(file.path, wanted)
            while True:
                with _named(file):  # around the reading alone: what the caller does with a batch is the caller's
                    batch = next(batches, None)
                if batch is None:
                    break
                yield _placed(batch, file, several)


def choose(path: Path) -> Source:
    """Pick the source for a file: what its first bytes prove, else its suffix, else delimited text.

    Raises
    ------
    SourceError
        The first bytes show something that is no table.
    """
    head = first_bytes(path)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in SUFFIXES]
    suffix = suffixes[-1] if suffixes else ""
    found = [member() for member in sources().values()]
    named = next((member for member in found if suffix in member.suffixes), None)
    proved = next((member for member in found if member.recognises(head)), None)
    for magic, what in NOT_TABLES.items():
        if proved is None and head.startswith(magic):
            raise SourceError(f'"{path}" is {what}; give a {KINDS}')
    if isinstance(named, Delimited) and proved is not None and proved.name == "json":
        return named  # a line of CSV may begin like JSON, and the suffix says CSV
    return proved or named or Delimited()


def _filled(found: Located) -> Located:
    """Of several files those that are not empty; an empty part, as writers leave them, is no damage."""
    if len(found.files) == 1:
        return found
    files = tuple(file for file in found.files if file.path.stat().st_size)
    if not files:
        raise SourceError(f'"{found.place}" stands for {len(found.files)} files, and each is empty; give one with rows')
    empty = len(found.files) - len(files)
    notes = (f"{empty} empty files were passed over",) if empty else ()
    return replace(found, files=files, notes=(*found.notes, *notes))


def _for(found: Located, options: ReadOptions) -> ReadOptions:
    """The options with what the name itself asks for."""
    return options if found.table is None else replace(options, table=found.table)


def _opened(file: File, options: ReadOptions) -> Source:
    """The source of a file that is there and not empty."""
    if file.path.stat().st_size == 0:
        raise SourceError(f'"{file.name}" is empty; give a file with a header and at least one line of data')
    source = choose(file.path)
    if not source.tables and options.table is not None:
        raise SourceError(f'"{file.name}" holds one table, so "{options.table}" cannot be asked for; leave it out')
    if source.name != "sqlite" and options.query is not None:
        raise SourceError(f'"{file.name}" is no database, so it cannot be asked a query; leave the query out')
    return source


@contextmanager
def _named(file: File) -> Iterator[None]:
    """Let errors name the file as the caller does, not by the place it was brought to."""
    try:
        yield
    except PermissionError as error:
        raise SourceError(f'"{file.name}" may not be read; give this user read permission') from error
    except OSError as error:
        raise SourceError(f'"{file.name}" could not be read ({error.strerror or error}); check the disk') from error
    except SourceError as error:
        if str(file.path) == file.name or str(file.path) not in str(error):
            raise
        raise SourceError(
            str(error).replace(str(file.path), file.name).replace(file.path.name, Path(file.name).name)
        ) from error


def _read(file: File, options: ReadOptions) -> tuple[File, Content, str]:
    """One file whole: what it holds and its fingerprint."""
    with _named(file):
        content, fingerprint = _opened(file, options).read(file.path, options), file_fingerprint(file.path)
    names, again = unique_names(content.frame.columns)
    content.frame.columns = list(names)
    return file, replace(content, notes=(*content.notes, *again)), fingerprint


def _assembled(found: Located, read: list[tuple[File, Content, str]], options: ReadOptions) -> ReadResult:
    several = len(read) > 1
    placed = [_placed(content, file, several) for file, content, _ in read]
    frame, differences = united([(file.name, content.frame) for (file, *_), content in zip(read, placed, strict=True)])
    rejects = tuple(reject for content in placed for reject in content.rejects)
    if frame.height + len(rejects) == 0:
        raise SourceError(f'"{found.place}" holds no rows below its header; give at least one line of data')
    parts = tuple(
        Part(file.name, content.frame.height, len(content.rejects), file.path.stat().st_size, fingerprint)
        for file, content, fingerprint in read
    )
    written = _settle_rejects(found.place, frame.height, rejects, options)
    notes = (*found.notes, *_counted(found, parts), *(n for c in placed for n in c.notes), *differences)
    fingerprint = combined(parts)
    return ReadResult(frame, frame.height, len(rejects), written, fingerprint, notes, found.place, parts)


def _counted(found: Located, parts: Sequence[Part]) -> tuple[str, ...]:
    if len(parts) < 2:
        return ()
    rows = sum(part.rows for part in parts)
    shown = ", ".join(f"{Path(part.name).name} {part.rows:,}" for part in parts[:3])
    more = ", ..." if len(parts) > 3 else ""
    return (f'"{found.place}" stands for {len(parts)} files with {rows:,} rows ({shown}{more})',)


def _placed(content: Content, file: File, several: bool) -> Content:
    """The content with the columns that the file's path tells, and named where the file is one of several."""
    import polars as pl

    frame = content.frame
    for name, value in file.partition:
        if name not in frame.columns:
            column = pl.Series(name, [value], pl.String).new_from_index(0, frame.height)
            frame = frame.with_columns(column)
    if not several:
        return replace(content, frame=frame)
    rejects = tuple(replace(reject, file=file.name) for reject in content.rejects)
    return Content(frame, rejects, tuple(f"{Path(file.name).name}: {note}" for note in content.notes))


def _settle_rejects(place: str, rows: int, rejects: Sequence[Reject], options: ReadOptions) -> Path | None:
    """Write the refused lines down, and stop where they are too many."""
    if not rejects:
        return None
    if options.rejects_path is not None:
        write_rejects(options.rejects_path, rejects)
    lines = len(rejects) + rows
    if len(rejects) > options.max_reject_share * lines:
        first = rejects[0]
        where = f"{first.file}, line {first.line}" if first.file else f"line {first.line}"
        kept = f"see {options.rejects_path}" if options.rejects_path else "mend them or raise max_reject_share"
        raise SourceError(
            f'{len(rejects)} of {lines} lines of "{place}" cannot be read, more than the '
            f"allowed {options.max_reject_share:.0%} ({where}: {first.cause}); {kept}"
        )
    return options.rejects_path


def write_rejects(path: Path, rejects: Sequence[Reject]) -> None:
    """Write refused lines as JSON lines: line number, cause, text, and the file where there are several."""
    import msgspec

    encoder = msgspec.json.Encoder()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        for reject in rejects:
            line = {"line": reject.line, "cause": reject.cause, "text": reject.text}
            out.write(encoder.encode(line if reject.file is None else {"file": reject.file, **line}) + b"\n")
