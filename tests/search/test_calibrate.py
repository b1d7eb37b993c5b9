from __future__ import annotations

import numpy as np

from artificer.search.calibrate import calibrate, fit_temperature, quantile_shifts, row_losses
from artificer.types import Task


def test_a_run_without_a_mistake_does_not_call_mistakes_impossible() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 240)
    sure = np.full((240, 3), 0.02)
    sure[np.arange(240), y] = 0.96
    chosen = calibrate(y, sure, Task.MULTICLASS)
    highest = chosen.apply(sure).max(axis=1)
    assert highest.min() >= 0.96
    assert highest.max() < 0.999, "240 rows cannot show that a mistake is rarer than one in a thousand"


def test_temperature_finds_the_factor_that_was_put_in() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(20_000, 3)) * 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (p.cumsum(axis=1) > rng.uniform(size=(20_000, 1))).argmax(axis=1)
    hot = np.exp(2.0 * logits) / np.exp(2.0 * logits).sum(axis=1, keepdims=True)
    mended = fit_temperature(y, hot).apply(hot)
    assert row_losses(y, mended).mean() < row_losses(y, hot).mean()
    assert np.abs(mended - p).max() < 0.03


def test_quantiles_that_lie_are_moved_and_honest_ones_are_left() -> None:
    rng = np.random.default_rng(1)
    X, levels = rng.normal(size=2000), (0.1, 0.5, 0.9)
    y = X + rng.normal(size=2000)
    true = X[:, None] + np.array([-1.2816, 0.0, 1.2816])
    assert quantile_shifts(y, true, levels) == ()
    narrow = X[:, None] + np.array([-0.6, 0.3, 0.6])
    shifts = np.array(quantile_shifts(y, narrow, levels))
    below = (y[:, None] <= narrow + shifts).mean(axis=0)
    np.testing.assert_allclose(below, levels, atol=0.01)
    wide = quantile_shifts(y, X[:, None] + np.array([-5.0, 0.0, 5.0]), levels)
    assert (np.diff(wide) >= 0).all(), "they stay in order whatever the row"
    assert quantile_shifts(y[:20], narrow[:20], levels) == ()
