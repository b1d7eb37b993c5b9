"""Every encoder that discovery finds keeps the contract, with default and with awkward arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import pytest

from artificer.features.base import Encoder, EncoderTags, encoders
from artificer.graph import Graph
from artificer.testing.encoders import check_encoder, checks
from artificer.types import Doubles, Floats, Ints, Kind, Strings

AWKWARD: dict[str, dict[str, Any]] = {
    "category_words": {"width": 2, "max_levels": 3},
    "categorical_count": {"max_levels": 1},
    "categorical_onehot": {"max_indicators": 2, "min_count": 2, "max_levels": 4},
    "categorical_ordinal": {"max_levels": 2},
    "categorical_target": {"smoothing": 0.5, "folds": 2, "max_levels": 3},
    "category_pairs": {"folds": 2, "least": -1e9, "rows_per_cell": 0, "max_levels": 3},
    "datetime_cyclic": {"clip": 0.5},
    "group_numbers": {"groups": 2, "least": -1e9, "max_levels": 4},
    "numeric_pairs": {"least": -1e9},
    "numeric_quantile": {"knots": 2, "indicators": False},
    "numeric_scaled": {"clip": 0.1},
    "text_embedding": {"width": 2, "max_tokens": 3, "min_rows": 1, "pairs": False},
    "text_target": {"smoothing": 0.5, "folds": 2, "max_tokens": 3, "min_rows": 1, "max_targets": 1},
}


def every_check() -> Iterator[Any]:
    for name, encoder_class in encoders().items():
        for params in ({}, *([AWKWARD[name]] if name in AWKWARD else [])):
            for check_name, check in checks(encoder_class, **params):
                yield pytest.param(check, id=f"{name}-{'awkward' if params else 'default'}-{check_name}")


@pytest.mark.parametrize("check", list(every_check()))
def test_contract(check: Callable[[], None]) -> None:
    check()


def test_discovery_finds_one_encoder_a_file() -> None:
    assert set(encoders()) == {
        "categorical_count",
        "categorical_onehot",
        "categorical_ordinal",
        "categorical_target",
        "category_pairs",
        "category_words",
        "datetime_cyclic",
        "datetime_parts",
        "group_numbers",
        "numeric_pairs",
        "numeric_passthrough",
        "numeric_quantile",
        "numeric_scaled",
        "text_embedding",
        "text_target",
    }


class Halved(Encoder):
    """A sound encoder, to break in one way at a time."""

    name = "halved"
    tags = EncoderTags(Kind.NUMBERS, keeps_missing=True)

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        self.feature_names_ = tuple(names)
        return self

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        return np.asarray(block, dtype=np.float32) / np.float32(2)

    def emit(self, graph: Graph, block: str) -> str:
        return graph.op("Div", block, graph.constant(np.array([2.0], dtype=np.float32)))


class Promises(Halved):
    """Says that missing values do not come out."""

    name = "promises"
    tags = EncoderTags(Kind.NUMBERS)


class Misnamed(Halved):
    """Names one feature too many."""

    name = "misnamed"

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        self.feature_names_ = (*names, "extra")
        return self


class Doubled(Halved):
    """Overflows."""

    name = "doubled"

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        with np.errstate(over="ignore"):
            return np.asarray(block, dtype=np.float32) * np.float32(2)

    def emit(self, graph: Graph, block: str) -> str:
        return graph.op("Mul", block, graph.constant(np.array([2.0], dtype=np.float32)))


class Centred(Halved):
    """Lets rows depend on one another."""

    name = "centred"

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        halves = super().transform(block)
        return halves - np.sign(np.nan_to_num(halves)).mean(axis=0, keepdims=True) if len(halves) else halves


class Drifting(Halved):
    """Its graph says something else."""

    name = "drifting"

    def emit(self, graph: Graph, block: str) -> str:
        return graph.op("Div", block, graph.constant(np.array([2.001], dtype=np.float32)))


class Counting(Halved):
    """Changes while it encodes."""

    name = "counting"

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        self.calls_ = 0
        return super().fit(block, y, names)

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        self.calls_ += 1
        return super().transform(block) * np.float32(self.calls_ % 2)


def test_a_sound_encoder_passes() -> None:
    check_encoder(Halved, examples=5)


@pytest.mark.parametrize("broken", [Promises, Misnamed, Doubled, Centred, Drifting, Counting])
def test_the_contract_catches(broken: type[Encoder]) -> None:
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        check_encoder(broken, examples=5)
