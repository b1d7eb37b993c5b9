"""The contract that every drift detector keeps, for tests of this project and of others.

Examples
--------
>>> from artificer.drift.chi_square import ChiSquare
>>> check_detector(ChiSquare)
"""

from __future__ import annotations

import math

import numpy as np

from artificer.drift.base import BatchDetector, Detector, StreamDetector

_ALPHA = 0.05
_WINDOWS = 400


def check_detector(kind: type[Detector]) -> None:
    """Run every check that applies. An AssertionError names what is broken.

    A batch detector must be constructible without arguments; so must a stream detector.
    """
    assert isinstance(kind.name, str), f"{kind} has no name"
    assert kind.name, f"{kind} has an empty name"
    assert kind.__doc__, f"{kind.name} has no docstring"
    assert "References" in kind.__doc__, f"{kind.name} names no paper"
    detector = kind()
    if isinstance(detector, BatchDetector):
        check_shapes(detector)
        check_same_and_different(detector)
        check_purity(detector)
        if detector.tags.gives_p:
            check_false_alarms(detector)
    elif isinstance(detector, StreamDetector):
        check_stream(detector)
    else:
        raise AssertionError(f"{kind.name} is neither a batch nor a stream detector")


def check_shapes(detector: BatchDetector) -> None:
    """Counts that do not belong together are refused; empty sides mean that nothing was seen."""
    for reference, current in (([1, 2], [1, 2, 3]), ([1, -1], [1, 1])):
        try:
            detector.compare(reference, current)
        except ValueError:
            continue
        raise AssertionError(f"{detector.name} took {reference} against {current}")
    for reference, current in (([0, 0], [3, 4]), ([3, 4], [0, 0]), ([0, 0], [0, 0])):
        found = detector.compare(reference, current)
        assert found.effect == 0, f"{detector.name} saw an effect where one side is empty"
        assert math.isnan(found.p) or found.p == 1, f"{detector.name} alarmed where one side is empty"


def check_same_and_different(detector: BatchDetector) -> None:
    """The same shares have no effect; a large change has one, is found, and grows more certain with more rows."""
    same = detector.compare([300, 200, 100], [600, 400, 200])
    assert abs(same.effect) < 1e-9, f"{detector.name} sees an effect in equal shares"
    few = detector.compare([3000, 2000, 100], [20, 30, 50])
    many = detector.compare([3000, 2000, 100], [200, 300, 500])
    assert many.effect > 0.01, f"{detector.name} sees no effect in a large change"
    if detector.tags.gives_p:
        assert same.p > 0.4, f"{detector.name} finds equal shares different"
        assert many.p <= few.p < 0.01, f"{detector.name} misses a large change"
    if detector.tags.categories and not detector.tags.ordered:
        turned = detector.compare([100, 2000, 3000], [50, 30, 20])
        assert turned.p == few.p, f"{detector.name} depends on the order of categories"


def check_purity(detector: BatchDetector) -> None:
    """Arguments are left as they were, and the same question gets the same answer."""
    reference, current = np.array([50.0, 30.0, 2.0]), np.array([5.0, 9.0, 1.0])
    copies = reference.copy(), current.copy()
    first = detector.compare(reference, current)
    assert np.array_equal(reference, copies[0]), f"{detector.name} changes its argument"
    assert np.array_equal(current, copies[1]), f"{detector.name} changes its argument"
    second = detector.compare(reference, current)
    assert (first.statistic, first.effect) == (second.statistic, second.effect), f"{detector.name} is not repeatable"


def check_false_alarms(detector: BatchDetector) -> None:
    """Without change, alarms at level 5 % come in 5 % of windows at most, up to chance (four standard errors)."""
    rng = np.random.default_rng(0)
    limit = _ALPHA + 4 * math.sqrt(_ALPHA * (1 - _ALPHA) / _WINDOWS)
    for shares in (np.full(8, 1 / 8), np.array([0.5, 0.3, 0.15, 0.04, 0.009, 0.001])):
        for rows in ((5_000, 200), (300, 300)):
            draws = ((rng.multinomial(n, shares) for n in rows) for _ in range(_WINDOWS))
            rate = np.mean([detector.compare(*draw).p <= _ALPHA for draw in draws])
            assert rate <= limit, f"{detector.name} alarms in {rate:.1%} of windows without change"


def check_stream(detector: StreamDetector) -> None:
    """A steady stream rarely alarms, a jump soon does, forgetting is complete, and memory stays small."""
    rng = np.random.default_rng(0)
    steady = rng.normal(1.0, 0.2, 2_000)
    assert not any(detector.update(1.0) for _ in range(1_000)), f"{detector.name} alarms on a constant"
    detector.reset()
    assert sum(detector.update(float(value)) for value in steady) <= 1, f"{detector.name} alarms on a steady stream"
    detector.reset()
    stream = [*steady[:500], *(steady[500:800] + 1.0)]
    first = [index for index, value in enumerate(stream) if detector.update(float(value))]
    assert first, f"{detector.name} misses a jump of five standard deviations"
    assert 500 <= first[0] < 650, f"{detector.name} noticed the jump at {first[0]}, not soon after 500"
    detector.reset()
    again = [index for index, value in enumerate(stream) if detector.update(float(value))]
    assert again == first, f"{detector.name} remembers across reset"
