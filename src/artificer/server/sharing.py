"""What several workers of one service have counted, so that whoever is asked can tell for all.

Each worker leaves its counts in a file of its own in a folder they share, every second; a scrape adds up the files of
the others and its own live counts. What a worker counted that died stays, but for its last second.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from artificer.server.stats import Stats

_log = logging.getLogger("artificer.server")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stats).decode


@dataclass(frozen=True, slots=True)
class Sharing:
    """A worker's place among others.

    Attributes
    ----------
    folder : where the counts lie.
    slot : the worker's number, from 0.
    """

    folder: Path
    slot: int

    def leave(self, counts: Stats) -> None:
        """Let the others read `counts`."""
        path = self.folder / f"{self.slot}-{os.getpid()}.counts"
        part = path.with_suffix(".part")
        try:
            part.write_bytes(_encode(counts))
            os.replace(part, path)
        except OSError as error:
            _log.warning("the counts of worker %d cannot be left for the others: %s", self.slot, error)

    def others(self) -> list[Stats]:
        """What the other workers have left, the dead ones too."""
        mine = f"{self.slot}-{os.getpid()}.counts"
        found: list[Stats] = []
        for path in sorted(self.folder.glob("*.counts")):
            if path.name != mine:
                try:
                    found.append(_decode(path.read_bytes()))
                except (OSError, msgspec.DecodeError) as error:
                    _log.warning("the counts in %s cannot be read: %s", path, error)
        return found
