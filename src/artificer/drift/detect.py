"""Has anything drifted? Every column of a window against the reference, with one false-alarm rate over all of them.

A column counts as drifted when two things hold. The change is significant: its p-value, adjusted by Holm over all
columns, is at most alpha, so that a window without any change raises an alarm with probability alpha at most, however
many columns there are. And it is large: its population stability index reaches `min_effect`, so that a million rows do
not raise an alarm about a trifle. Both are reported for every column.

Each kind of column has a fixed set of tests, and the column's p-value is the smallest times their number (Bonferroni):

==========  =====================================================================================
numbers     chi-square over the bins and missing; rank sum; excess of missing cells
categories  chi-square over categories, others, missing; excess of others; excess of missing
times       chi-square and excess of missing cells alone: times move on by themselves
==========  =====================================================================================

The rate holds for rows that are independent draws. A window that is a part of a cycle (a night, a weekend) differs from
a reference of whole weeks because it is different, and is reported as such.

References
----------
.. [1] Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6,
   65-70.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.drift.base import BatchDetector
from artificer.drift.chi_square import ChiSquare
from artificer.drift.excess import Excess
from artificer.drift.mann_whitney import MannWhitney
from artificer.drift.psi import PopulationStability
from artificer.drift.reference import (
    category_counts,
    check_schema,
    score_columns,
    target_values,
    token_counts,
)
from artificer.errors import DataError
from artificer.profile.bins import bin_counts
from artificer.types import MISSING_TIME, Blocks, Doubles, Json, Kind, Task

SCHEMA = "artificer.drift/1"

ALPHA = 0.01
MIN_ROWS = 50
MIN_EFFECT = 0.1


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """What is known of one column.

    Attributes
    ----------
    part : "input", "score" or "target".
    test : the test that gave the smallest p-value.
    p : of the column alone, over its tests. adjusted_p : over all columns (Holm).
    effect : population stability index, corrected for chance.
    missing_before, missing_now : shares.
    significant, large, drifted : drifted is both.
    sentence : what happened, for a person.
    """

    name: str
    part: str
    kind: Kind
    test: str
    statistic: float
    p: float
    adjusted_p: float
    effect: float
    missing_before: float
    missing_now: float
    new_categories: tuple[str, ...]
    significant: bool
    large: bool
    drifted: bool
    sentence: str

    def to_json(self) -> Json:
        return {**asdict(self), "kind": self.kind.value, "new_categories": list(self.new_categories)}


@dataclass(frozen=True, slots=True)
class DriftReport:
    """A window against the reference. ``verdict`` is "drifted", "stable" or "too few rows"."""

    rows: int
    verdict: str
    alpha: float
    min_effect: float
    min_rows: int
    columns: tuple[ColumnDrift, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of what drifted, the largest effect first."""
        found = sorted((column for column in self.columns if column.drifted), key=lambda column: -column.effect)
        return tuple(column.name for column in found)

    def to_json(self) -> Json:
        return {
            "schema": SCHEMA,
            "rows": self.rows,
            "verdict": self.verdict,
            "alpha": self.alpha,
            "min_effect": self.min_effect,
            "min_rows": self.min_rows,
            "drifted": list(self.drifted),
            "columns": [column.to_json() for column in self.columns],
        }


@dataclass(frozen=True, slots=True)
class _Finding:
    name: str
    part: str
    kind: Kind
    test: str
    statistic: float
    p: float
    effect: float
    missing_before: float
    missing_now: float
    new: dict[str, int]
    change: str
    rows: int


def detect_drift(
    reference: Json,
    blocks: Blocks,
    scores: NDArray[Any] | None = None,
    *,
    task: Task,
    classes: Sequence[str] = (),
    y: NDArray[Any] | None = None,
    alpha: float = ALPHA,
    min_effect: float = MIN_EFFECT,
    min_rows: int = MIN_ROWS,
) -> DriftReport:
    """Compare a window with the reference.

    Parameters
    ----------
    reference : of `artificer.drift.reference.summarise`.
    blocks : the window's rows, columns as in the reference.
    scores : (n, c), the model's scores of these rows.
    y : (m,), outcomes that are known, if the target is to be compared too.
    alpha : probability of any false alarm in a window without change.
    min_effect : smallest population stability index that counts.
    min_rows : a smaller window is not judged.

    Raises
    ------
    DataError
        The window does not have the reference's columns.
    BundleFormatError
        The reference is of another schema.

    Examples
    --------
    >>> from artificer.drift.reference import summarise
    >>> rng = np.random.default_rng(0)
    >>> def rows(n, mean):
    ...     return Blocks(rng.normal(mean, 1, (n, 1)).astype("f"), np.zeros((n, 0), object), np.zeros((n, 0), "i8"))
    >>> reference = summarise(rows(5000, 0), {Kind.NUMBERS: ["x"]}, task=Task.REGRESSION)
    >>> detect_drift(reference, rows(500, 0), task=Task.REGRESSION).drifted
    ()
    >>> detect_drift(reference, rows(500, 1), task=Task.REGRESSION).drifted
    ('x',)
    """
    check_schema(reference)
    if len(blocks) < min_rows:
        return DriftReport(len(blocks), "too few rows", alpha, min_effect, min_rows, ())
    findings = _inputs(reference, blocks)
    if scores is not None and reference["scores"]:
        wanted = {summary["name"]: summary for summary in reference["scores"]}
        for name, _, values in score_columns(np.asarray(scores), task, classes, int(reference.get("positive", 1))):
            if name in wanted:
                findings.append(_compare(wanted[name], values, "score"))
    if y is not None and reference["target"] and len(y) >= min_rows:
        findings.append(_compare(reference["target"], target_values(y, task, classes), "target"))
    adjusted = holm([finding.p for finding in findings])
    columns = tuple(_judge(finding, p, alpha, min_effect) for finding, p in zip(findings, adjusted, strict=True))
    verdict = "drifted" if any(column.drifted for column in columns) else "stable"
    return DriftReport(len(blocks), verdict, alpha, min_effect, min_rows, columns)


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values so that comparing each with alpha keeps the family-wise error at alpha.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    adjusted = [1.0] * len(order)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * float(p[index])))
        adjusted[index] = largest
    return adjusted


