"""Every detector of the package keeps the contract; a few numbers are held against published ones."""

from __future__ import annotations

import numpy as np
import pytest

from artificer.drift.base import Detector, detectors, pool, upper_tail
from artificer.drift.chi_square import ChiSquare
from artificer.drift.excess import Excess
from artificer.drift.g_test import GTest
from artificer.drift.jensen_shannon import JensenShannon
from artificer.drift.mann_whitney import MannWhitney
from artificer.drift.page_hinkley import PageHinkley
from artificer.drift.psi import PopulationStability
from artificer.testing.detectors import check_detector


@pytest.mark.parametrize("kind", detectors().values(), ids=list(detectors()))
def test_contract(kind: type[Detector]) -> None:
    check_detector(kind)


def test_all_are_found() -> None:
    assert {"chi_square", "g_test", "mann_whitney", "excess", "psi", "jensen_shannon", "page_hinkley"} <= set(
        detectors()
    )


def test_against_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    r, c = np.array([120, 80, 40, 60]), np.array([70, 90, 30, 55])
    expected = stats.chi2_contingency(np.stack([r, c]), correction=False)
    found = ChiSquare().compare(r, c)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    plain_g = stats.chi2_contingency(np.stack([r, c]), correction=False, lambda_="log-likelihood").statistic
    assert GTest().compare(r, c).effect * 2 * (r.sum() + c.sum()) == pytest.approx(plain_g)
    old, new = np.repeat(np.arange(4), r), np.repeat(np.arange(4), c)
    rank = stats.mannwhitneyu(new, old, use_continuity=False, method="asymptotic")
    found = MannWhitney().compare(r, c)
    assert found.p == pytest.approx(rank.pvalue)
    assert found.effect == pytest.approx(abs(rank.statistic / (len(old) * len(new)) - 0.5))
    exact = stats.fisher_exact([[5, 95], [2, 998]], alternative="greater").pvalue
    assert exact <= Excess().compare([998, 2], [95, 5]).p <= 3 * exact
    distance = stats.entropy(r / r.sum(), (r / r.sum() + c / c.sum()) / 2, base=2)
    assert JensenShannon().compare(r, r).effect == 0.0 < distance


def test_index_without_change_is_zero_on_average() -> None:
    rng = np.random.default_rng(0)
    shares = np.full(14, 1 / 14)
    raw, corrected = [], []
    for _ in range(200):
        found = PopulationStability().compare(rng.multinomial(5_000, shares), rng.multinomial(200, shares))
        raw.append(found.statistic)
        corrected.append(found.effect)
    assert np.mean(raw) == pytest.approx(13 * (1 / 5_000 + 1 / 200), rel=0.1)
    assert np.mean(corrected) < 0.02


def test_index_of_an_empty_bin_is_believable() -> None:
    assert 0.3 < PopulationStability().compare([10_000, 0], [950, 50]).effect < 0.5


def test_pooling_keeps_all_rows() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        r, c = rng.poisson(3, 12).astype(float), rng.poisson(1, 12).astype(float)
        a, b = pool(r, c)
        assert (a.sum(), b.sum()) == (r.sum(), c.sum())
        expected = (a + b) * min(r.sum(), c.sum()) / max(r.sum() + c.sum(), 1)
        assert len(a) == 1 or expected.min() >= 5


def test_tail() -> None:
    assert upper_tail(18.307, 10) == pytest.approx(0.05, abs=1e-5)
    assert upper_tail(5.0, 0) == 1.0


def test_page_hinkley_in_any_unit() -> None:
    rng = np.random.default_rng(2)
    stream = np.concatenate([rng.normal(0, 1, 400), rng.normal(1.5, 1, 200)])
    alarms = []
    for scale in (1e-6, 1.0, 1e9):
        detector = PageHinkley()
        alarms.append([i for i, value in enumerate(stream * scale) if detector.update(float(value))])
    assert alarms[0] == alarms[1] == alarms[2]
    assert 400 <= alarms[1][0] < 450
    with pytest.raises(ValueError, match="threshold"):
        PageHinkley(threshold=0)


def test_page_hinkley_rarely_alarms_without_change() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(50):
        detector = PageHinkley()
        alarms += sum(detector.update(float(value)) for value in rng.normal(size=2_000))
    assert alarms <= 2
