"""Every error Artificer raises on purpose, as one tree.

::

    ArtificerError                    exit 1   anything below
    ├── UsageError                    exit 2   the caller asked for something that cannot be
    │   ├── ConfigurationError                 artificer.toml, environment or flags do not hold together
    │   └── MissingError                       a project, model version, bundle or run that does not exist
    ├── DataError                     exit 1   the data cannot serve the purpose
    │   ├── SourceError                        a source cannot be read (absent, empty, damaged, refused)
    │   ├── TargetError                        the target is absent, constant, or has too few rows of a class
    │   └── ContractError                      rows break the contract; carries the violations
    ├── TrainingError                          no valid model came out of the run
    ├── BundleError                            a bundle cannot be trusted
    │   ├── BundleDamagedError                 cut short, altered, or not a bundle
    │   └── BundleFormatError                  written by a newer format
    ├── JournalError                           the journal cannot be written or read
    ├── StreamError                            a stream's broker is out of reach or refuses
    ├── RegistryError                          the registry refused or is out of reach
    └── BusyError                              another process holds what is needed

A message is one sentence that says what happened, where, and what to do. The process exit code belongs to the class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class ArtificerError(Exception):
    """Root of the tree. ``exit_code`` is what the command line returns."""

    exit_code: ClassVar[int] = 1


class UsageError(ArtificerError):
    exit_code: ClassVar[int] = 2


class ConfigurationError(UsageError):
    pass


class MissingError(UsageError):
    pass


class DataError(ArtificerError):
    pass


class SourceError(DataError):
    pass


class TargetError(DataError):
    pass


@dataclass(frozen=True, slots=True)
class Violation:
    """One cell (or column) that breaks the contract: row number from 0, column, the value as received, the rule."""

    row: int
    column: str
    value: Any
    rule: str


class ContractError(DataError):
    """Rows that break the contract. ``violations`` names row, column, value and rule of each, at most a hundred."""

    def __init__(self, message: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class TrainingError(ArtificerError):
    pass


class BundleError(ArtificerError):
    pass


class BundleDamagedError(BundleError):
    pass


class BundleFormatError(BundleError):
    pass


class JournalError(ArtificerError):
    pass


class StreamError(ArtificerError):
    pass


class RegistryError(ArtificerError):
    pass


class BusyError(ArtificerError):
    pass


def nearest(name: str, names: Iterable[str]) -> str:
    """Say which of `names` was probably meant, as a clause that ends a sentence, or nothing.

    Examples
    --------
    >>> nearest("retuned", ["returned", "price"])
    '; did you mean "returned"?'
    >>> nearest("zzz", ["returned"])
    ''
    """
    candidates = list(names)
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return f'; did you mean "{by_lower[found[0]]}"?' if found else ""
