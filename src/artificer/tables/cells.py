"""One column of the contract, and one cell of it: what it may hold, and how its value is read out of JSON.

Serving imports this file: NumPy and the standard library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from artificer.tables.formats import EARLIEST, LATEST, WHITESPACE, number_format, time_format
from artificer.tables.spelling import known_variant, nearest_known
from artificer.tables.words import list_text, token_text
from artificer.types import FLOAT32_MAX, KIND_OF_ROLE, MISSING_STRING, MISSING_TIME, Kind, Role

MAX_TEXT = 10_000
NOT_MISSING = "may not be missing"
NOT_A_NUMBER = "must be a number"
NOT_FINITE = "must be finite"
NOT_A_BOOLEAN = "must be true or false"
NOT_A_CATEGORY = "must be a text, a number or a boolean"
TOO_LONG = f"must be at most {MAX_TEXT:,} characters long"
NOT_UNICODE = "must be valid Unicode text"
NOT_A_LIST = "must be a list of texts, numbers or booleans"
NOT_A_TIME = "must be an ISO 8601 time or seconds since 1970"
OUT_OF_TIME = "must lie between the years 1 and 9999"

LIST = "list"
"""The format of a text column whose cells are lists."""

T = TypeVar("T")


def canonical_text(value: Any) -> str:
    """Give the text under which a category is known, the same in training and serving; missing is ``""``.

    Examples
    --------
    >>> [canonical_text(v) for v in (3, 3.0, Decimal("3.00"), "3", " 3 ", True, 2.5, None, float("nan"))]
    ['3', '3', '3', '3', '3', 'true', '2.5', '', '']
    """
    if isinstance(value, str):
        return value.strip(WHITESPACE)
    if value is None:
        return MISSING_STRING
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if math.isnan(number):
            return MISSING_STRING
        return str(int(number)) if number.is_integer() and abs(number) < 1e16 else repr(number)
    if isinstance(value, Decimal):  # a whole one stays exact, however long; a fraction is what its float is
        is_whole = value.is_finite() and value == value.to_integral_value()
        return str(int(value)) if is_whole else canonical_text(float(value))
    return str(value).strip(WHITESPACE)


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column: what it is for, why, and what its cells may be.

    Attributes
    ----------
    dtype : the source's type, as text, for people.
    nullable : whether training saw missing cells; if not, serving refuses them.
    format : how text is read as a number (an example, ``"1.234,5"``), a time (a strptime pattern) or a boolean
        (``"yes/no"``: the true text, the false text); ``"list"`` for a text column whose cells are lists; None where
        the values are native.
    categories : known ones at training, most frequent first, capped; others are allowed.
    low, high : range of the numbers (or of the epoch seconds) at training; not enforced.
    missing : texts that stand for a missing cell in this column, besides the empty one.
    codes : numbers (or epoch seconds) that stand for a missing cell, such as -999; told apart in single precision, as
        the model sees them.
    units : endings of numbers that are left out in reading, where a column writes its unit in several ways.
    spelling : texts of a category that are read as another one, such as misspelt ones.
    variants : whether a text that is none of `categories` is read as the one of them that differs in case, space or
        accents alone.
    alike : whether it is read as the one that it is a keystroke away from; training no longer asks for it, as a new
        category may be so too, and bundles that do are read as they were.
    scale : `(low, high, factor)`: numbers from low to high are multiplied, told apart in single precision.
    """

    name: str
    role: Role
    reason: str
    dtype: str
    nullable: bool = True
    format: str | None = None
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    missing: tuple[str, ...] = ()
    codes: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    spelling: Mapping[str, str] = field(default_factory=dict, hash=False)
    variants: bool = False
    alike: bool = False
    scale: tuple[tuple[float, float, float], ...] = ()

    @property
    def kind(self) -> Kind | None:
        """Which block the column lies in; None for columns that do not feed the model."""
        return KIND_OF_ROLE.get(self.role)


