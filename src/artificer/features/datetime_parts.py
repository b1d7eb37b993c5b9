"""Times as elapsed days and calendar parts, for trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import Encoder, EncoderTags
from artificer.features.calendar import DAY, ERA, civil, emit_civil
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import MISSING_TIME, Doubles, Floats, Ints, Kind, Strings

NO_CYCLE = 2**62
CLOCK_PARTS = {
    # part: seconds to add (a), seconds of one unit (b), units of one cycle (c): (t + a) / b mod c
    # 0000-03-01 was a Wednesday: two days more make Monday 0.
    "weekday": (ERA + 2 * DAY, DAY, 7),
    "hour": (ERA, 3600, 24),
    "minute": (ERA, 60, 60),
}
CIVIL_PARTS = ("year", "month", "day")


class DatetimeParts(Encoder):
    """Days since the first training moment, and those of year, month, day, weekday, hour and minute that vary.

    A part is kept where training has at least two values of it, so a column of dates costs no hours. Weekday counts
    from Monday = 0. Missing comes out as NaN in every part.

    References
    ----------
    Hinnant, H. chrono-Compatible Low-Level Date Algorithms, 2013.

    Examples
    --------
    >>> block = np.array([[0], [86_400 * 31 + 3600]])
    >>> encoder = DatetimeParts().fit(block, None, ["sold"])
    >>> encoder.feature_names_
    ('sold (days)', 'sold (weekday)', 'sold (hour)', 'sold (month)')
    >>> encoder.transform(block[1:]).round(3)
    array([[31.042,  6.   ,  1.   ,  2.   ]], dtype=float32)
    """

    name: ClassVar[str] = "datetime_parts"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.TIMES, keeps_missing=True)

    clock_columns_: Ints
    clock_: Ints
    civil_columns_: Ints
    civil_parts_: Ints

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        clock: list[tuple[int, int, int, int]] = []
        civils: list[tuple[int, int]] = []
        clock_names, civil_names = [], []
        for j, name in enumerate(names):
            moments = np.asarray(block[:, j], dtype=np.int64)
            moments = moments[moments != MISSING_TIME]
            if not len(moments) or moments.min() == moments.max():
                continue
            clock.append((j, -int(moments.min()), 1, NO_CYCLE))
            clock_names.append(f"{name} (days)")
            for part, (add, unit, cycle) in CLOCK_PARTS.items():
                if np.ptp((moments + add) // unit % cycle):
                    clock.append((j, add, unit, cycle))
                    clock_names.append(f"{name} ({part})")
            varies = np.ptp(civil(moments), axis=0)
            for i, part in enumerate(CIVIL_PARTS):
                if varies[i]:
                    civils.append((j, i))
                    civil_names.append(f"{name} ({part})")
        table = np.array(clock, dtype=np.int64).reshape(-1, 4)
        self.clock_columns_, self.clock_ = table[:, 0], table[:, 1:].T.copy()
        self.civil_columns_, self.civil_parts_ = np.array(civils, dtype=np.int64).reshape(-1, 2).T.copy()
        self.feature_names_ = (*clock_names, *civil_names)
        return self

    @property
    def _scale(self) -> Floats:
        """Elapsed time is counted in seconds and told in days; the other parts are told as they are counted."""
        return np.where(self.clock_[2] == NO_CYCLE, 1.0 / DAY, 1.0).astype(np.float32)

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        times = np.asarray(block, dtype=np.int64)
        add, unit, cycle = self.clock_
        # fmod keeps the sign: a moment before the first one is a negative number of days.
        counted = np.fmod((times[:, self.clock_columns_] + add) // unit, cycle)
        parts = [counted.astype(np.float32) * self._scale]
        if len(self.civil_columns_):
            chosen, place = np.unique(self.civil_columns_, return_inverse=True)
            parts.append(civil(times[:, chosen])[:, place, self.civil_parts_].astype(np.float32))
        features = np.concatenate(parts, axis=1)
        columns = np.concatenate([self.clock_columns_, self.civil_columns_])
        features[(times == MISSING_TIME)[:, columns]] = np.nan
        return features

    def emit(self, graph: Graph, block: str) -> str:
        if not self.feature_names_:
            return emit_zeros(graph, block, 0)
        add, unit, cycle = (graph.constant(row[None, :]) for row in self.clock_)
        spread = graph.op("Gather", block, graph.constant(self.clock_columns_), axis=1)
        counted = graph.op("Mod", graph.op("Div", graph.op("Add", spread, add), unit), cycle, fmod=1)
        parts = [graph.op("Mul", graph.cast(counted, "float32"), graph.constant(self._scale[None, :]))]
        if len(self.civil_columns_):
            parts.append(self._emit_civil(graph, block))
        missing = graph.op("Equal", block, graph.constant(np.array(MISSING_TIME)))
        columns = np.concatenate([self.clock_columns_, self.civil_columns_])
        spread_missing = graph.op("Gather", missing, graph.constant(columns), axis=1)
        return graph.op(
            "Where", spread_missing, graph.constant(np.array(np.nan, dtype=np.float32)), graph.concat(parts)
        )

    def _emit_civil(self, graph: Graph, block: str) -> str:
        chosen, place = np.unique(self.civil_columns_, return_inverse=True)
        narrow = graph.op("Gather", block, graph.constant(chosen), axis=1)
        all_parts = graph.cast(graph.concat(emit_civil(graph, narrow)), "float32")
        # Parts lie side by side: all years, all months, all days.
        picked = self.civil_parts_ * len(chosen) + place
        return graph.columns(all_parts, picked.tolist(), 3 * len(chosen))
