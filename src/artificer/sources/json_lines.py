"""JSON lines (one object a line), and a JSON array of objects; objects within them become columns of dotted names."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from artificer.errors import SourceError
from artificer.sources.base import Content, ReadOptions, Reject, Source
from artificer.sources.nested import Flattener
from artificer.sources.packing import first_bytes
from artificer.sources.survey import clean_copy, survey
from artificer.tables.door import rows_to_frame

MAX_KEPT_TEXT = 10_000


class JsonLines(Source):
    """JSON objects, one a line or in one array. Objects may have different keys; what lacks one has it missing."""

    name: ClassVar[str] = "json"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".json")

    def recognises(self, head: bytes) -> bool:
        return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:2].replace(b" ", b"") in (b'{"', b"[{")

    def read(self, path: Path, options: ReadOptions) -> Content:
        with _clean(path, options.encoding) as (place, notes):
            return _content(path, list(_items(path, place)), notes)

    def batches(self, path: Path, options: ReadOptions) -> Iterator[Content]:
        """Each batch may have columns of its own, as its rows have keys. An array is read whole first."""
        with _clean(path, options.encoding) as (place, notes):
            items = _items(path, place)
            while taken := list(islice(items, options.batch_rows)):
                yield _content(path, taken, notes)
                notes = ()


def _content(path: Path, items: list[dict[str, Any] | Reject], notes: tuple[str, ...]) -> Content:
    rows = [item for item in items if not isinstance(item, Reject)]
    if not items:
        raise SourceError(f'"{path}" holds no rows; give at least one JSON object')
    flat = Flattener(rows)
    frame = rows_to_frame([flat.row(row) for row in rows])
    return Content(frame, tuple(item for item in items if isinstance(item, Reject)), (*notes, *flat.notes(len(rows))))


@contextmanager
def _clean(path: Path, encoding: str | None) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The file as UTF-8, unpacked."""
    found = survey(path, encoding)
    if found.clean and not found.compressed:
        yield path, found.notes
        return
    with tempfile.TemporaryDirectory(prefix="artificer-") as folder:
        place = Path(folder) / "clean.json"
        clean_copy(path, found, place)
        yield place, found.notes


def _items(path: Path, place: Path) -> Iterator[dict[str, Any] | Reject]:
    """Every object, or why there is none."""
    if first_bytes(place).lstrip()[:1] == b"[":
        yield from _elements(path, place.read_text(encoding="utf-8", errors="replace"))
        return
    good = bad = 0
    with place.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        for item in _objects(lines):
            good, bad = good + (not isinstance(item, Reject)), bad + isinstance(item, Reject)
            yield item
    if bad and not good and isinstance(_whole(place.read_text(encoding="utf-8", errors="replace")), dict):
        raise SourceError(f'"{path}" holds one JSON object, not a table; give an array of objects or one object a line')


def _objects(lines: Iterable[str]) -> Iterator[dict[str, Any] | Reject]:
    import msgspec

    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\n")
        if not text.strip():
            continue
        try:
            value = decode(text)
        except msgspec.DecodeError as error:
            yield Reject(number, f"not valid JSON ({error})", text[:MAX_KEPT_TEXT])
            continue
        yield value if isinstance(value, dict) else Reject(number, "not a JSON object", text[:MAX_KEPT_TEXT])


def _elements(path: Path, text: str) -> Iterator[dict[str, Any] | Reject]:
    value = _whole(text)
    if not isinstance(value, list):
        raise SourceError(f'"{path}" is cut short or not valid JSON; write it again, or use one object a line')
    for number, item in enumerate(value, 1):
        if isinstance(item, dict):
            yield item
        else:
            yield Reject(number, "element of the array is not a JSON object", repr(item)[:MAX_KEPT_TEXT])


def _whole(text: str) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
