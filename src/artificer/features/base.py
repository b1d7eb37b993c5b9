"""What an encoder is: one block of columns in, float32 features out, and the same again as ONNX."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from artificer.graph import Graph
from artificer.plugins import members
from artificer.types import Doubles, Floats, Ints, Kind, Strings


@dataclass(frozen=True, slots=True)
class EncoderTags:
    """What a planner may know of an encoder without running it."""

    kind: Kind
    supervised: bool = False
    """Uses the target while fitting; training rows are then encoded out of fold, unless it only chose what is made."""
    keeps_missing: bool = False
    """Missing input comes out as NaN (only for algorithms that accept it)."""
    portable: bool = True
    """Has an ONNX form."""


class Encoder(ABC):
    """Turns a block of k columns of one kind into p float32 features.

    A constructor stores its arguments untouched; what fitting learns ends in an underscore. ``transform`` must not
    change the encoder, and ``emit`` must give the same numbers as ``transform`` for every input a block can hold:
    missing, unseen, extreme.
    """

    name: ClassVar[str]
    tags: ClassVar[EncoderTags]
    feature_names_: tuple[str, ...]

    @abstractmethod
    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        """Learn from `block` (n, k); `y` (n, t) is the target in columns (0/1 per class, or the value); `names` (k)."""

    @abstractmethod
    def transform(self, block: Floats | Strings | Ints) -> Floats:
        """Encode (n, k) to float32 (n, p)."""

    def fit_transform(
        self,
        block: Floats | Strings | Ints,
        y: Doubles | None,
        names: Sequence[str],
        seed: int = 0,
        weight: Doubles | None = None,
        parts: Ints | None = None,
    ) -> Floats:
        """Fit, and encode the same rows; supervised encoders override this with out-of-fold encoding.

        `weight` (n,) is how much the target of each row counts, 1 on average; None where all count alike. `parts` (n,)
        are the folds, numbered from 0, where rows of a group or a time have to be in one; None for random ones.
        """
        return self.fit(block, y, names).transform(block)

    @abstractmethod
    def emit(self, graph: Graph, block: str) -> str:
        """Write the fitted encoder into `graph`; `block` names the (n, k) input, the (n, p) output's name returns."""

    def params(self) -> dict[str, Any]:
        """Constructor arguments, JSON-ready, so that ``type(self)(**self.params())`` is an unfitted copy."""
        return {k: v for k, v in vars(self).items() if not k.endswith("_")}


def encoders() -> dict[str, type[Encoder]]:
    """Every registered encoder by name."""
    return members("artificer.features", Encoder, "artificer.encoders")
