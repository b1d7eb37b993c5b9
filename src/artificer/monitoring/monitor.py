"""One look at production: the journal's window against what the bundle knows of training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from artificer.drift.detect import MIN_EFFECT, DriftReport, detect_drift
from artificer.drift.reference import category_counts
from artificer.evaluation.intervals import Interval, finite
from artificer.metrics.base import metric
from artificer.monitoring.performance import Performance, compare_with_promise, trend
from artificer.monitoring.window import Window, read_window
from artificer.problem.places import Place
from artificer.tables.contract import Contract
from artificer.types import Json, Kind

SCHEMA = "artificer.monitoring/1"


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How closely is looked.

    Attributes
    ----------
    alpha : probability of any false drift alarm in one look; and, apart from that, of ever calling a model worse that
        is as good as promised, at any look while a window fills.
    min_rows : fewer rows (or outcomes) are not judged.
    min_effect : smallest population stability index that counts as drift.
    delay : seconds in which outcomes usually arrive; younger predictions are left out of performance, because outcomes
        that come early may be special.
    max_rows : the newest so many predictions of the window are looked at.
    """

    alpha: float = 0.01
    min_rows: int = 200
    min_effect: float = MIN_EFFECT
    delay: float = 0.0
    max_rows: int = 100_000


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that wants attention: "drift", "performance", "contract" or "outcomes", with its evidence."""

    kind: str
    subject: str
    sentence: str
    evidence: Json

    def to_json(self) -> Json:
        return {"kind": self.kind, "subject": self.subject, "sentence": self.sentence, "evidence": self.evidence}


@dataclass(frozen=True, slots=True)
class MonitoringReport:
    """What one look at production found.

    Attributes
    ----------
    since, until : the window, seconds since 1970; infinite where it is open.
    counts : predictions looked at, of them labelled, old enough to be labelled, kept aside, by version, and so on.
    unseen : for each category column, rows with categories that training did not know.
    kept_aside : contract violations by column and rule.
    """

    version: str | None
    since: float
    until: float
    counts: Json
    drift: DriftReport
    performance: Performance | None
    trend: tuple[Json, ...]
    unseen: tuple[Json, ...]
    kept_aside: tuple[Json, ...]
    alarms: tuple[Alarm, ...]
    summary: tuple[str, ...]

    def to_json(self) -> Json:
        """JSON-ready form, schema ``artificer.monitoring/1``; times are seconds since 1970 and ISO 8601."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "since": finite(self.since),
            "until": finite(self.until),
            "since_utc": _moment(self.since),
            "until_utc": _moment(self.until),
            "counts": self.counts,
            "drifted": list(self.drift.drifted),
            "drift": self.drift.to_json(),
            "performance": self.performance.to_json() if self.performance else None,
            "trend": list(self.trend),
            "unseen": list(self.unseen),
            "kept_aside": list(self.kept_aside),
            "alarms": [alarm.to_json() for alarm in self.alarms],
            "summary": list(self.summary),
        }


def monitor(
    journal: Place,
    contract: Contract,
    reference: Json,
    metrics: Json,
    *,
    since: float = -math.inf,
    until: float = math.inf,
    version: str | None = None,
    settings: MonitorSettings | None = None,
) -> MonitoringReport:
    """Look at the predictions of a window and at the outcomes they have got.

    Parameters
    ----------
    journal : its file; one that does not exist yet counts as empty.
    contract, reference, metrics : of the bundle that answered. `metrics` holds the evaluation under ``evaluation``.
    since, until : seconds since 1970, the window of the predictions.
    version : only rows that this version answered; those of others are counted.

    Raises
    ------
    JournalError
        The journal cannot be read.
    BundleFormatError
        The reference is of a newer schema.
    """
    settings = settings or MonitorSettings()
    window = read_window(journal, contract, since, until, version, settings.max_rows)
    positive = contract.classes.index(contract.positive) if contract.positive in contract.classes else 1
    evaluation: Json = metrics.get("evaluation") or {}
    matured = window.at <= until - settings.delay
    labelled = window.labelled[matured[window.labelled]]
    y = window.y[matured[window.labelled]]
    drift = detect_drift(
        reference,
        window.blocks,
        window.scores if len(window) else None,
        task=contract.task,
        classes=contract.classes,
        y=y if len(y) >= settings.min_rows else None,
        alpha=settings.alpha,
        min_effect=settings.min_effect,
        min_rows=settings.min_rows,
    )
    performance, course = _performance(window, labelled, y, contract, evaluation, positive, settings)
    unseen = _unseen(reference, window)
    counts: Json = {
        "predictions": len(window) + window.rows_kept_aside,
        "compared": len(window),
        "kept_aside": window.rows_kept_aside,
        "matured": int(matured.sum()),
        "labelled": len(window.labelled),
        "labelled_share": len(labelled) / int(matured.sum()) if matured.any() else None,
        "outcomes_not_understood": window.not_understood,
        "by_version": window.by_version,
        "damaged": window.damaged,
        "first_at": float(window.at[0]) if len(window) else None,
        "last_at": float(window.at[-1]) if len(window) else None,
        "limit_reached": sum(window.by_version.values()) >= settings.max_rows,
    }
    alarms = _alarms(drift, performance, window)
    summary = _summary(counts, drift, performance)
    return MonitoringReport(
        version, since, until, counts, drift, performance, course, unseen, window.kept_aside, alarms, summary
    )


