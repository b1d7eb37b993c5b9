"""What every source must hold to: no line lost, order kept, one sentence for what cannot be read.

Give the suite a writer that puts a table of texts into a file of the source's kind.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from artificer.errors import SourceError
from artificer.sources.base import ReadOptions, Source
from artificer.sources.reading import choose, read_source

Writer = Callable[[pl.DataFrame, Path], None]


def sample_table(rows: int = 50) -> pl.DataFrame:
    """Texts with commas, quotes, line ends, foreign letters, and missing cells."""
    texts = ["plain", "with, comma", 'with "quotes"', "two\nlines", "Ærøskøbing", None]
    return pl.DataFrame(
        {
            "name": [texts[i % len(texts)] for i in range(rows)],
            "number": [str(i) for i in range(rows)],
            "note": [f"row {i}" if i % 7 else None for i in range(rows)],
        }
    )


def _as_text(frame: pl.DataFrame) -> list[tuple[str | None, ...]]:
    return [tuple(None if cell is None else str(cell) for cell in row) for row in frame.rows()]


def check_keeps_every_row(source: type[Source], write: Writer, folder: Path) -> None:
    """Rows come back complete and in order, twice the same."""
    table, path = sample_table(), folder / f"table{source.suffixes[0]}"
    write(table, path)
    content = source().read(path, ReadOptions())
    assert not content.rejects
    assert content.frame.columns == table.columns
    assert _as_text(content.frame) == _as_text(table)
    first, again = read_source(path), read_source(str(path))
    assert first.fingerprint == again.fingerprint
    assert (first.rows_read, first.rows_rejected) == (table.height, 0)
    assert first.frame.equals(again.frame)


def check_batches(source: type[Source], write: Writer, folder: Path) -> None:
    """In batches come the same rows in the same order, never more at a time than asked for."""
    table, path = sample_table(), folder / f"table{source.suffixes[0]}"
    write(table, path)
    batches = list(source().batches(path, ReadOptions(batch_rows=7)))
    assert max(batch.frame.height for batch in batches) <= 7
    assert [row for batch in batches for row in _as_text(batch.frame)] == _as_text(table)


def check_is_chosen(source: type[Source], write: Writer, folder: Path) -> None:
    """The source is found by the suffix of its files."""
    for suffix in source.suffixes:
        path = folder / f"chosen{suffix}"
        write(sample_table(5), path)
        assert isinstance(choose(path), source), suffix


def _attempt(path: Path) -> tuple[int, str]:
    """Rows that were read, or none and what the refusal said. Any other exception goes through."""
    try:
        return read_source(path, options=ReadOptions(max_reject_share=1.0)).rows_read, ""
    except SourceError as error:
        return 0, str(error)


def check_cut_short(source: type[Source], write: Writer, folder: Path) -> None:
    """A file cut anywhere gives fewer rows, rejects, or a SourceError of one line; never another exception."""
    path = folder / f"cut{source.suffixes[0]}"
    write(sample_table(), path)
    whole = path.read_bytes()
    for part in (1, 3, len(whole) // 3, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:part])
        rows, said = _attempt(path)
        assert rows <= sample_table().height
        assert "\n" not in said


def check_noise(source: type[Source], write: Writer, folder: Path) -> None:
    """Bytes that are no table give a SourceError or rejects; never another exception."""
    path = folder / f"noise{source.suffixes[0]}"
    for noise in (b"\x00" * 1000, bytes(range(256)) * 20, b"\n\n\n", b"{", b'"', b"PAR1", b"ARROW1\x00\x00"):
        path.write_bytes(noise)
        assert "\n" not in _attempt(path)[1]


def check_empty_and_absent(source: type[Source], write: Writer, folder: Path) -> None:
    """An empty file, a folder and an absent file are named as such, with the nearest name."""
    path = folder / f"empty{source.suffixes[0]}"
    path.touch()
    with pytest.raises(SourceError, match="is empty"):
        read_source(path)
    (folder / "bare").mkdir()
    with pytest.raises(SourceError, match="is a folder without tables"):
        read_source(folder / "bare")
    with pytest.raises(SourceError, match=f'did you mean "empty{source.suffixes[0]}"'):
        read_source(folder / f"emty{source.suffixes[0]}")


SOURCE_CHECKS: tuple[Callable[[type[Source], Writer, Path], None], ...] = (
    check_keeps_every_row,
    check_batches,
    check_is_chosen,
    check_cut_short,
    check_noise,
    check_empty_and_absent,
)
"""Run each with the class, a writer and an empty folder."""
