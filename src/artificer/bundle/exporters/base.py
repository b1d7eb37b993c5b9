"""What an exporter is: a loaded bundle in, one file for another program out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from artificer.bundle.files import write_atomically
from artificer.bundle.model import Bundle
from artificer.plugins import members


class Exporter(ABC):
    """One form for other programs.

    Class attributes
    ----------------
    name : how users ask for it, one word.
    suffix : of the file, with the dot.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]

    @abstractmethod
    def content(self, bundle: Bundle) -> bytes:
        """Give the file's bytes; the same bundle gives the same bytes, and the bundle is not changed."""

    def export(self, bundle: Bundle, path: Path) -> Path:
        """Write the file, whole or not at all, and return its path with the suffix it should have.

        Raises
        ------
        ArtificerError
            The file cannot be written.
        """
        path = Path(path)
        if path.suffix != self.suffix:
            path = path.with_name(path.name + self.suffix)
        write_atomically(path, self.content(bundle), f"the {self.name} export")
        return path


def exporters() -> dict[str, type[Exporter]]:
    """Every registered exporter by name."""
    return members("artificer.bundle.exporters", Exporter, "artificer.exporters")
