"""The bundle's outer form: a ZIP archive of stored entries whose comment seals every byte before it.

A ZIP has bytes that no checksum covers (times, attributes, what lies before the first entry). The seal, a SHA-256 of
all that precedes it, covers them: any altered byte and any cut is seen, whichever program looks at the entries.
The seal, ``manifest.json`` and its keys ``format`` and ``artificer_version`` stay as they are in every future format.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from artificer.errors import BundleDamagedError, MissingError

SEAL = b"artificer-sha256:"
SEAL_BYTES = len(SEAL) + 64
MAX_FILE = 2 << 30
MAX_ENTRIES = 64

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNREADABLE = (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError, struct.error)


def pack(entries: Mapping[str, bytes]) -> bytes:
    """Make a sealed archive; the same entries give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
        archive.comment = SEAL + b"0" * 64
    body = buffer.getbuffer()[:-SEAL_BYTES]
    return bytes(body) + SEAL + hashlib.sha256(body).hexdigest().encode()


def read_file(path: Path) -> bytes:
    """Read a bundle file whole, if it can be one.

    Raises
    ------
    MissingError
        There is no such file.
    BundleDamagedError
        It cannot be read, or is too large to be a bundle.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError as error:
        raise MissingError(f"there is no bundle at {path}; give the path of an .artificer file") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BundleDamagedError(f"the bundle {path} cannot be read: {reason}; give a file that can") from error
    if len(data) > MAX_FILE:
        raise BundleDamagedError(f"{path} is larger than {MAX_FILE >> 30} GiB, so it is no bundle; give the right file")
    return data


def check_seal(data: bytes, path: Path) -> str:
    """Hold the file's bytes against its seal, and return the SHA-256 of the whole file (hex).

    Raises
    ------
    BundleDamagedError
        There is no seal, or it does not agree.
    """
    if not data.startswith(b"PK\x03\x04"):
        raise BundleDamagedError(f"{path} is not a bundle; give the path of a file that training wrote")
    seal = data[-SEAL_BYTES:]
    if not seal.startswith(SEAL):
        raise BundleDamagedError(
            f"{path} was cut short, or is an archive Artificer did not write; copy the bundle again from its source"
        )
    digest = hashlib.sha256(memoryview(data)[:-SEAL_BYTES])
    if digest.hexdigest().encode() != seal[len(SEAL) :]:
        raise BundleDamagedError(f"{path} was altered after it was written; copy the bundle again from its source")
    digest.update(seal)
    return digest.hexdigest()


def unpack(data: bytes, limits: Mapping[str, int], path: Path) -> dict[str, bytes]:
    """Read the entries of an archive whose seal holds.

    Parameters
    ----------
    limits : the names that may occur, with the most bytes each may have.

    Raises
    ------
    BundleDamagedError
        An entry is unknown, twice there, compressed, encrypted or too large, or its own checksum fails.
    """

    def refuse(why: str) -> BundleDamagedError:
        return BundleDamagedError(f"the bundle {path} is refused: {why}; copy it again from its source")

    entries: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if len(archive.infolist()) > MAX_ENTRIES:
                raise refuse(f"it has {len(archive.infolist())} entries")
            for info in archive.infolist():
                name = info.filename
                if name not in limits:
                    raise refuse(f"it has an unknown entry {name[:100]!r}")
                if name in entries:
                    raise refuse(f"{name} is there twice")
                if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
                    raise refuse(f"{name} is compressed or encrypted")
                if info.file_size != info.compress_size or info.file_size > min(limits[name], len(data)):
                    raise refuse(f"{name} has {info.file_size} bytes, {limits[name]} are allowed")
                entries[name] = archive.read(info)
    except _UNREADABLE as error:
        raise refuse(f"its archive cannot be read ({error})") from error
    return entries


def unpack_one(data: bytes, name: str, limit: int, path: Path) -> bytes:
    """Read one entry, whatever else the archive holds; the way to a manifest of a newer format.

    Raises
    ------
    BundleDamagedError
        The entry is absent, compressed, encrypted or larger than `limit` bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            info = archive.getinfo(name)
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1 or info.file_size > limit:
                raise ValueError(f"{name} is compressed, encrypted or too large")
            return archive.read(info)
    except (KeyError, *_UNREADABLE) as error:
        raise BundleDamagedError(f"{path} has no readable {name} ({error}); it is not a bundle") from error