def is_code(values: NDArray[Any], column: ColumnSpec) -> NDArray[np.bool_]:
    """Which values (n) of a numeric or datetime column are codes for a missing cell.

    Examples
    --------
    >>> spec = ColumnSpec("depth", Role.NUMERIC, "numbers", "Float64", codes=(-99.9,))
    >>> is_code(np.array([1.5, -99.9]), spec).tolist()
    [False, True]
    """
    if values.dtype.kind == "f":
        return np.isin(values.astype(np.float32), np.array(column.codes, dtype=np.float32))
    return np.isin(values, np.array(column.codes, dtype=np.int64))


def settle_numbers(values: NDArray[Any], column: ColumnSpec) -> None:
    """Make codes missing and bring numbers (n, float) to their scale, in place; training and serving do it here.

    Examples
    --------
    >>> rent = ColumnSpec("rent", Role.NUMERIC, "numbers", "Float64", codes=(-1,), scale=((0.1, 10, 1000),))
    >>> values = np.array([1.25, 900.0, -1.0], dtype=np.float32)
    >>> settle_numbers(values, rent)
    >>> values.tolist()
    [1250.0, 900.0, nan]
    """
    if column.codes:
        values[is_code(values, column)] = math.nan
    single = values.astype(np.float32)
    for low, high, factor in column.scale:
        inside = (single >= np.float32(low)) & (single <= np.float32(high))
        values[inside] = single[inside] * np.float32(factor)


def respelt(text: str, column: ColumnSpec) -> str:
    """What a text of a category is read as; training and serving do it here.

    Examples
    --------
    >>> town = ColumnSpec("town", Role.CATEGORICAL, "", "String", categories=("Bergen",), spelling={"BGO": "Bergen"})
    >>> respelt("BGO", town), respelt("Bergn", town)
    ('Bergen', 'Bergn')
    """
    if column.spelling:
        text = column.spelling.get(text, text)
    if column.variants and text:
        text = known_variant(text, column.categories)
    return nearest_known(text, column.categories) if column.alike and text else text


def without_unit(text: str, units: tuple[str, ...]) -> str:
    """A text without the longest of some endings.

    Examples
    --------
    >>> without_unit("12.0 oz.", ("oz", "oz.")), without_unit("12", ("oz",))
    ('12.0', '12')
    """
    found = max((unit for unit in units if text.endswith(unit)), key=len, default="")
    return text[: len(text) - len(found)].strip(WHITESPACE) if found else text


class RuleError(Exception):
    """A cell breaks a rule; the rule is the argument."""


def read_number(value: Any, column: ColumnSpec) -> float:
    """Read one cell of a numeric column into a finite float, NaN for missing. Raises the rule it breaks."""
    if value is None:
        return _missing(column, math.nan)
    if isinstance(value, str):
        text = value.strip(WHITESPACE)
        if text in column.missing:
            return _missing(column, math.nan)
        if column.format is None:
            raise RuleError(NOT_A_NUMBER)
        parsed = number_format(column.format).parse(without_unit(text, column.units) if column.units else text)
        if parsed is None:
            raise RuleError(f'{NOT_A_NUMBER}, or a text like "{column.format}"')
        value = parsed
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RuleError(NOT_A_NUMBER)
    if isinstance(value, float) and not math.isfinite(value):
        raise RuleError(NOT_FINITE)
    return float(max(-FLOAT32_MAX, min(FLOAT32_MAX, value)))


def read_boolean(value: Any, column: ColumnSpec) -> float:
    """Read one cell of a boolean column into 0 or 1, NaN for missing. Raises the rule it breaks."""
    if value is None:
        return _missing(column, math.nan)
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return float(value)
    if isinstance(value, str):
        text = value.strip(WHITESPACE)
        if text in column.missing:
            return _missing(column, math.nan)
        found = boolean_texts(column.format).get(text.lower())
        if found is not None:
            return found
    raise RuleError(NOT_A_BOOLEAN)


@cache
def boolean_texts(form: str | None) -> Mapping[str, float]:
    """What texts of a boolean column mean, in lower case: the column's own, and those that are understood anywhere.

    Examples
    --------
    >>> boolean_texts("yes/no")
    {'true': 1.0, '1': 1.0, 'false': 0.0, '0': 0.0, 'yes': 1.0, 'no': 0.0}
    """
    yes, _, no = (form or "true/false").partition("/")
    return {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0, yes: 1.0, no: 0.0}


