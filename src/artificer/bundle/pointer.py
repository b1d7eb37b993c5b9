"""The champion's place: a small file that the registry writes and that serving alone reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec

from artificer.bundle.files import write_atomically
from artificer.errors import BundleDamagedError, BundleFormatError, MissingError

POINTER_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which version is champion, and where its bundle lies.

    Attributes
    ----------
    name : the model's name in the registry.
    version : its version there, from 1.
    bundle : POSIX path relative to the pointer's own folder, so that the project can be moved as a whole.
    sha256 : of the bundle file; serving refuses another file at the same place.
    at : when it became champion (aware, UTC).
    """

    name: str
    version: int
    bundle: str
    sha256: str
    at: datetime

    def bundle_path(self, pointer_path: Path) -> Path:
        """Where the bundle is, given where the pointer is."""
        return Path(pointer_path).parent / self.bundle


def write_pointer(path: Path, pointer: Pointer) -> None:
    """Replace the pointer at `path` in one step.

    Raises
    ------
    ArtificerError
        The file cannot be written; the old pointer then still stands.
    """
    _check_place(pointer.bundle, path)
    write_atomically(Path(path), _encode(pointer), "the champion pointer")


def read_pointer(path: Path) -> Pointer:
    """Read the pointer at `path`.

    Raises
    ------
    MissingError
        There is none: no version has been promoted yet.
    BundleFormatError
        A newer Artificer wrote it.
    BundleDamagedError
        It is not a pointer.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise MissingError(
            f"there is no champion yet ({path} does not exist); train and promote a model first"
        ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BundleDamagedError(
            f"the champion pointer {path} cannot be read: {reason}; promote a version again"
        ) from error
    try:
        fields = msgspec.json.decode(data, type=dict)
        if isinstance(fields.get("format"), int) and fields["format"] > POINTER_FORMAT:
            raise BundleFormatError(
                f"the champion pointer {path} has format {fields['format']}, this Artificer reads up to "
                f"{POINTER_FORMAT}; update Artificer"
            )
        if fields.pop("format") != POINTER_FORMAT:
            raise ValueError("unknown format")
        pointer = msgspec.convert(fields, Pointer)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise BundleDamagedError(
            f"the champion pointer {path} is damaged ({error}); promote a version again"
        ) from error
    _check_place(pointer.bundle, path)
    return pointer


def _encode(pointer: Pointer) -> bytes:
    fields = {"format": POINTER_FORMAT, **msgspec.to_builtins(pointer)}
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def _check_place(bundle: str, path: Path) -> None:
    place = PurePosixPath(bundle)
    if place.is_absolute() or ".." in place.parts or not place.parts:
        raise BundleDamagedError(
            f"the champion pointer {path} names {bundle!r}, which is not below its own folder; promote a version again"
        )
