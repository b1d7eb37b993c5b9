"""From what the caller names to files: one, those of a pattern, those of a folder, or those of a store elsewhere."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from artificer.errors import SourceError, nearest
from artificer.sources.base import sources
from artificer.sources.packing import SUFFIXES

REMOTE = ("https", "http", "s3", "gs")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_WILD = re.compile(r"[*?\[]")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class File:
    """One file to read.

    Attributes
    ----------
    name : as the caller would name it.
    partition : columns whose value the path tells, as in ``year=2024/month=5/part.parquet``; None is a missing one.
    """

    path: Path
    name: str
    partition: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Located:
    """What a name stands for.

    Attributes
    ----------
    place : the name as it may be printed.
    table : the sheet or table that the name asks for after ``#``.
    """

    place: str
    files: tuple[File, ...]
    table: str | None = None
    notes: tuple[str, ...] = ()


def scheme_of(spec: str) -> str:
    """What stands before ``://``, in small letters; empty for a path.

    Examples
    --------
    >>> scheme_of("s3://bucket/key"), scheme_of("data/sales.csv")
    ('s3', '')
    """
    found = _SCHEME.match(spec)
    return found[1].lower() if found else ""


def find(spec: str) -> Located:
    """Find local files by path, pattern or folder, with ``#table`` behind where a file holds several tables.

    Raises
    ------
    SourceError
        There is nothing of that name; the message says what is near.
    """
    path = _path(spec)
    base, mark, table = spec.rpartition("#")
    try:
        if path.is_file():
            return Located(spec, (File(path, spec),))
        if path.is_dir():
            return _in_folder(spec, path)
        if mark and _path(base).is_file():
            return Located(spec, (File(_path(base), base),), table)
        if _WILD.search(spec):
            return _of_pattern(spec, path)
        if path.exists():
            raise SourceError(f'"{spec}" is not a regular file; give a file')
    except PermissionError as error:
        raise SourceError(f'"{spec}" may not be read; give this user read permission') from error
    except ValueError as error:  # a NUL in the name
        raise SourceError(f"{spec!r} is no file name; check the path") from error
    except OSError as error:
        raise SourceError(f'"{spec}" could not be read ({error.strerror or error}); check the path') from error
    raise _absent(spec, path)


def _path(spec: str) -> Path:
    try:
        return Path(spec.removeprefix("file://")).expanduser()
    except RuntimeError as error:
        raise SourceError(f'"{spec}" names a home folder that does not exist; check the path') from error


def _absent(spec: str, path: Path) -> SourceError:
    folder = path.parent
    near = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    where = "" if folder.is_dir() else f' (there is no folder "{folder}")'
    return SourceError(f'there is no file "{spec}"{where}{nearest(path.name, near) or "; check the path"}')


def _of_pattern(spec: str, path: Path) -> Located:
    found = [Path(name) for name in glob.glob(str(path), recursive=True)]
    root = Path(*path.parts[: _first_wild(path)])
    files = _files([entry for entry in found if entry.is_file()], root)
    if not files:
        raise SourceError(f'no file matches "{spec}"; check the pattern')
    return Located(spec, files)


def _first_wild(path: Path) -> int:
    return next(i for i, part in enumerate(path.parts) if _WILD.search(part))


def _in_folder(spec: str, folder: Path) -> Located:
    """Every table in a folder and those below it; hidden files and those that begin with an underscore are not."""
    every = [entry for entry in folder.rglob("*") if entry.is_file() and not _hidden(entry.relative_to(folder))]
    known = {suffix: member.name for member in sources().values() for suffix in member.suffixes}
    kinds: dict[str, list[Path]] = {}
    for entry in every:
        kind = known.get(_suffix(entry))
        if kind is not None:
            kinds.setdefault(kind, []).append(entry)
    if not kinds:
        raise SourceError(f'"{spec}" is a folder without tables; give a file, or a folder of CSV or Parquet files')
    if len(kinds) > 1:
        shown = " and ".join(f"{len(paths)} of {kind}" for kind, paths in sorted(kinds.items()))
        raise SourceError(
            f'"{spec}" is a folder of files of several kinds ({shown}); name one kind, as in "{Path(spec) / "*.csv"}"'
        )
    (taken,) = kinds.values()
    left = len(every) - len(taken)
    notes = (f'{left} files in "{spec}" are no tables and were passed over',) if left else ()
    return Located(spec, _files(taken, folder), notes=notes)


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) and "=" not in part for part in path.parts)


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in SUFFIXES]
    return suffixes[-1] if suffixes else ""


def _files(paths: list[Path], root: Path) -> tuple[File, ...]:
    ordered = sorted(paths, key=lambda path: _natural(str(path)))
    return tuple(File(path, str(path), _partition(path.relative_to(root).parent)) for path in ordered)


def _natural(text: str) -> list[tuple[int, str]]:
    """Order in which part-9 comes before part-10."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", text)]


def _partition(folder: Path) -> tuple[tuple[str, str | None], ...]:
    pairs = [part.split("=", 1) for part in folder.parts if "=" in part]
    return tuple((unquote(name), None if value == _NO_VALUE else unquote(value)) for name, value in pairs)


@contextmanager
def located(spec: str) -> Iterator[Located]:
    """The files that a name stands for; what lies elsewhere is brought here for as long as the context lasts.

    Raises
    ------
    SourceError
        There is nothing of that name, or it cannot be reached.
    """
    scheme = scheme_of(spec)
    if scheme in ("", "file"):
        yield find(spec)
        return
    from artificer.sources.remote import fetched

    with fetched(spec) as found:
        yield found
