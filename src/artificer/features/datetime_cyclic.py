"""Times as points on circles and as scaled elapsed time, for linear models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import Encoder, EncoderTags
from artificer.features.calendar import DAY, ERA, WEEK, YEAR
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import MISSING_TIME, Doubles, Floats, Ints, Kind, Strings

PERIODS = {"day": DAY, "week": WEEK, "year": YEAR}


class DatetimeCyclic(Encoder):
    """Elapsed time, standardised, and sine and cosine of the place in the day, the week and the year.

    A period is used where training spans at least two thirds of it and has several places in it, so a column of
    dates costs no circle of the day. The year is the mean Gregorian one, whose place strays from the calendar's by at
    most two days. Elapsed time is cut at ± `clip` standard deviations, which bounds how far a linear model follows a
    trend into the future. Missing is 0 throughout, the average time and the middle of each circle, and columns in
    which training had missing values get an indicator.

    Parameters
    ----------
    clip : largest magnitude of the standardised elapsed time.

    References
    ----------
    Jammalamadaka, S. R. and SenGupta, A. Topics in Circular Statistics. World Scientific, 2001 (regression on the
    sine and cosine of a circular variable).

    Examples
    --------
    >>> block = np.arange(0, 86_400, 3_600)[:, None]
    >>> encoder = DatetimeCyclic().fit(block, None, ["seen"])
    >>> encoder.feature_names_
    ('seen (elapsed)', 'seen (sine of day)', 'seen (cosine of day)')
    >>> bool(np.allclose(encoder.transform(np.array([[21_600]]))[0, 1:], [1, 0], atol=1e-6))
    True
    """

    name: ClassVar[str] = "datetime_cyclic"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.TIMES)

    circle_columns_: Ints
    shift_: Ints
    period_: Ints
    elapsed_columns_: Ints
    center_: Ints
    factor_: Floats
    indicated_: Ints

    def __init__(self, clip: float = 4.0) -> None:
        self.clip = clip

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        circles: list[tuple[int, int, int]] = []
        trends: list[tuple[int, int, float]] = []
        trend_names, circle_names, indicated = [], [], []
        for j, name in enumerate(names):
            times = np.asarray(block[:, j], dtype=np.int64)
            moments = times[times != MISSING_TIME]
            if len(moments) and moments.min() != moments.max():
                trends.append((j, int(moments.mean()), max(float(moments.std()), 1.0)))
                trend_names.append(f"{name} (elapsed)")
                for period, seconds in PERIODS.items():
                    if 3 * int(np.ptp(moments)) >= 2 * seconds and np.ptp((moments + ERA) % seconds):
                        # A cosine is a sine a quarter of a period ahead.
                        circles += [(j, ERA, seconds), (j, ERA + seconds // 4, seconds)]
                        circle_names += [f"{name} (sine of {period})", f"{name} (cosine of {period})"]
            if len(moments) < len(times):
                indicated.append(j)
        self.circle_columns_, self.shift_, self.period_ = np.array(circles, dtype=np.int64).reshape(-1, 3).T.copy()
        self.elapsed_columns_ = np.array([j for j, _, _ in trends], dtype=np.int64)
        self.center_ = np.array([center for _, center, _ in trends], dtype=np.int64)
        self.factor_ = np.array([1.0 / spread for _, _, spread in trends], dtype=np.float32)
        self.indicated_ = np.array(indicated, dtype=np.int64)
        self.feature_names_ = (*trend_names, *circle_names, *(f"{names[j]} is missing" for j in indicated))
        return self

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        times = np.asarray(block, dtype=np.int64)
        missing = times == MISSING_TIME
        away = (times[:, self.elapsed_columns_] - self.center_).astype(np.float32) * self.factor_
        place = (times[:, self.circle_columns_] + self.shift_) % self.period_
        waves = np.sin(place.astype(np.float64) * (2.0 * np.pi / self.period_))
        parts = [np.clip(away, -np.float32(self.clip), np.float32(self.clip)), waves.astype(np.float32)]
        features = np.concatenate(parts, axis=1)
        features[missing[:, np.concatenate([self.elapsed_columns_, self.circle_columns_])]] = 0.0
        if not len(self.indicated_):
            return features
        return np.concatenate([features, missing[:, self.indicated_].astype(np.float32)], axis=1)

    def emit(self, graph: Graph, block: str) -> str:
        if not self.feature_names_:
            return emit_zeros(graph, block, 0)
        missing = graph.op("Equal", block, graph.constant(np.array(MISSING_TIME)))
        parts = []
        if len(self.elapsed_columns_):
            parts.append(self._emit_elapsed(graph, block))
        if len(self.circle_columns_):
            parts.append(self._emit_circles(graph, block))
        features = []
        if parts:
            columns = np.concatenate([self.elapsed_columns_, self.circle_columns_])
            spread_missing = graph.op("Gather", missing, graph.constant(columns), axis=1)
            features.append(
                graph.op("Where", spread_missing, graph.constant(np.array(0.0, dtype=np.float32)), graph.concat(parts))
            )
        if len(self.indicated_):
            indicators = graph.op("Gather", missing, graph.constant(self.indicated_), axis=1)
            features.append(graph.cast(indicators, "float32"))
        return graph.concat(features)

    def _emit_elapsed(self, graph: Graph, block: str) -> str:
        spread = graph.op("Gather", block, graph.constant(self.elapsed_columns_), axis=1)
        away = graph.op("Sub", spread, graph.constant(self.center_[None, :]))
        scaled = graph.op("Mul", graph.cast(away, "float32"), graph.constant(self.factor_[None, :]))
        # Cut after the cast: ONNX Runtime's int64 Clip gives wrong results, see the calendar's docstring.
        low, high = (graph.constant(np.array(bound, dtype=np.float32)) for bound in (-self.clip, self.clip))
        return graph.op("Clip", scaled, low, high)

    def _emit_circles(self, graph: Graph, block: str) -> str:
        spread = graph.op("Gather", block, graph.constant(self.circle_columns_), axis=1)
        shifted = graph.op("Add", spread, graph.constant(self.shift_[None, :]))
        place = graph.cast(graph.op("Mod", shifted, graph.constant(self.period_[None, :])), "float64")
        angle = graph.op("Mul", place, graph.constant((2.0 * np.pi / self.period_)[None, :]))
        # In double precision: a float32 sine differs between libraries by more than its own last digit.
        return graph.cast(graph.op("Sin", angle), "float32")
