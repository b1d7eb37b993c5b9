"""The reference summary: what inputs, scores and target looked like in training, small enough to travel in the bundle.

Each column is profiled (`artificer.profile`), and of the profile this keeps what comparing needs: a number becomes
counts between quantiles, a category counts of the most frequent values, a time its range, a text the number of its
tokens. The same bins are then counted in a window of production, so that the training data itself is not needed any
more. The summary is JSON: about 0.4 kB for a numeric column, and at most 150 kB for all categorical columns together.

Layout: ``{"schema", "rows", "columns": [...], "scores": [...], "target": {...} or null}``, columns in block order with
``{"name", "kind", ...}`` as `numeric_summary`, `category_summary` and `time_summary` give it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.errors import BundleFormatError
from artificer.profile.bins import single
from artificer.profile.column import ColumnProfile
from artificer.types import (
    MISSING_STRING,
    MISSING_TIME,
    Blocks,
    Doubles,
    Floats,
    Ints,
    Json,
    Kind,
    Strings,
    Task,
)

SCHEMA = "artificer.reference/1"

MOST_CATEGORIES = 200
LONGEST_CATEGORY = 100
_CATEGORY_BYTES = 150_000
_COMMON = 20
"""A category with so many rows would hardly have been missed by another sample."""


def summarise(
    blocks: Blocks,
    names: Mapping[Kind, Sequence[str]],
    scores: NDArray[Any] | None = None,
    *,
    task: Task,
    classes: Sequence[str] = (),
    y: NDArray[Any] | None = None,
    moving: Sequence[str] = (),
    positive: int = 1,
) -> Json:
    """Summarise training data as the reference that production is compared with.

    Parameters
    ----------
    blocks : the rows, n.
    names : column names of each block, in block order.
    scores : (m, c), of rows the model was not trained on (out of fold, or the test set); m may differ from n. In-sample
        scores are too extreme, and would make the first window look drifted.
    classes : names in code order.
    y : (n,), codes or values.
    moving : columns whose values always move on, such as the time that orders the rows; they are not compared.
    positive : code of the class a binary score speaks of.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> blocks = Blocks(rng.normal(size=(100, 1)).astype("f"), np.full((100, 1), "a", object), np.zeros((100, 0), "i8"))
    >>> found = summarise(blocks, {Kind.NUMBERS: ["x"], Kind.STRINGS: ["s"]}, task=Task.REGRESSION)
    >>> [column["name"] for column in found["columns"]], found["columns"][1]["categories"]
    (['x', 's'], {'a': 100})
    """
    columns: list[Json] = []
    n_strings = blocks.strings.shape[1]
    budget = _CATEGORY_BYTES // max(n_strings, 1)
    for kind in Kind:
        for index in range(blocks.of(kind).shape[1]):
            summary = _column_summary(blocks, kind, index, budget)
            name = names[kind][index]
            columns.append({"name": name, "kind": kind.value, "moving": name in moving, **summary})
    return {
        "schema": SCHEMA,
        "rows": len(blocks),
        "positive": positive,
        "columns": columns,
        "scores": [] if scores is None else score_summaries(scores, task, classes, positive),
        "target": None if y is None else target_summary(y, task, classes),
    }


def check_schema(reference: Json) -> None:
    """Refuse a summary of another schema."""
    if reference.get("schema") != SCHEMA:
        raise BundleFormatError(
            f"The reference summary has the schema {reference.get('schema')!r}, this version reads {SCHEMA}; "
            "upgrade Artificer."
        )


def _column_summary(blocks: Blocks, kind: Kind, index: int, budget: int) -> Json:
    values: NDArray[Any] = blocks.of(kind)[:, index]
    if kind is Kind.NUMBERS:
        return numeric_summary(values)
    if kind is Kind.STRINGS:
        return category_summary(values, budget)
    return numeric_summary(token_counts(values)) if kind is Kind.TEXTS else time_summary(values)


def token_counts(texts: Strings) -> Floats:
    """Tokens of each text (n), NaN where it is missing: what is compared of texts, whose words follow no few bins.

    Examples
    --------
    >>> token_counts(np.array(["red wine", "", "x"], dtype=object)).tolist()
    [2.0, nan, 1.0]
    """
    counts = (text.count(" ") + 1 if text else np.nan for text in texts.tolist())
    return np.fromiter(counts, dtype=np.float32, count=len(texts))


def numeric_summary(values: Floats | Doubles) -> Json:
    """Profile numbers, and give what comparing needs: counts between quantiles; of few values each has its own bin.

    Returns
    -------
    ``edges`` (b - 1) and ``counts`` (b): bin i holds what is above edge i - 1 and at most edge i. ``missing``,
    ``mean``, ``stdev``, ``low``, ``high`` (None where there is no value).
    """
    return number_view(profile_array(single(values), Kind.NUMBERS))


def number_view(column: ColumnProfile) -> Json:
    """The part of a profile of numbers that is compared."""
    bins, moments = column.compared(), column.moments
    figures = (moments.mean, moments.stdev, moments.low, moments.high)
    shown = [_short(value) if moments.count else None for value in figures]
    return {
        "edges": list(bins.edges),
        "counts": list(bins.counts),
        "missing": column.missing,
        "rows": column.rows,
        **dict(zip(("mean", "stdev", "low", "high"), shown, strict=True)),
    }


def category_summary(values: Strings, budget: int = _CATEGORY_BYTES) -> Json:
    """Profile categories, and give what comparing needs; see `category_view`."""
    return category_view(profile_array(values, Kind.STRINGS), budget)


def category_view(column: ColumnProfile, budget: int = _CATEGORY_BYTES) -> Json:
    """Counts of categories: the most frequent, at most 200 and at most `budget` bytes of them, the others together.

    Categories that are chosen because a sample showed them often, or at all, are rarer in the next sample: of a long
    tail, every window would seem to hold too many unknown ones. So where there is a tail, a random half of the rows
    chooses the categories and the other half counts them. What a random half holds follows from the counts alone: it is
    a draw from the multivariate hypergeometric distribution.

    Returns
    -------
    ``categories`` {text: rows}, most frequent first; ``other`` rows; ``also``, names of known categories among the
    others, or None when they are too many to list; ``rows`` that were counted and ``missing`` among them; ``distinct``
    categories in all.
    """
    assert column.counts is not None  # noqa: S101 -- a reference is made of rows in memory, all counted
    whole = {str(text): rows for text, rows in column.counts.most_common()}
    chooses, counts, rows, missing = whole, whole, column.rows, column.missing
    if len(whole) > MOST_CATEGORIES or min(whole.values(), default=_COMMON) < _COMMON:
        drawn = np.random.default_rng(0).multivariate_hypergeometric(
            [*whole.values(), missing], column.rows // 2, method="marginals"
        )
        chooses = {text: int(half) for text, half in zip(whole, drawn[:-1], strict=True) if half}
        counts = {text: all_ - chooses.get(text, 0) for text, all_ in whole.items()}
        rows, missing = column.rows - column.rows // 2, missing - int(drawn[-1])
    listed, used = _listed(chooses, budget)
    kept = {text: counts[text] for text in listed}
    rest = sorted(whole.keys() - kept.keys())
    used += sum(2 * len(text.encode("utf-8", "surrogatepass")) + 6 for text in rest)
    return {
        "categories": kept,
        "other": sum(counts.values()) - sum(kept.values()),
        "also": rest if used <= budget else None,
        "distinct": len(whole),
        "missing": missing,
        "rows": rows,
    }


def _listed(chooses: Mapping[str, int], budget: int) -> tuple[list[str], int]:
    """The most frequent categories that are listed by name, and the bytes they take."""
    listed: list[str] = []
    used = 0
    for text, _ in sorted(chooses.items(), key=lambda item: (-item[1], item[0])):
        used += 2 * len(text.encode("utf-8", "surrogatepass")) + 12
        if len(listed) >= MOST_CATEGORIES or used > budget:
            break
        if len(text) <= LONGEST_CATEGORY:
            listed.append(text)
    return listed, used


def profile_array(values: NDArray[Any], kind: Kind) -> ColumnProfile:
    """The profile of a block's column (n), every value counted."""
    import polars as pl

    if kind is Kind.NUMBERS:
        return ColumnProfile.of(pl.Series("", values, dtype=pl.Float32), kind, exact=True)
    if kind is Kind.TIMES:
        seconds = pl.Series("", values, dtype=pl.Int64)
        return ColumnProfile.of(seconds.replace(MISSING_TIME, None), kind, exact=True)
    texts = pl.Series("", [text or None for text in values.tolist()], dtype=pl.String)
    return ColumnProfile.of(texts, kind, exact=True)


