"""JSON lines (one object a line), and a JSON array of objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from artificer.errors import SourceError
from artificer.sources.base import Content, ReadOptions, Reject, Source
from artificer.sources.survey import chunks, clean_copy, survey
from artificer.tables.door import rows_to_frame

MAX_KEPT_TEXT = 10_000


class JsonLines(Source):
    """JSON objects, one a line or in one array. Objects may have different keys; what lacks one has it missing."""

    name: ClassVar[str] = "json"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".json")

    def recognises(self, head: bytes) -> bool:
        return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:2].replace(b" ", b"") in (b'{"', b"[{")

    def read(self, path: Path, options: ReadOptions) -> Content:
        text, notes = _text(path, options.encoding)
        rows: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        if text.lstrip()[:1] == "[":
            _read_array(path, text, rows, rejects)
        else:
            _read_lines(path, text, rows, rejects)
        if not rows and not rejects:
            raise SourceError(f'"{path}" holds no rows; give at least one JSON object')
        return Content(rows_to_frame(rows), tuple(rejects), notes)


def _text(path: Path, encoding: str | None) -> tuple[str, tuple[str, ...]]:
    import tempfile

    found = survey(path, encoding)
    if found.clean and not found.compressed:
        return path.read_text(encoding="utf-8"), found.notes
    with tempfile.TemporaryDirectory(prefix="artificer-") as folder:
        place = Path(folder) / "clean.json"
        clean_copy(path, found, place)
        return b"".join(chunks(place)).decode(), found.notes


def _read_lines(path: Path, text: str, rows: list[dict[str, Any]], rejects: list[Reject]) -> None:
    import msgspec

    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = decode(line)
        except msgspec.DecodeError as error:
            rejects.append(Reject(number, f"not valid JSON ({error})", line[:MAX_KEPT_TEXT]))
            continue
        if isinstance(value, dict):
            rows.append(value)
        else:
            rejects.append(Reject(number, "not a JSON object", line[:MAX_KEPT_TEXT]))
    if not rows and rejects:
        one = _whole(text)
        if isinstance(one, dict):
            raise SourceError(
                f'"{path}" holds one JSON object, not a table; give an array of objects or one object a line'
            )


def _read_array(path: Path, text: str, rows: list[dict[str, Any]], rejects: list[Reject]) -> None:
    value = _whole(text)
    if not isinstance(value, list):
        raise SourceError(f'"{path}" is cut short or not valid JSON; write it again, or use one object a line')
    for number, item in enumerate(value, 1):
        if isinstance(item, dict):
            rows.append(item)
        else:
            rejects.append(Reject(number, "element of the array is not a JSON object", repr(item)[:MAX_KEPT_TEXT]))


def _whole(text: str) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
