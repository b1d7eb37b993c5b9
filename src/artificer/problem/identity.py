"""What tells a project from another of the same name: a random number, drawn once."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path

from artificer.errors import ArtificerError, ConfigurationError

_FORM = re.compile(rb"[0-9a-f]{32}\n")


def make_identity(path: Path) -> None:
    """Draw an identity where there is none; of two processes that do, both keep the same one.

    Raises
    ------
    OSError
        It cannot be written.
    """
    if path.exists():
        return
    text = f"{secrets.token_hex(16)}\n"
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with draft.open("x", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first
            _name(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_identity(path: Path) -> str | None:
    """Give the identity that was drawn, None where none was.

    Raises
    ------
    ConfigurationError
        The file holds something else.
    ArtificerError
        It cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = file.read(100)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ArtificerError(f"{path} cannot be read ({error.strerror or error}); mend its permissions") from None
    if _FORM.fullmatch(found) is None:
        raise ConfigurationError(
            f"{path} is damaged, so the registry cannot tell whose models these are; restore it, or remove it to have "
            "a new one drawn"
        )
    return found.decode().strip()


def _name(draft: Path, path: Path) -> None:
    """Give the draft its name; linking fails where the name is taken, renaming would take it away."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if not path.exists():
            draft.replace(path)
