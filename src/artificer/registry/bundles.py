"""Local copies of registered bundles: what the pointer points to."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

from artificer.bundle.container import check_seal, read_file
from artificer.bundle.files import write_atomically
from artificer.bundle.format import SUFFIX
from artificer.errors import BundleError, MissingError, RegistryError
from artificer.registry import runs
from artificer.registry.connection import Connection

SHA_TAG = "artificer.sha256"
"""Tag of a model version that holds its bundle's SHA-256."""


class BundleFolder:
    """The folder ``bundles/`` of a project: ``<version>.artificer``, whole and the one registered, or absent."""

    def __init__(self, folder: Path, name: str, connection: Connection) -> None:
        self.folder = folder
        self.name = name
        self._connection = connection

    def place(self, version: int) -> Path:
        """Where a version's bundle lies or will lie."""
        return self.folder / f"{version}{SUFFIX}"

    def fetch(self, version: Any) -> tuple[Path, str]:
        """Have the bundle of an MLflow model version in its place; returns its path and SHA-256.

        Raises
        ------
        RegistryError
            The registry gives no bundle, or another one than was registered.
        """
        number, sha256 = int(version.version), version.tags.get(SHA_TAG)
        path = self.place(number)
        if path.exists():
            try:
                found = check_seal(read_file(path), path)
                if sha256 in (None, found):
                    return path, found
            except BundleError:
                pass  # damaged here: the registry's copy replaces it
        self.folder.mkdir(parents=True, exist_ok=True)
        local = self._connection.local_path(version.source)
        if local is not None and local.is_file():
            found = self._checked(local, sha256, number)
            self._link(local, path)
            return path, found
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".fetch-") as folder:
            fetched = runs.download(version.source, self._connection.uri, Path(folder))
            found = self._checked(fetched, sha256, number)
            os.replace(fetched, path)
        return path, found

    def _checked(self, path: Path, sha256: str | None, number: int) -> str:
        try:
            found = check_seal(read_file(path), path)
        except (BundleError, MissingError) as error:
            raise RegistryError(f"version {number} of {self.name} cannot be used: {error}") from error
        if sha256 not in (None, found):
            raise RegistryError(
                f"the bundle of version {number} of {self.name} is not the one that was registered; "
                "choose another version or register it anew"
            )
        return found

    def _link(self, source: Path, path: Path) -> None:
        """Put the file in its place without doubling its bytes, where the file system can."""
        draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            os.link(source, draft)
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            write_atomically(path, read_file(source), "the bundle")
