"""What kind of question the target asks: task, classes, positive class, and the labels' own type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from artificer.errors import TargetError, nearest
from artificer.tables.arrays import column_numbers, label_texts
from artificer.tables.contract import ColumnSpec, LabelKind, canonical_text
from artificer.types import Role, Task

POSITIVE_WORDS = ("yes", "true", "1", "y", "t", "positive", "pos", "present", "success")
FEW_CLASSES = 20
ROWS_PER_CLASS = 10
MANY_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """The task and everything that follows from the labels.

    Attributes
    ----------
    classes : class texts in score order (numbers by value, texts by letters); empty for regression.
    counts : rows of each class, in the same order.
    """

    task: Task
    reason: str
    label_kind: LabelKind
    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    positive: str | None = None


def check_target(frame: pl.DataFrame, target: str) -> None:
    """Raise a TargetError that names the nearest column when the target is absent."""
    if target not in frame.columns:
        columns = frame.columns
        hint = (
            nearest(target, columns) or f"; the columns are {', '.join(columns[:8])}{', …' if len(columns) > 8 else ''}"
        )
        raise TargetError(f'the table has no target column "{target}"{hint}')


def infer_task(series: pl.Series, spec: ColumnSpec, *, task: Task | None = None, positive: object = None) -> Question:
    """Find out what is asked from the labels of all rows that have one.

    Parameters
    ----------
    series : the target, without missing labels.
    spec : how it is read; its role is the one its type gives.
    task, positive : what the user stated; None leaves it to the data.

    Raises
    ------
    TargetError
        The target has one value only, too many classes, or does not fit the stated task or positive class.

    Examples
    --------
    >>> spec = ColumnSpec("y", Role.CATEGORICAL, "", "String")
    >>> question = infer_task(pl.Series("y", ["no", "yes", "no"]), spec)
    >>> question.task.value, question.classes, question.positive
    ('binary', ('no', 'yes'), 'yes')
    """
    name = series.name
    kind = _label_kind(series, spec)
    texts = label_texts(series, spec, kind)
    counted = texts.drop_nulls().value_counts(name="rows").rename({name: "label"} if name != "label" else {})
    if counted.is_empty():
        raise TargetError(f'every cell of the target "{name}" is missing; name a column that holds outcomes')
    if counted.height == 1:
        raise TargetError(
            f'the target "{name}" is constant (every row has "{counted["label"][0]}"); '
            "give rows of at least two outcomes"
        )
    inferred, reason = _infer(series, spec, kind, counted)
    if task is not None:
        inferred, reason = task, "stated by the user"
        _check_stated(task, name, spec, counted.height)
    if not inferred.is_classification:
        whole = kind == "int"
        return Question(inferred, reason, "int" if whole else "float")
    if counted.height > MANY_CLASSES:
        raise TargetError(
            f'the target "{name}" has {counted.height:,} classes, more than {MANY_CLASSES:,}; name another target or '
            "group its values"
        )
    rows = dict(zip(counted["label"].to_list(), counted["rows"].to_list(), strict=True))
    classes = tuple(sorted(rows, key=(lambda text: (float(text), text)) if kind in ("int", "float") else None))
    chosen = _positive(name, classes, rows, positive) if inferred is Task.BINARY else None
    return Question(inferred, reason, kind, classes, tuple(rows[label] for label in classes), chosen)


def _label_kind(series: pl.Series, spec: ColumnSpec) -> LabelKind:
    if spec.role is Role.BOOLEAN:
        return "bool"
    if spec.role is not Role.NUMERIC or (spec.format is not None and not series.dtype.is_numeric()):
        return "float" if spec.role is Role.NUMERIC else "string"
    if series.dtype.is_float() or series.dtype.is_decimal():
        return "float"
    if series.dtype.is_integer():
        return "int"
    numbers = column_numbers(series, spec)
    return "int" if bool(np.all(np.isnan(numbers) | (numbers == np.floor(numbers)))) else "float"


def _infer(series: pl.Series, spec: ColumnSpec, kind: LabelKind, counted: pl.DataFrame) -> tuple[Task, str]:
    distinct, n = counted.height, int(counted["rows"].sum())
    if spec.role is Role.DATETIME:
        raise TargetError(f'the target "{series.name}" holds times, which no task predicts; name another column')
    if distinct == 2:
        return Task.BINARY, "the target has two values"
    if kind in ("string", "bool"):
        if distinct > n / 2 and n >= 50:
            raise TargetError(
                f'the target "{series.name}" holds {distinct:,} different texts in {n:,} rows, neither classes nor '
                "numbers; name another target"
            )
        return Task.MULTICLASS, f"the target holds {distinct} different texts"
    numbers = column_numbers(series, spec)
    numbers = numbers[~np.isnan(numbers)]
    if bool(np.any(numbers != np.floor(numbers))):
        return Task.REGRESSION, "the target holds numbers with fractions"
    if distinct > FEW_CLASSES or n < ROWS_PER_CLASS * distinct:
        return Task.REGRESSION, f"the target holds {distinct:,} different whole numbers"
    if _are_counts(numbers):
        return Task.REGRESSION, "the target holds counts: from zero up, each rarer than the one before"
    return Task.MULTICLASS, f"the target holds {distinct} different whole numbers, each many times"


def _are_counts(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    """Counts of events begin at 0, go on without gaps at first, and thin out; codes of classes seldom do all three."""
    values, rows = np.unique(numbers, return_counts=True)
    head = min(len(values), 5)
    return (
        len(values) >= 4
        and bool(np.array_equal(values[:head], np.arange(head)))
        and bool(np.all(np.diff(rows[:head]) < 0))
        and bool(rows[0] > 2 * rows[1])
    )


def _check_stated(task: Task, name: str, spec: ColumnSpec, distinct: int) -> None:
    if not task.is_classification and spec.role not in (Role.NUMERIC, Role.BOOLEAN):
        what = "have quantiles" if task is Task.QUANTILE else "be a regression"
        raise TargetError(f'the target "{name}" holds no numbers, so it cannot {what}; state another task')
    if task is Task.BINARY and distinct != 2:
        raise TargetError(f'the target "{name}" has {distinct} values, so it cannot be binary; state multiclass')


def _positive(name: str, classes: tuple[str, ...], rows: dict[str, int], stated: object) -> str:
    if stated is not None:
        text = canonical_text(stated)
        if text in classes:
            return text
        near = {label.lower(): label for label in classes}
        if text.lower() in near:
            return near[text.lower()]
        values = ", ".join(f'"{label}"' for label in classes)
        raise TargetError(f'the target "{name}" has no value "{text}" to be positive; its values are {values}')
    by_word = [label for word in POSITIVE_WORDS for label in classes if label.lower() == word]
    return by_word[0] if by_word else min(classes, key=lambda label: (rows[label], label))
