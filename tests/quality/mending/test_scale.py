"""Numbers of another scale are told from the tails of clean columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from artificer.quality.mending.scale import scale_rule
from artificer.types import Doubles

CLEAN: dict[str, Callable[[np.random.Generator, int], Doubles]] = {
    "uniform": lambda rng, n: rng.random(n),
    "exponential": lambda rng, n: rng.exponential(1, n),
    "half-normal": lambda rng, n: np.abs(rng.normal(size=n)),
    "lognormal": lambda rng, n: rng.lognormal(0, 1, n),
    "beta": lambda rng, n: rng.beta(2, 5, n),
}


@pytest.mark.parametrize("name", list(CLEAN))
def test_clean_columns_give_no_rule(name: str) -> None:
    rng = np.random.default_rng(7)
    found = [scale_rule(CLEAN[name](rng, n)) for n in (60, 100, 300, 1000) for _ in range(250)]
    assert found == [None] * 1000


@pytest.mark.parametrize("factor", [1000.0, 0.001, 100.0, 0.01])
def test_a_group_of_another_scale_gives_one(factor: float) -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        numbers = rng.lognormal(7, 0.3, 600)
        numbers[:12] /= factor
        rule = scale_rule(numbers)
        assert rule is not None
        assert rule.factor == factor
        np.testing.assert_array_equal((numbers >= rule.low) & (numbers <= rule.high), np.arange(600) < 12)


def test_few_numbers_or_equal_ones_are_no_group() -> None:
    rng = np.random.default_rng(9)
    numbers = rng.lognormal(7, 0.3, 600)
    assert scale_rule(np.r_[numbers, numbers[:4] / 1000]) is None
    assert scale_rule(np.r_[numbers, np.full(10, 1.0)]) is None
    assert scale_rule(np.r_[np.full(100, 1000.0), np.full(8, 1.0)]) is None
