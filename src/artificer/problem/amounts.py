"""Amounts as people write them: "90s", "1h30m", "7d" of time, and a training budget of time or of work."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])", re.ASCII)
_FITS = re.compile(r"(\d+)\s*fits?", re.ASCII)
_LONGEST = 3_660 * 86_400  # ten years and a bit, far below where a float or a calendar gives way


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time, to the microsecond.

    Examples
    --------
    >>> Duration.parse("1h30m").seconds
    5400.0
    >>> str(Duration(5400))
    '1h30m'
    """

    seconds: float

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read days, hours, minutes and seconds, in that order, each at most once.

        Raises
        ------
        ValueError
            The text is not a duration; the message says what one looks like.
        """
        compact = text.strip().lower().replace(" ", "")
        parts = _PART.findall(compact) if _DURATION.fullmatch(compact) else []
        order = ["dhms".index(unit) for _, unit in parts]
        if not parts or order != sorted(set(order)):
            raise ValueError('a duration like "90s", "5m", "1h30m" or "7d"')
        seconds = round(sum(float(number) * _UNITS[unit] for number, unit in parts), 6)
        if seconds > _LONGEST:
            raise ValueError("a duration of at most ten years")
        return cls(seconds)

    def __str__(self) -> str:
        if self.seconds != int(self.seconds):
            return f"{self.seconds:.6f}".rstrip("0") + "s"
        left, text = int(self.seconds), ""
        if left <= 120:  # people say "90s", and "60s" for a budget
            return f"{left}s"
        for unit, size in _UNITS.items():
            count, left = divmod(left, size)
            text += f"{count}{unit}" if count else ""
        return text


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a training run may spend: seconds of wall time, or a number of fits. Exactly one is set.

    Fits are units of work: the same seed and the same number of fits give the same result on any machine.

    Examples
    --------
    >>> Budget.parse("5m")
    Budget(seconds=300.0, fits=None)
    >>> str(Budget.parse("40 fits"))
    '40 fits'
    """

    seconds: float | None = None
    fits: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.fits is None):
            raise ValueError("a budget is either a time or a number of fits")
        if not 0 < (self.seconds or self.fits or 0) <= _LONGEST:
            raise ValueError('a budget above zero, like "60s" or "40 fits"')

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read "60s", "5m", "1h30m" or "40 fits".

        Raises
        ------
        ValueError
            The text is not a budget; the message says what one looks like.
        """
        compact = text.strip().lower()
        if fits := _FITS.fullmatch(compact):
            return cls(fits=int(fits[1]))
        try:
            seconds = Duration.parse(compact).seconds
        except ValueError:
            raise ValueError('a budget like "60s", "5m", "1h30m" or "40 fits"') from None
        return cls(seconds=seconds)

    def __str__(self) -> str:
        if self.fits is not None:
            return f"{self.fits} fit{'s' if self.fits != 1 else ''}"
        return str(Duration(self.seconds or 0.0))
