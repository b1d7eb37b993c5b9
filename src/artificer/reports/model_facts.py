"""What a run's report says of the model: candidates, metrics, calibration, errors, importance, each with its chart."""

from __future__ import annotations

from typing import Any

from artificer.reports import charts
from artificer.reports.facts import long_table, pair, title_of
from artificer.reports.numbers import ABSENT, count, estimate, labels, number, p_value, plain, real, seconds, share
from artificer.types import Json

IN_CHART = 20
"""Bars in a chart; the table beside it holds the rest."""
_WIDEST_TABLE = 12
"""Classes of a confusion matrix that fit as a table."""
_CONFUSIONS = 20
_NAME = 30


def leaderboard(document: Json) -> Json | None:
    """The candidates, best first, and the chart of those that have a score or a chance."""
    rows = list(document.get("leaderboard") or ())
    if not rows:
        return None
    metric = title_of(document.get("metric"))
    scored = [row for row in rows if real(row.get("score")) is not None]
    chosen = [row for row in scored if real(row.get("weight"))]
    return {
        "metric": metric,
        "total": count(len(rows)),
        "scored": count(len(scored)),
        "ensemble": number(document.get("ensemble_score"), 4),
        "options": [_option(row) for row in document.get("options") or ()],
        "members": [{"name": plain(row.get("name"), 60), "weight": share(row.get("weight"))} for row in chosen],
        "rows": long_table([_candidate(row) for row in rows]),
        "chart": _leaderboard_chart(scored, metric),
        "intervals": any(real(pair(row.get("interval"))[0]) is not None for row in scored),
        "charted": count(min(sum(row.get("algorithm") != "constant" for row in scored), IN_CHART)),
        "constant": next((number(row["score"]) for row in scored if row.get("algorithm") == "constant"), None),
    }


def _option(row: Json) -> Json:
    return {
        "members": ", ".join(plain(name, _NAME) for name in row.get("members") or ()),
        "models": count(row.get("models")),
        "score": number(row.get("score"), 4),
        "row": number(row.get("row_us"), 3),
        "mb": number(row.get("mb"), 3),
        "chosen": "yes" if row.get("chosen") else "",
    }


def _candidate(row: Json) -> Json:
    value, interval = estimate(row.get("score"), *pair(row.get("interval")))
    params = row.get("params") or {}
    return {
        "name": plain(row.get("name"), 60),
        "params": ", ".join(f"{plain(key)} {_param(value)}" for key, value in params.items()),
        "score": number(row.get("score"), 4) if not interval else value,
        "interval": interval,
        "success": share(row.get("success_probability")),
        "weight": share(row.get("weight")) if real(row.get("weight")) else "",
        "fit": seconds(row.get("fit_seconds")) if row.get("folds") else ABSENT,
        "folds": count(row.get("folds")),
        "status": plain(row.get("status") or ""),
        "tone": {"finished": "good", "failed": "bad"}.get(str(row.get("status")), "plain"),
        "reason": plain(row["reason"]) if row.get("reason") else "",
    }


