"""Page and Hinkley's test on a stream of losses."""

from __future__ import annotations

from typing import ClassVar

from artificer.drift.base import StreamDetector, Tags


class PageHinkley(StreamDetector):
    """Has the mean of a stream gone up? Sums up how far values lie above their mean, less a tolerance.

    Fed with the loss of each labelled prediction, it notices a fall in performance. Values are scaled by the spread
    seen so far, so the parameters need no knowledge of the loss's unit.

    Parameters
    ----------
    tolerance : rises of the mean below so many standard deviations are let pass.
    threshold : the sum, in standard deviations, at which it alarms; higher means fewer false alarms and a later alarm.
    warm_up : values seen before the first alarm may be given; at least 2.

    References
    ----------
    .. [1] Page, E. S. (1954). Continuous inspection schemes. Biometrika 41, 100-115.
    .. [2] Hinkley, D. V. (1971). Inference about the change-point from cumulative sum tests. Biometrika 58, 509-523.

    Examples
    --------
    >>> detector = PageHinkley()
    >>> stream = [0.0, 1.0] * 100 + [3.0] * 40
    >>> next(i for i, value in enumerate(stream) if detector.update(value)) in range(200, 240)
    True
    """

    name: ClassVar[str] = "page_hinkley"
    tags: ClassVar[Tags] = Tags(stream=True)

    def __init__(self, tolerance: float = 0.25, threshold: float = 25.0, warm_up: int = 30) -> None:
        if not (tolerance >= 0 and threshold > 0 and warm_up >= 2):
            raise ValueError("PageHinkley takes tolerance >= 0, threshold > 0 and warm_up >= 2")
        self.tolerance = tolerance
        self.threshold = threshold
        self.warm_up = warm_up
        self.reset()

    def reset(self) -> None:
        self._n = 0
        self._mean = 0.0
        self._squares = 0.0
        self._sum = 0.0

    def update(self, value: float) -> bool:
        if self._n >= self.warm_up:
            spread = (self._squares / (self._n - 1)) ** 0.5
            # A stream that never varied has no scale of its own; then any rise counts as one of a whole deviation.
            step = (
                (value - self._mean) / spread if spread > 0 else float(value > self._mean) - float(value < self._mean)
            )
            self._sum = max(0.0, self._sum + step - self.tolerance)
            if self._sum > self.threshold:
                self.reset()
                return True
        self._n += 1
        delta = value - self._mean
        self._mean += delta / self._n
        self._squares += delta * (value - self._mean)
        return False
