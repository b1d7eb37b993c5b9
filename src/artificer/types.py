"""The shared vocabulary: aliases and frozen records that cross rooms. Imports nothing of Artificer.

Arrays
------
n rows, k numeric columns, m categorical columns, d datetime columns, t text columns, p features, c classes (1 for
regression, the number of levels for quantiles).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Strings: TypeAlias = NDArray[np.object_]
Json: TypeAlias = dict[str, Any]
Params: TypeAlias = dict[str, Any]

MISSING_STRING = ""
"""How a missing category stands in a block; an empty string in the data is the same thing."""

MISSING_TIME = -(2**62)
"""How a missing time stands in a block (seconds since 1970-01-01 UTC; no calendar reaches it)."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
"""Larger magnitudes are clipped to this at the door, so that no finite input becomes infinite in the graph."""


class Task(StrEnum):
    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"
    QUANTILE = "quantile"
    """Several quantiles of a number, one for each level that is asked for."""

    @property
    def is_classification(self) -> bool:
        return self in (Task.BINARY, Task.MULTICLASS)


class Role(StrEnum):
    """What a column is for. The first five feed the model; the others are kept aside, with the reason."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    ID = "id"
    CONSTANT = "constant"
    TARGET = "target"
    GROUP = "group"
    WEIGHT = "weight"
    IGNORED = "ignored"


class Kind(StrEnum):
    """The four typed arrays a row becomes. ``NUMBERS`` holds numeric and boolean columns, ``TEXTS`` texts and lists."""

    NUMBERS = "numbers"
    STRINGS = "strings"
    TIMES = "times"
    TEXTS = "texts"


KIND_OF_ROLE = {
    Role.NUMERIC: Kind.NUMBERS,
    Role.BOOLEAN: Kind.NUMBERS,
    Role.CATEGORICAL: Kind.STRINGS,
    Role.DATETIME: Kind.TIMES,
    Role.TEXT: Kind.TEXTS,
}


_NO_TEXTS: Strings = np.empty((0, 0), dtype=object)


@dataclass(frozen=True, slots=True)
class Blocks:
    """One table as the four arrays every encoder and the deployed graph take, columns in contract order.

    Attributes
    ----------
    numbers : float32 (n, k), NaN for missing, never infinite; booleans as 0 and 1.
    strings : object (n, m) of str, ``MISSING_STRING`` for missing.
    times : int64 (n, d), seconds since 1970-01-01 UTC, ``MISSING_TIME`` for missing.
    texts : object (n, t) of str, tokens joined by single spaces (``tables.words``), ``MISSING_STRING`` for missing;
        without columns when left out.
    """

    numbers: Floats
    strings: Strings
    times: Ints
    texts: Strings = field(default_factory=lambda: _NO_TEXTS)

    def __post_init__(self) -> None:
        if self.texts is _NO_TEXTS:
            object.__setattr__(self, "texts", np.empty((len(self.numbers), 0), dtype=object))

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> Blocks:
        return Blocks(self.numbers[rows], self.strings[rows], self.times[rows], self.texts[rows])

    @classmethod
    def joined(cls, parts: Sequence[Blocks]) -> Blocks:
        """The rows of all parts, in their order; there is one at least."""
        if len(parts) == 1:
            return parts[0]
        numbers, strings, times, texts = zip(*((p.numbers, p.strings, p.times, p.texts) for p in parts), strict=True)
        join = np.concatenate
        return cls(join(numbers), join(strings), join(times), join(texts))

    def of(self, kind: Kind) -> Floats | Strings | Ints:
        block: Floats | Strings | Ints = getattr(self, kind.value)
        return block


BLOCK_DTYPES = {Kind.NUMBERS: "float32", Kind.STRINGS: "string", Kind.TIMES: "int64", Kind.TEXTS: "string"}
"""Element type of each block in the graph."""