def _param(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else plain(value, 60)


def _leaderboard_chart(scored: list[Json], metric: str) -> Any:
    # The constant baseline lies so far off that on one scale with it the others would be one dot.
    shown = [row for row in scored if row.get("algorithm") != "constant"][:IN_CHART]
    if len(shown) < 2:
        return None
    drawn = []
    for row, label in zip(shown, labels([str(row.get("name")) for row in shown], _NAME), strict=True):
        low, high = pair(row.get("interval"))
        chance = real(row.get("success_probability")) or 0.0
        drawn.append(
            {
                "name": label,
                "score": real(row.get("score")),
                "low": real(low),
                "high": real(high),
                "success": chance,
                "shown": share(chance),
                "used": "yes" if real(row.get("weight")) else "no",
            }
        )
    label = (
        f"Cross-validated {metric} and success probability of the {len(drawn)} best candidates; numbers in the table."
    )
    return charts.draw(charts.leaderboard(drawn, metric), label)


def metrics(document: Json) -> Json | None:
    """Every metric with its interval, the constant baseline's, and the difference on the same rows."""
    found = [item for item in (document.get("evaluation") or {}).get("metrics") or () if item.get("score")]
    if not found:
        return None
    rows, drawn = [], []
    for item in found:
        score, baseline, gain = item["score"], item.get("baseline") or {}, item.get("advantage") or {}
        value, interval = estimate(score.get("value"), score.get("low"), score.get("high"))
        ahead, ahead_interval = estimate(gain.get("value"), gain.get("low"), gain.get("high"))
        rows.append(
            {
                "name": title_of(item.get("name")),
                "direction": "higher" if item.get("greater_is_better") else "lower",
                "value": value,
                "interval": interval,
                "baseline": _beside(baseline.get("value"), score.get("value")),
                "advantage": ahead,
                "advantage_interval": ahead_interval,
                "p": p_value(gain.get("p")),
                "method": plain(score.get("method") or ""),
            }
        )
        if real(score.get("value")) is not None:
            arrow = "↑" if item.get("greater_is_better") else "↓"
            drawn.append(
                {"name": f"{title_of(item.get('name'))} {arrow}", "baseline": real(baseline.get("value"))}
                | {to: real(score.get(key)) for to, key in (("score", "value"), ("low", "low"), ("high", "high"))}
            )
    label = "Each metric with its 95 % interval and the constant baseline; the table has the numbers."
    evaluation = document["evaluation"]
    return {
        "rows": rows,
        "chart": charts.draw(charts.metrics(drawn[:12]), label) if drawn else None,
        "test_rows": count(evaluation.get("rows")),
        "ordered": bool(evaluation.get("time_ordered")),
        "baselined": any(row["baseline"] is not None for row in drawn),
    }


def _beside(baseline: Any, score: Any) -> str:
    """A baseline that rounding errors keep from zero is zero, as the baseline of R² is."""
    x, y = real(baseline), real(score)
    return "0" if x is not None and y is not None and abs(x) < 1e-4 * abs(y) else number(x)


def coverage(document: Json) -> Json | None:
    """What intervals or sets were promised to cover, and what they covered of the test rows."""
    found = (document.get("evaluation") or {}).get("coverage")
    if not found:
        return None
    is_value = document.get("task") == "regression"
    return {
        "of": "intervals" if is_value else "sets of classes",
        "size": "Mean width" if is_value else "Mean size",
        "rows": [
            {
                "promised": share(item.get("promised")),
                "measured": share(item.get("measured")),
                "interval": f"{share(item.get('low'))} to {share(item.get('high'))}",
                "size": "endless" if real(item.get("size")) is None else number(item.get("size")),
            }
            for item in found
        ],
    }


def calibration(document: Json) -> Json | None:
    """How far stated probabilities agree with what happened."""
    found = (document.get("evaluation") or {}).get("calibration")
    if not found or not found.get("bins"):
        return None
    value, interval = estimate(found.get("ece"), found.get("ece_low"), found.get("ece_high"))
    p = real(found.get("p"))
    keys = ("stated", "observed", "low", "high")
    drawn = [{key: real(item.get(key)) for key in keys} for item in found["bins"]]
    drawn = [item for item in drawn if item["stated"] is not None and item["observed"] is not None]
    return {
        "of": "the positive class" if found.get("of") == "positive" else "the class it predicts",
        "ece": share(found.get("ece")),
        "interval": f"{share(found.get('ece_low'))} to {share(found.get('ece_high'))}" if interval else "",
        "expected": share(found.get("ece_if_calibrated")),
        "p": p_value(p),
        "miscalibrated": p is not None and p < 0.01,
        "known": p is not None,
        "rows": [
            {
                "rows": count(item.get("rows")),
                "stated": share(item.get("stated")),
                "observed": share(item.get("observed")),
                "interval": f"{share(item.get('low'))} to {share(item.get('high'))}",
            }
            for item in found["bins"]
        ],
        "chart": charts.draw(charts.reliability(drawn), f"Reliability diagram: calibration error {value}.")
        if drawn
        else None,
    }


def residuals(document: Json) -> Json | None:
    """How large a regression's errors are, and whether they lean to one side."""
    found = (document.get("evaluation") or {}).get("residuals")
    if not found:
        return None
    target = plain(document.get("target"), 40)
    mean, interval = estimate(found.get("mean"), found.get("mean_low"), found.get("mean_high"))
    low, high = real(found.get("mean_low")), real(found.get("mean_high"))
    quantiles = {round(float(level), 4): value for level, value in found.get("quantiles") or ()}
    known = {key: real(quantiles.get(level)) for key, level in _BOX.items()}
    tenths = [(real(a), real(b), n) for a, b, n in found.get("by_prediction") or ()]
    drawn = [{"predicted": a, "residual": b} for a, b, _ in tenths if a is not None and b is not None]
    # One prediction for all rows has tenths, but nothing to draw a line over.
    varied = len({item["predicted"] for item in drawn}) > 1
    box_label = "Half of the errors lie in the box, nine in ten between the whiskers' ends."
    return {
        "target": target,
        "mean": mean,
        "interval": interval,
        "leans": low is not None and high is not None and (low > 0 or high < 0),
        "stdev": number(found.get("stdev")),
        "quantiles": [{"level": share(level), "value": number(value)} for level, value in sorted(quantiles.items())],
        "half": f"{number(known['q25'])} and {number(known['q75'])}",
        "most": f"{number(known['low'])} and {number(known['high'])}",
        "rows": [{"predicted": number(a), "residual": number(b), "rows": count(n)} for a, b, n in tenths],
        "box": None if None in known.values() else charts.draw(charts.spread(known), box_label),
        "chart": charts.draw(charts.bias(drawn, target), "Mean error over the mean prediction.") if varied else None,
    }


_BOX = {"low": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "high": 0.95}


def confusion(document: Json) -> Json | None:
    """Which classes are taken for which: a table while it fits, else a map and the most frequent mistakes."""
    found = (document.get("evaluation") or {}).get("confusion")
    if not found:
        return None
    classes = [plain(name, 60) for name in found.get("classes") or ()]
    table = found.get("table")
    return {
        "classes": classes,
        "count": count(len(classes)),
        "table": _matrix(table, classes) if table and len(classes) <= _WIDEST_TABLE else None,
        "chart": _heat(table, classes) if table and len(classes) > _WIDEST_TABLE else None,
        "mistakes": _mistakes(table, classes) if table and len(classes) > 2 else [],
        "by_class": long_table([_class(item) for item in found.get("by_class") or ()]),
        "omitted": len(classes) - len(found.get("by_class") or ()),
    }


def _matrix(table: list[list[int]], classes: list[str]) -> list[Json]:
    rows = []
    for index, (name, row) in enumerate(zip(classes, table, strict=True)):
        total = sum(row)
        cells = [
            {
                "rows": count(n),
                "share": share(n / total) if n else "",
                "depth": round(n / total, 3) if total else 0.0,
            }
            | {"hit": index == column}
            for column, n in enumerate(row)
        ]
        rows.append({"name": name, "total": count(total), "cells": cells})
    return rows


def _heat(table: list[list[int]], classes: list[str]) -> Any:
    names = labels(classes, 24)
    cells = [
        {"true": names[i], "predicted": names[j], "share": round(n / max(sum(row), 1), 4)}
        for i, row in enumerate(table)
        for j, n in enumerate(row)
        if n
    ]
    if not cells:
        return None
    return charts.draw(
        charts.heat(cells, names), f"Confusion matrix of {len(classes)} classes, a row for each true class."
    )


def _mistakes(table: list[list[int]], classes: list[str]) -> list[Json]:
    wrong = [(n, i, j) for i, row in enumerate(table) for j, n in enumerate(row) if n and i != j]
    wrong.sort(key=lambda item: (-item[0], item[1], item[2]))
    return [
        {"true": classes[i], "predicted": classes[j], "rows": count(n), "share": share(n / max(sum(table[i]), 1))}
        for n, i, j in wrong[:_CONFUSIONS]
    ]


def _class(item: Json) -> Json:
    def ends(key: str) -> str:
        low, high = pair(item.get(key))
        return f"{share(low)} to {share(high)}" if real(low) is not None else ""

    return {
        "name": plain(item.get("name"), 60),
        "rows": count(item.get("rows")),
        "predicted": count(item.get("predicted")),
        "precision": share(item.get("precision")),
        "precision_interval": ends("precision_interval") if item.get("precision") is not None else "",
        "recall": share(item.get("recall")),
        "recall_interval": ends("recall_interval") if item.get("recall") is not None else "",
        "f1": number(item.get("f1")),
    }


def importance(document: Json) -> Json | None:
    """What the model loses without each column, most first."""
    known = [item for item in document.get("importance") or () if real(item.get("value")) is not None]
    if not known:
        return None
    known.sort(key=lambda item: -item["value"])
    metric = title_of(document.get("metric"))
    rows = []
    for item in known:
        value, interval = estimate(item["value"], item.get("low"), item.get("high"))
        low = real(item.get("low"))
        rows.append(
            {"name": plain(item.get("column"), 80), "value": value, "interval": interval}
            | {"sure": low is not None and low > 0}
        )
    shown = [item for item in known[:IN_CHART] if item["value"] or real(item.get("high"))]
    names = labels([str(item.get("column")) for item in shown], _NAME)
    drawn = [
        {"name": name, "value": item["value"]}
        | {end: item["value"] if real(item.get(end)) is None else item[end] for end in ("low", "high")}
        for name, item in zip(names, shown, strict=True)
    ]
    label = f"How much worse {metric} gets when a column is shuffled: {len(drawn)} of {len(known)} columns."
    return {
        "metric": metric,
        "rows": long_table(rows),
        "total": count(len(known)),
        "charted": count(len(drawn)),
        "sure": count(sum(row["sure"] for row in rows)),
        "chart": charts.draw(charts.importance(drawn, metric), label) if drawn else None,
    }
