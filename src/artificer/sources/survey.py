"""What the bytes of a text file say: encoding and line ends, and a clean UTF-8 copy where one is needed."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from pathlib import Path

from artificer.errors import SourceError
from artificer.sources.packing import chunks, packing

SAMPLE = 1 << 18
WESTERN_SHARE = 0.4
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LIKELY = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", "mac_roman", "cp437",
    "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Survey:
    """What the bytes say.

    Attributes
    ----------
    encoding : Python codec name; errors is ``"replace"`` for UTF-8 with a few damaged bytes.
    clean : UTF-8 without mark, NUL or carriage returns: the file can be read as it stands.
    """

    encoding: str
    errors: str
    clean: bool
    compressed: bool
    notes: tuple[str, ...] = ()


def survey(path: Path, encoding: str | None = None) -> Survey:
    """Read the file once and find out how its text is written.

    Raises
    ------
    SourceError
        The named encoding is unknown, or the file holds no text.
    """
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise SourceError(f'the encoding "{encoding}" is unknown; name one such as utf-8 or cp1252') from error
    compressed = packing(path) is not None
    decoder = codecs.getincrementaldecoder("utf-8")()
    first = b""
    foreign: list[bytes] = []
    foreign_size = 0
    valid, carriage, nul = True, False, 0
    for chunk in chunks(path):
        first = first or chunk[:4096]
        carriage = carriage or b"\r" in chunk
        nul += chunk.count(0)
        if valid:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                valid = False
        if not chunk.isascii() and foreign_size < SAMPLE:
            foreign.append(b"\n".join(line for line in chunk.splitlines() if not line.isascii())[:SAMPLE])
            foreign_size += len(foreign[-1])
    if valid:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            valid = False
    marked = next((codec for mark, codec in BOMS if first.startswith(mark)), None)
    if encoding is not None:
        plain = codecs.lookup(encoding).name in ("utf-8", "ascii") and valid and marked is None
        return Survey(marked or encoding, "replace", plain and not carriage and not nul, compressed)
    if marked is not None:
        notes = () if marked == "utf-8-sig" else (f"the text is {marked}, and was read as such",)
        return Survey(marked, "replace", False, compressed, notes)
    if nul * 4 > len(first) and nul > 16:
        wide = _unmarked_utf16(first)
        if wide is None:
            raise SourceError(
                f'"{path}" holds no text (it is full of NUL bytes); give a CSV, Parquet, JSON or Arrow file'
            )
        return Survey(wide, "replace", False, compressed, (f"the text is {wide}, and was read as such",))
    notes = (f"{nul} NUL characters were removed",) if nul else ()
    if valid:
        return Survey("utf-8", "strict", not carriage and not nul, compressed, notes)
    found, errors, why = _guess(b"\n".join(foreign))
    return Survey(found, errors, False, compressed, (*notes, why))


def _unmarked_utf16(first: bytes) -> str | None:
    even, odd = first[0::2].count(0), first[1::2].count(0)
    if odd > len(first) * 0.4 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > len(first) * 0.4 and not odd else None


def _guess(foreign: bytes) -> tuple[str, str, str]:
    """Encoding of text that is not valid UTF-8, from its lines with non-ASCII bytes."""
    mended = foreign.decode("utf-8", errors="replace")
    damaged = mended.count("\ufffd")
    intact = sum(not char.isascii() for char in mended) - damaged
    if intact > 4 * damaged:
        return "utf-8", "replace", f"about {damaged} damaged bytes in the UTF-8 text were replaced by U+FFFD"
    ascii_letters = sum(char.isascii() and char.isalpha() for char in mended)
    western = foreign.decode("cp1252", errors="replace")
    symbols_in_words = re.search(r"[A-Za-z][\ufffd\xa1-\xbf\xd7\xf7][A-Za-z]", western)
    foreign_bytes = sum(byte > 127 for byte in foreign)
    if foreign_bytes < WESTERN_SHARE * ascii_letters and symbols_in_words is None:
        # Statistics of characters have too little to go on where a few accents and dashes stand in Western text.
        return "cp1252", "replace", "the text is not UTF-8; it was read as cp1252, set the encoding if that is wrong"
    from charset_normalizer import from_bytes

    best = from_bytes(foreign, cp_isolation=list(LIKELY)).best()
    found = best.encoding if best is not None else "cp1252"
    return found, "replace", f"the text is not UTF-8; it was read as {found}, set the encoding if that is wrong"


def clean_copy(path: Path, found: Survey, target: Path) -> bool:
    """Write the file again as UTF-8 with ``\\n`` line ends, without byte-order mark and NUL, in bounded memory.

    Returns
    -------
    Whether it had other line ends.
    """
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(found.encoding)(errors=found.errors), translate=True
    )
    started = False
    with target.open("w", encoding="utf-8", newline="", errors="replace") as out:
        for chunk in chunks(path):
            text = decoder.decode(chunk)
            out.write(_scrub(text, not started))
            started = started or bool(text)
        out.write(_scrub(decoder.decode(b"", final=True), not started))
    return decoder.newlines not in (None, "\n")


def _scrub(text: str, at_start: bool) -> str:
    return (text.removeprefix("\ufeff") if at_start else text).replace("\0", "")