def read_category(value: Any, column: ColumnSpec) -> str:
    """Read one cell of a categorical column into its text, ``""`` for missing. Raises the rule it breaks."""
    if value is None:
        return _missing(column, MISSING_STRING)
    if isinstance(value, float) and not math.isfinite(value):
        raise RuleError(NOT_FINITE)
    if not isinstance(value, (str, bool, int, float)):
        raise RuleError(NOT_A_CATEGORY)
    if (
        isinstance(value, int) and value.bit_length() > 4 * MAX_TEXT // 2
    ):  # str() of such an integer is refused by Python
        raise RuleError(TOO_LONG)
    text = canonical_text(value)
    if len(text) > MAX_TEXT:
        raise RuleError(TOO_LONG)
    if not text or text in column.missing:
        return _missing(column, MISSING_STRING)
    _check_unicode(text)
    return respelt(text, column)


def read_tokens(value: Any, column: ColumnSpec) -> str:
    """Read one cell of a text or list column into its tokens, ``""`` for missing. Raises the rule it breaks."""
    if column.format == LIST:
        tokens = list_tokens(value)
    elif isinstance(value, str):
        text = value.strip(WHITESPACE)
        tokens = "" if text in column.missing else token_text(text)
    else:
        tokens = token_text(read_category(value, column))
    if not tokens:
        return _missing(column, MISSING_STRING)
    _check_unicode(tokens)
    return tokens


def list_tokens(value: Any) -> str:
    """Read a list of plain values, or its JSON text, into tokens, ``""`` for missing.

    Raises
    ------
    RuleError
        It is neither.

    Examples
    --------
    >>> list_tokens(["Red wine", 2.0, None]), list_tokens('["a", "b"]'), list_tokens([]), list_tokens(None)
    ('red_wine 2', 'a b', '[]', '')
    """
    if isinstance(value, str):
        value = value.strip(WHITESPACE)
        if not value:
            return MISSING_STRING
        try:
            value = json.loads(value) if value.startswith("[") else value
        except (ValueError, RecursionError):
            raise RuleError(NOT_A_LIST) from None
    if value is None:
        return MISSING_STRING
    if not isinstance(value, (list, tuple)):
        raise RuleError(NOT_A_LIST)
    for item in value:
        if not (item is None or isinstance(item, (str, bool, int, float))):
            raise RuleError(NOT_A_LIST)
        if isinstance(item, int) and item.bit_length() > 2 * MAX_TEXT:
            raise RuleError(TOO_LONG)
    return list_text(map(canonical_text, value))


def _check_unicode(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # a lone surrogate, which the graph could not take
            raise RuleError(NOT_UNICODE) from None


def read_time(value: Any, column: ColumnSpec) -> int:
    """Read one cell of a datetime column into epoch seconds. Raises the rule it breaks."""
    if value is None:
        return _missing(column, MISSING_TIME)
    if isinstance(value, str):
        text = value.strip(WHITESPACE)
        if text in column.missing:
            return _missing(column, MISSING_TIME)
        seconds = time_format(column.format).parse(text)
        if seconds is None and column.format is not None:
            seconds = time_format(None).parse(text)
        if seconds is None:
            raise RuleError(NOT_A_TIME if column.format is None else f'{NOT_A_TIME}, or like "{column.format}"')
        return seconds
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RuleError(NOT_A_TIME)
    if not EARLIEST <= value <= LATEST:
        raise RuleError(OUT_OF_TIME)
    return math.floor(value)


def _missing(column: ColumnSpec, stand_in: T) -> T:
    if column.nullable:
        return stand_in
    raise RuleError(NOT_MISSING)


READERS: dict[Role, Callable[[Any, ColumnSpec], Any]] = {
    Role.NUMERIC: read_number,
    Role.BOOLEAN: read_boolean,
    Role.CATEGORICAL: read_category,
    Role.DATETIME: read_time,
    Role.TEXT: read_tokens,
}


"""The reader of a cell by the role of its column."""