def _inputs(reference: Json, blocks: Blocks) -> list[_Finding]:
    findings = []
    for kind in Kind:
        block = blocks.of(kind)
        summaries = [summary for summary in reference["columns"] if summary["kind"] == kind.value]
        if kind is Kind.TEXTS and not summaries:
            continue  # summarised before texts fed models
        if len(summaries) != block.shape[1]:
            raise DataError(
                f"The window has {block.shape[1]} columns of {kind.value} and the reference {len(summaries)}; "
                "read it with the contract of the same bundle."
            )
        findings += [
            _compare(summary, block[:, index], "input")
            for index, summary in enumerate(summaries)
            if not summary["moving"]
        ]
    return findings


def _compare(summary: Json, values: NDArray[Any], part: str) -> _Finding:
    kind = Kind(summary["kind"])
    missing_before = float(summary["missing"])
    rows_before, rows_now = float(summary["rows"]), float(len(values))
    new: dict[str, int] = {}
    tests: list[tuple[BatchDetector, Doubles, Doubles]] = []
    change = ""
    if kind is Kind.TEXTS:
        values = token_counts(values)
    if kind in (Kind.NUMBERS, Kind.TEXTS):
        before = np.array(summary["counts"], dtype=np.float64)
        now = bin_counts(values, summary["edges"])
        missing_now = rows_now - now.sum()
        tests.append((MannWhitney(), before, now))
        change = ("of its tokens, " if kind is Kind.TEXTS else "") + _number_change(summary, values)
    elif kind is Kind.STRINGS:
        known, other, missing_now, new = category_counts(values, summary)
        listed = np.array(list(summary["categories"].values()), dtype=np.float64)
        before, now = np.append(listed, float(summary["other"])), np.append(known, other)
        tests.append((Excess(), _two(before), _two(now)))
        change = _category_change(summary, listed, before.sum(), known, now.sum(), new)
    else:
        missing_now = float((values == MISSING_TIME).sum())
        before = np.array([rows_before - missing_before])
        now = np.array([rows_now - missing_now])
    before, now = np.append(before, missing_before), np.append(now, missing_now)
    tests += [(ChiSquare(), before, now), (Excess(), _two(before), _two(now))]
    found = [(detector.compare(old, new), detector.name) for detector, old, new in tests]
    best, name = min(found, key=lambda item: item[0].p)
    share_before, share_now = missing_before / max(rows_before, 1.0), float(missing_now) / max(rows_now, 1.0)
    if abs(share_now - share_before) >= 0.01 or not change:
        change = f"{share_before:.1%} missing cells became {share_now:.1%}" + (f"; {change}" if change else "")
    return _Finding(
        summary["name"],
        part,
        kind,
        name,
        best.statistic,
        min(1.0, best.p * len(tests)),
        PopulationStability().compare(before, now).effect,
        share_before,
        share_now,
        new,
        change,
        len(values),
    )


def _two(counts: Doubles) -> Doubles:
    """Counts of everything before the last bin, and of the last bin."""
    return np.array([counts[:-1].sum(), counts[-1]])


def _number_change(summary: Json, values: NDArray[Any]) -> str:
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known) or summary["mean"] is None:
        return ""
    return (
        f"the mean went from {summary['mean']:.4g} to {known.mean():.4g} "
        f"and the standard deviation from {summary['stdev']:.4g} to {known.std():.4g}"
    )


def _category_change(
    summary: Json, listed: Doubles, before: float, known: Doubles, now: float, new: dict[str, int]
) -> str:
    if not len(listed) or not now or not before:
        return ""
    difference = known / now - listed / before
    index = int(np.argmax(np.abs(difference)))
    text = list(summary["categories"])[index]
    change = f'"{text}" went from {listed[index] / before:.1%} to {known[index] / now:.1%} of the rows'
    if new:
        first = next(iter(new))
        more = f" and {len(new) - 1} others" if len(new) > 1 else ""
        change += f'; "{first}"{more} are new' if more else f'; "{first}" is new'
    return change


def _judge(finding: _Finding, adjusted: float, alpha: float, min_effect: float) -> ColumnDrift:
    significant, large = adjusted <= alpha, finding.effect >= min_effect
    subject = {"input": f'Column "{finding.name}"', "score": f"The {finding.name}", "target": "The target"}[
        finding.part
    ]
    numbers = f"index {finding.effect:.2f}, adjusted p {_p_text(adjusted)}"
    if significant and large:
        sentence = f"{subject} has drifted: {finding.change} ({numbers})."
    elif significant:
        sentence = f"{subject} has changed a little, too little to matter: {finding.change} ({numbers})."
    else:
        sentence = f"{subject} is as in training as far as {finding.rows:,} rows can tell ({numbers})."
    return ColumnDrift(
        finding.name,
        finding.part,
        finding.kind,
        finding.test,
        finding.statistic,
        finding.p,
        adjusted,
        finding.effect,
        finding.missing_before,
        finding.missing_now,
        tuple(finding.new),
        significant,
        large,
        significant and large,
        sentence,
    )


def _p_text(p: float) -> str:
    return "below 1e-6" if p < 1e-6 else f"{p:.2g}" if math.isfinite(p) else "unknown"