def category_counts(values: Strings, summary: Json) -> tuple[Doubles, float, float, dict[str, int]]:
    """Count a window's categories as the summary's were.

    Returns
    -------
    Rows of each listed category in the summary's order, rows of others, rows that are missing, and the commonest (at
    most 20) categories that training did not know, with their rows; none where training knew too many to say.
    """
    found = Counter(values.tolist())
    missing = found.pop(MISSING_STRING, 0)
    listed = np.array([found.pop(text, 0) for text in summary["categories"]], dtype=np.float64)
    other = sum(found.values())
    for text in summary["also"] or ():
        found.pop(text, None)
    new = dict(found.most_common(20)) if summary["also"] is not None else {}
    return listed, float(other), float(missing), new


def time_summary(values: Ints) -> Json:
    """Keep the range of times and how many are missing; times move on, so their distribution is not compared."""
    column = profile_array(values, Kind.TIMES)
    known = column.moments.count
    low, high = (int(column.moments.low), int(column.moments.high)) if known else (None, None)
    return {"missing": column.missing, "rows": column.rows, "low": low, "high": high}


def score_columns(
    scores: NDArray[Any], task: Task, classes: Sequence[str], positive: int
) -> list[tuple[str, Kind, NDArray[Any]]]:
    """Turn scores into the columns that are compared: name, kind and values.

    Binary: the positive class's probability. Multiclass: the predicted class, and its probability. Regression: the
    value.
    """
    names = tuple(classes) or tuple(map(str, range(scores.shape[1])))
    if task is Task.BINARY:
        return [(f"probability of {names[positive]}", Kind.NUMBERS, scores[:, positive])]
    if task is Task.MULTICLASS:
        predicted = scores.argmax(axis=1)
        labels = np.array(names, dtype=object)[predicted]
        return [("predicted class", Kind.STRINGS, labels), ("probability of it", Kind.NUMBERS, scores.max(axis=1))]
    if task is Task.QUANTILE:
        middle, width = scores[:, (scores.shape[1] - 1) // 2], scores[:, -1] - scores[:, 0]
        return [("middle quantile", Kind.NUMBERS, middle), ("span of the quantiles", Kind.NUMBERS, width)]
    return [("predicted value", Kind.NUMBERS, scores.reshape(len(scores), -1)[:, 0])]


def score_summaries(scores: NDArray[Any], task: Task, classes: Sequence[str], positive: int) -> list[Json]:
    summaries = []
    for name, kind, values in score_columns(np.asarray(scores), task, classes, positive):
        summary = numeric_summary(values) if kind is Kind.NUMBERS else category_summary(values)
        summaries.append({"name": name, "kind": kind.value, "moving": False, **summary})
    return summaries


def target_values(y: NDArray[Any], task: Task, classes: Sequence[str]) -> NDArray[Any]:
    """Give the target as the values that are counted: class names, or numbers."""
    if not task.is_classification:
        return np.asarray(y)
    names = tuple(classes) or tuple(map(str, range(int(np.max(y, initial=0)) + 1)))
    named: NDArray[Any] = np.array(names, dtype=object)[np.asarray(y).astype(np.int64)]
    return named


def target_summary(y: NDArray[Any], task: Task, classes: Sequence[str]) -> Json:
    values = target_values(y, task, classes)
    kind = Kind.STRINGS if task.is_classification else Kind.NUMBERS
    summary = category_summary(values) if task.is_classification else numeric_summary(values)
    return {"name": "target", "kind": kind.value, "moving": False, **summary}


def _short(value: float) -> float:
    return float(f"{value:.7g}")
