"""The reference summary: what inputs, scores and target looked like in training, small enough to travel in the bundle.

A number becomes counts between quantiles, a category counts of the most frequent values, a time its range, a
text the number of its tokens. The same
bins are then counted in a window of production, so that the training data itself is not needed any more. The summary is
JSON: about 0.4 kB for a numeric column, and at most 150 kB for all categorical columns together.

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
from artificer.types import (
    FLOAT32_MAX,
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

LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Quantiles between which numbers are counted."""

MOST_CATEGORIES = 200
LONGEST_CATEGORY = 100
_CATEGORY_BYTES = 150_000
_FEW_VALUES = 20
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
    if kind is Kind.NUMBERS:
        return numeric_summary(blocks.numbers[:, index])
    if kind is Kind.STRINGS:
        return category_summary(blocks.strings[:, index], budget)
    if kind is Kind.TEXTS:
        return numeric_summary(token_counts(blocks.texts[:, index]))
    return time_summary(blocks.times[:, index])


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
    """Count numbers between their quantiles; of few distinct values each has its own bin.

    Returns
    -------
    ``edges`` (b - 1) and ``counts`` (b): bin i holds what is above edge i - 1 and at most edge i. ``missing``,
    ``mean``, ``stdev``, ``low``, ``high`` (None where there is no value).
    """
    known = _single(values)
    known = known[~np.isnan(known)]
    missing = len(values) - len(known)
    if not len(known):
        empty: Json = {"edges": [], "counts": [0], "missing": missing, "rows": len(values)}
        return {**empty, "mean": None, "stdev": None, "low": None, "high": None}
    distinct = np.unique(known[:10_000])
    distinct = np.unique(known) if len(distinct) <= _FEW_VALUES else distinct
    if len(distinct) <= _FEW_VALUES:
        # Values outside of what was seen get bins of their own, so that a constant can be seen to change.
        below = distinct[:1][distinct[:1] > -FLOAT32_MAX]  # nothing lies below the lowest number there is
        edges = np.append(np.nextafter(below, np.float32(-np.inf)), distinct)
    else:
        edges = np.unique(np.quantile(known, LEVELS, method="inverted_cdf"))
        edges = edges[edges < known.max()]
    double = known.astype(np.float64)
    return {
        # The shortest text of a float32 reads back as the same float32.
        "edges": [float(str(edge)) for edge in edges.astype(np.float32)],
        "counts": numeric_counts(known, edges).astype(int).tolist(),
        "missing": missing,
        "rows": len(values),
        "mean": _short(double.mean()),
        "stdev": _short(double.std()),
        "low": _short(double.min()),
        "high": _short(double.max()),
    }


def numeric_counts(values: NDArray[Any], edges: Sequence[float] | NDArray[Any]) -> Doubles:
    """Count float32 values, missing ones left out, in the bins of a numeric summary; (b,)."""
    values = _single(values)
    values = values[~np.isnan(values)]
    limits = np.asarray(edges, dtype=np.float32)
    found = np.bincount(np.searchsorted(limits, values, side="left"), minlength=len(limits) + 1)
    return found.astype(np.float64)


def category_summary(values: Strings, budget: int = _CATEGORY_BYTES) -> Json:
    """Count categories: the most frequent, at most 200 and at most `budget` bytes of them, and the others together.

    Categories that are chosen because a sample showed them often, or at all, are rarer in the next sample: of a long
    tail, every window would seem to hold too many unknown ones. So where there is a tail, a random half of the rows
    chooses the categories and the other half counts them.

    Returns
    -------
    ``categories`` {text: rows}, most frequent first; ``other`` rows; ``also``, names of known categories among the
    others, or None when they are too many to list; ``rows`` that were counted and ``missing`` among them; ``distinct``
    categories in all.
    """
    whole = Counter(values.tolist())
    whole.pop(MISSING_STRING, None)
    distinct = len(whole)
    chooses = counts = values
    if distinct > MOST_CATEGORIES or min(whole.values(), default=_COMMON) < _COMMON:
        order = np.random.default_rng(0).permutation(len(values))
        chooses, counts = values[order[: len(values) // 2]], values[order[len(values) // 2 :]]
    listed: list[str] = []
    used = 0
    ranked = Counter(chooses.tolist())
    ranked.pop(MISSING_STRING, None)
    for text, _ in sorted(ranked.items(), key=lambda item: (-item[1], item[0])):
        used += 2 * len(text.encode("utf-8", "surrogatepass")) + 12
        if len(listed) >= MOST_CATEGORIES or used > budget:
            break
        if len(text) <= LONGEST_CATEGORY:
            listed.append(text)
    found = Counter(counts.tolist())
    missing = found.pop(MISSING_STRING, 0)
    kept = {text: found.pop(text, 0) for text in listed}
    rest = sorted(whole.keys() - kept.keys())
    used += sum(2 * len(text.encode("utf-8", "surrogatepass")) + 6 for text in rest)
    return {
        "categories": kept,
        "other": sum(found.values()),
        "also": rest if used <= budget else None,
        "distinct": distinct,
        "missing": missing,
        "rows": len(counts),
    }


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
    known = values[values != MISSING_TIME]
    return {
        "missing": len(values) - len(known),
        "rows": len(values),
        "low": int(known.min()) if len(known) else None,
        "high": int(known.max()) if len(known) else None,
    }


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


def _single(values: NDArray[Any]) -> Floats:
    single: Floats = np.clip(values, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
    return single


def _short(value: float) -> float:
    return float(f"{value:.7g}")