def _performance(
    window: Window,
    labelled: Any,
    y: Any,
    contract: Contract,
    evaluation: Json,
    positive: int,
    settings: MonitorSettings,
) -> tuple[Performance | None, tuple[Json, ...]]:
    if not evaluation.get("metrics"):
        return None, ()
    promise = evaluation["metrics"][0]
    measured_by = metric(promise["name"], positive, contract.levels)
    scores, at = window.scores[labelled], window.at[labelled]
    found = compare_with_promise(
        measured_by,
        Interval.from_json(promise["score"]),
        y,
        scores,
        at,
        alpha=settings.alpha,
        min_rows=settings.min_rows,
        time_ordered=bool(evaluation.get("time_ordered")),
    )
    return found, trend(measured_by, contract.task, y, scores, at)


def _unseen(reference: Json, window: Window) -> tuple[Json, ...]:
    summaries = [summary for summary in reference["columns"] if summary["kind"] == Kind.STRINGS.value]
    found = []
    for index, summary in enumerate(summaries):
        *_, new = category_counts(window.blocks.strings[:, index], summary)
        if new:
            rows = sum(new.values())
            found.append(
                {
                    "column": summary["name"],
                    "rows": rows,
                    "share": rows / len(window),
                    "examples": {text[:100]: count for text, count in list(new.items())[:5]},
                }
            )
    return tuple(found)


def _alarms(drift: DriftReport, performance: Performance | None, window: Window) -> tuple[Alarm, ...]:
    alarms = []
    if performance is not None and performance.worse:
        alarms.append(Alarm("performance", performance.metric, performance.sentence, performance.to_json()))
    alarms += [
        Alarm("drift", column.name, column.sentence, column.to_json())
        for column in sorted(drift.columns, key=lambda column: -column.effect)
        if column.drifted
    ]
    if window.rows_kept_aside:
        first = window.kept_aside[0] if window.kept_aside else None
        why = f'; most often column "{first["column"]}" {first["rule"]}' if first else ""
        alarms.append(
            Alarm(
                "contract",
                first["column"] if first else "scores",
                f"{window.rows_kept_aside:,} journalled rows break the contract and were kept aside{why}.",
                {"rows": window.rows_kept_aside, "violations": list(window.kept_aside)},
            )
        )
    if window.not_understood:
        alarms.append(
            Alarm(
                "outcomes",
                "outcomes",
                f"{window.not_understood:,} outcomes are no label that the model knows and were left out.",
                {"rows": window.not_understood},
            )
        )
    return tuple(alarms)


def _summary(counts: Json, drift: DriftReport, performance: Performance | None) -> tuple[str, ...]:
    share = counts["labelled_share"]
    shown = "" if share is None else f", {share:.0%} of those old enough have an outcome"
    lines = [f"{counts['predictions']:,} predictions in the window{shown}."]
    if drift.verdict == "too few rows":
        lines.append(f"{drift.rows:,} rows are too few to judge drift; {drift.min_rows:,} are needed.")
    elif drift.drifted:
        names = ", ".join(f'"{name}"' for name in drift.drifted[:5])
        more = f" and {len(drift.drifted) - 5} more" if len(drift.drifted) > 5 else ""
        lines.append(f"{len(drift.drifted)} of {len(drift.columns)} inputs and scores have drifted: {names}{more}.")
    else:
        lines.append(f"None of {len(drift.columns)} inputs and scores has drifted.")
    if performance is not None:
        lines.append(performance.sentence[:1].upper() + performance.sentence[1:])
    return tuple(lines)


def _moment(at: float) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat() if np.isfinite(at) else None
