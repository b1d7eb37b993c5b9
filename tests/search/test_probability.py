"""The success probability means what it says."""

from __future__ import annotations

import numpy as np
import pytest

from artificer.search.priors import Prior, covariance
from artificer.search.probability import noise, posterior, success_probabilities

FAMILIES = {"boosting": (0.08, 0.10), "forest": (0.15, 0.12), "linear": (0.25, 0.22)}


def simulated_race(seed, students_tails, candidates=10, folds=5, rows=300):
    """Beliefs, true mean losses in gap units, and fold losses in a unit of the race's own."""
    rng = np.random.default_rng(seed)
    families = rng.choice(list(FAMILIES), candidates - 1)
    beliefs = [Prior("constant", 1.0, 0.02), *(Prior(f, *FAMILIES[f]) for f in families)]
    z = rng.standard_normal(candidates)
    if students_tails:
        z *= np.sqrt(5 / rng.chisquare(5)) * rng.uniform(0.5, 1.5)
    theta = np.array([b.gap for b in beliefs]) + np.linalg.cholesky(covariance(beliefs)) @ z
    sigma = (0.02 + 0.5 / np.sqrt(rows)) * rng.uniform(0.4, 1.8, size=candidates)
    shape = (candidates, folds)
    e = rng.standard_t(4, size=shape) / np.sqrt(2) if students_tails else rng.standard_normal(shape)
    shared = np.sqrt(0.25) * sigma[:, None] * rng.standard_normal((candidates, 1))
    losses = theta[:, None] + 0.15 * rng.standard_normal(folds) + shared + sigma[:, None] * e
    return beliefs, theta, np.exp(rng.normal()) * (losses + rng.normal())


def calibration_error(p, happened, bins=10):
    place = np.minimum((p * bins).astype(int), bins - 1)
    parts = [place == b for b in range(bins) if (place == b).any()]
    return sum(part.mean() * abs(p[part].mean() - happened[part].mean()) for part in parts)


@pytest.mark.parametrize("students_tails", [False, True])
@pytest.mark.parametrize("seen", [0, 1, 3, "uneven"])
def test_stated_probabilities_are_calibrated_on_simulated_races(seen, students_tails):
    stated, happened = [], []
    for seed in range(120):
        beliefs, theta, losses = simulated_race(seed, students_tails)
        rng = np.random.default_rng(seed)
        counts = rng.integers(0, 6, len(losses)) if seen == "uneven" else np.full(len(losses), seen)
        counts[0] = 5
        visible = np.where(np.arange(5) < counts[:, None], losses, np.nan)
        after = posterior(visible, beliefs, [300] * 5, [1200] * 5)
        stated.append(success_probabilities(after.draws(500, seed), 0.01))
        happened.append(theta <= theta.min() + 0.01 * (1 - theta.min()))
    p, y = np.concatenate(stated), np.concatenate(happened).astype(float)
    assert calibration_error(p, y) < 0.05
    assert np.mean((p - y) ** 2) <= np.mean((y.mean() - y) ** 2)


def test_more_folds_make_surer():
    scores = {}
    for seen in (1, 5):
        brier = []
        for seed in range(60):
            beliefs, theta, losses = simulated_race(seed, False)
            losses[1:, seen:] = np.nan
            after = posterior(losses, beliefs, [300] * 5, [1200] * 5)
            p = success_probabilities(after.draws(500, seed), 0.01)
            brier.append(np.mean((p - (theta <= theta.min() + 0.01)) ** 2))
        scores[seen] = np.mean(brier)
    assert scores[5] < 0.8 * scores[1]


def test_a_fold_that_is_hard_for_all_tells_nothing_about_one():
    beliefs = [Prior("constant", 1.0, 0.02), Prior("boosting", 0.1, 0.1), Prior("forest", 0.1, 0.1)]
    losses = np.array([[1.0, 3.0], [0.2, 2.2], [0.2, np.nan]])
    after = posterior(losses, beliefs, [100, 100], [100, 100])
    assert abs(after.mean[1] - after.mean[2]) < 0.02


def test_overlapping_training_sets_leave_doubt_after_all_folds():
    beliefs = [Prior("constant", 1.0, 0.02), Prior("boosting", 0.1, 0.1), Prior("forest", 0.1, 0.1)]
    rng = np.random.default_rng(0)
    losses = np.array([np.ones(10), 0.2 + 0.02 * rng.normal(size=10), 0.21 + 0.02 * rng.normal(size=10)])
    spreads = [
        np.linalg.norm(posterior(losses, beliefs, [v] * 10, [t] * 10).root[1]) for v, t in ((100, 900), (500, 500))
    ]
    assert spreads[0] < spreads[1]


def test_a_failed_candidate_neither_succeeds_nor_sets_the_mark():
    draws = np.array([[0.5, 0.0, 0.3], [0.5, 0.0, 0.3]])
    p = success_probabilities(draws, 0.01, np.array([True, False, True]))
    assert p.tolist() == [0.0, 0.0, 1.0]


def test_noise_is_drawn_towards_the_others_when_folds_are_few():
    rng = np.random.default_rng(0)
    losses = np.vstack([np.ones(5), 0.3 + 0.05 * rng.normal(size=(4, 5))])
    losses[4, 2:] = losses[1, 2:] * np.nan
    sigma, dof = noise(losses, expected=0.05)
    assert np.all((sigma[1:] > 0.02) & (sigma[1:] < 0.1))
    assert dof > 6


def test_no_fold_at_all_gives_the_prior():
    beliefs = [Prior("constant", 1.0, 0.02), Prior("boosting", 0.1, 0.1)]
    after = posterior(np.full((2, 0), np.nan), beliefs, [], [])
    assert after.mean.tolist() == [1.0, 0.1]
