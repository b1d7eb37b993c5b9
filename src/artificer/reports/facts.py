"""What a run's report says, section by section: the document in, texts and rows for the template out.

Nothing is computed here beyond rounding, sorting, cutting long lists and choosing words. Every key of the document may
be absent or null: a section without content is None, and the template leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from artificer.reports.numbers import ABSENT, count, estimate, moment, number, plain, real, seconds, share
from artificer.types import Json

SHOWN = 25
"""Rows of a long table that are seen at once; further ones fold away."""
MOST = 300
"""Rows of a table that are in the file at all; further ones are only counted."""

_TITLES = {
    "roc_auc": "ROC AUC",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
    "rmsle": "RMSLE",
    "mape": "MAPE",
    "f1": "F1",
    "f1_macro": "F1 (macro)",
    "brier": "Brier score",
}
_TASKS = {
    "binary": "Binary classification",
    "multiclass": "Classification",
    "regression": "Regression",
    "quantile": "Quantile regression",
}
_VERDICTS = {"PASS": "good", "FAIL": "bad", "UNDECIDABLE": "unsure"}
_ROLES = ("target", "numeric", "categorical", "boolean", "datetime", "group", "text", "id", "constant", "ignored")
_FEEDING = frozenset({"numeric", "categorical", "boolean", "datetime"})
_SEVERITIES = {"error": ("bad", 0), "warning": ("unsure", 1), "info": ("plain", 2)}


def title_of(metric: Any) -> str:
    """A metric's name as prose.

    >>> title_of("roc_auc"), title_of("log_loss")
    ('ROC AUC', 'log loss')
    """
    return _TITLES.get(str(metric), str(metric or "score").replace("_", " "))


def long_table(rows: Sequence[Any]) -> Json:
    """Rows to show, rows to fold away, and how many are left out.

    >>> found = long_table(range(400))
    >>> len(found["shown"]), len(found["folded"]), found["omitted"], found["total"]
    (25, 275, 100, 400)
    """
    # A fold for two or three rows would be sillier than the rows.
    cut = SHOWN if len(rows) > SHOWN + 3 else len(rows)
    return {
        "shown": list(rows[:cut]),
        "folded": list(rows[cut:MOST]),
        "omitted": max(len(rows) - MOST, 0),
        "total": len(rows),
    }


def headline(document: Json) -> Json:
    """The task, the score against the baseline, the verdict, and what became of the model."""
    rows, metric = document.get("rows") or {}, title_of(document.get("metric"))
    low, high = pair(document.get("interval"))
    value, interval = estimate(document.get("score"), low, high)
    baseline = number(document.get("baseline_score"), max(len(value.lstrip("-0.").replace(".", "")), 3))
    task = str(document.get("task") or "")
    positive = document.get("positive")
    return {
        "name": plain(document.get("name") or document.get("target")),
        "run": plain(document.get("id") or ABSENT),
        "created": moment(document.get("created")),
        "task": _TASKS.get(task, plain(task)) + (f": {plain(positive, 60)} or not" if positive else ""),
        "target": plain(document.get("target")),
        "metric": metric,
        "begins": metric[:1].upper() + metric[1:],
        "direction": "higher is better" if document.get("greater_is_better") else "lower is better",
        "score": value,
        "interval": interval,
        "baseline": baseline if real(document.get("baseline_score")) is not None else None,
        "test_rows": count(rows.get("test")),
        "train_rows": count(rows.get("train")),
        "seconds": seconds(document.get("seconds")),
        "budget": plain(document.get("budget") or ABSENT),
        "ordered": bool((document.get("evaluation") or {}).get("time_ordered")),
    }


def verdict(document: Json) -> Json:
    """The gate's answer on each requirement, and the promotion's."""
    requirements = [
        {
            "name": plain(item.get("name")).replace("_", " "),
            "verdict": str(item.get("verdict")),
            "tone": _VERDICTS.get(str(item.get("verdict")), "unsure"),
            "sentence": plain(item.get("sentence") or item.get("reason") or ""),
            "needed": count(item["rows_needed"]) if item.get("rows_needed") else None,
        }
        for item in document.get("requirements") or ()
    ]
    gate = str(document.get("gate") or "UNDECIDABLE")
    return {
        "gate": gate,
        "tone": _VERDICTS.get(gate, "unsure"),
        "reason": plain(document.get("gate_reason") or ""),
        "requirements": requirements,
        "version": document.get("version"),
        "promotion": _promotion(document),
    }


def _promotion(document: Json) -> Json:
    version, made = document.get("version"), document.get("promotion") or {}
    promoted = bool(document.get("promoted"))
    reason = plain(made["reason"]) if made.get("reason") else None
    if version is None:
        return {"state": "Not registered", "tone": "plain", "reason": reason, "comparison": None}
    compared = (made.get("evidence") or {}).get("comparison") or {}
    comparison = None
    if real(compared.get("difference")) is not None:
        value, interval = estimate(compared.get("difference"), compared.get("low"), compared.get("high"))
        comparison = {
            "champion": plain(compared.get("champion", made.get("champion", ABSENT))),
            "new": number(compared.get("score_a"), 4),
            "old": number(compared.get("score_b"), 4),
            "difference": value,
            "interval": interval,
            "rows": count(compared.get("rows")),
        }
    state = "Champion" if promoted else "Not promoted"
    return {"state": state, "tone": "good" if promoted else "plain", "reason": reason, "comparison": comparison}


def data(document: Json) -> Json:
    """Where each row went, what was found in the table, what was done about it."""
    rows = document.get("rows") or {}
    fates = [
        ("training", rows.get("train"), "accent", "the search saw only these"),
        ("test", rows.get("test"), "reference", "put aside at first, used once at the end"),
        (
            "left out",
            rows.get("left_out"),
            "muted",
            "too close before the test to be trained on, or of groups on its other side",
        ),
        ("without a target", rows.get("target_missing"), "muted", "left out"),
        ("rejected", rows.get("rejected"), "bad", "lines that could not be parsed"),
    ]
    total = sum(real(number_of) or 0 for _, number_of, _, _ in fates)
    findings = sorted(
        document.get("findings") or (),
        key=lambda item: _SEVERITIES.get(str(item.get("severity")), ("", 2))[1],
    )
    source = ((document.get("lineage") or {}).get("data") or {}).get("source")
    told = split(document)
    said = set() if told is None else {*told["sentences"], told["contrast"]}
    fates = [fate for fate in fates if fate[0] != "left out" or fate[1]]
    return {
        "source": plain(source) if source else None,
        "total": count(total),
        "fates": [
            {"name": name, "rows": count(n), "share": share((real(n) or 0) / total) if total else ABSENT}
            | {"width": round(100 * (real(n) or 0) / total, 3) if total else 0, "colour": colour, "means": means}
            for name, n, colour, means in fates
        ],
        "rejects": plain(document["rejects"]) if document.get("rejects") else None,
        "findings": long_table([finding_row(item) for item in findings]),
        "split": told,
        "notes": [shown for note in document.get("notes") or () if (shown := plain(note)) not in said],
    }


_KINDS = {
    "random": "Rows were taken as exchangeable, so the test rows were drawn at random.",
    "group": "Groups of rows were kept together: each is on one side of the split.",
    "time": "The newest rows are the test, and every model was validated on rows newer than its own.",
    "group and time": "The newest rows are the test, and no group of rows is on both sides of the split.",
}


def split(document: Json) -> Json | None:
    """How rows were parted, why, and what a random split would have promised."""
    made = document.get("split") or {}
    if not made:
        return None
    evidence = made.get("evidence") or ()
    both = made.get("contrast") or {}
    title = title_of(both.get("metric"))
    figures = [
        {"split": name, "value": number(both.get(key), 4), "metric": title}
        for name, key in (("at random", "random"), ("as this run did", "honest"))
        if real(both.get(key)) is not None
    ]
    return {
        "kind": _KINDS.get(str(made.get("kind")), plain(made.get("kind") or ABSENT)),
        "gap": seconds(made["gap"]) if real(made.get("gap")) else None,
        "sentences": [plain(item.get("sentence") or "") for item in evidence],
        "evidence": [
            {"sentence": plain(item.get("sentence") or ""), "state": "followed" if item.get("followed") else "noted"}
            | {"tone": "good" if item.get("followed") else "plain"}
            for item in evidence
        ],
        "figures": figures if len(figures) == 2 else [],
        "contrast": plain(both["sentence"]) if both.get("sentence") else None,
    }


def finding_row(item: Json) -> Json:
    """A finding as tables show it."""
    severity = str(item.get("severity") or "info")
    return {
        "rule": plain(item.get("rule") or "").replace("_", " "),
        "column": plain(item["column"], 120) if item.get("column") is not None else None,
        "severity": severity,
        "tone": _SEVERITIES.get(severity, ("plain", 2))[0],
        "evidence": plain(item.get("evidence") or ""),
        "mend": plain(item["mend"]) if item.get("mend") else "",
        "applied": bool(item.get("applied")),
        "examples": ", ".join(plain(example, 60) for example in (item.get("examples") or ())[:3]),
        "places": ", ".join(count(row) for row in (item.get("rows") or ())[:5]),
        "rows": count(item.get("count")) if item.get("count") else "",
        "share": share(item.get("share")) if item.get("count") else "",
    }


def columns(document: Json) -> Json | None:
    """Each column's role with its reason: the target, then what feeds the model, then what was kept out."""
    found = list(document.get("columns") or ())
    if not found:
        return None
    place = {role: index for index, role in enumerate(_ROLES)}
    found.sort(key=lambda column: place.get(str(column.get("role")), len(place)))
    tally: dict[str, int] = {}
    for column in found:
        tally[str(column.get("role"))] = tally.get(str(column.get("role")), 0) + 1
    feeding = sum(n for role, n in tally.items() if role in _FEEDING)
    return {
        "feeding": count(feeding),
        "total": count(len(found)),
        "tally": [{"role": role, "columns": count(n)} for role, n in tally.items()],
        "rows": long_table(
            [
                {
                    "name": plain(column.get("name"), 120),
                    "role": str(column.get("role")),
                    "used": str(column.get("role")) in _FEEDING,
                    "dtype": plain(str(column.get("dtype") or "").partition("(")[0] or ABSENT, 40),
                    "reason": plain(column.get("reason") or ""),
                }
                for column in found
            ]
        ),
    }


def cost(document: Json) -> list[Json]:
    """What the model costs to use, as measured after training."""
    measured = document.get("measured") or {}
    known = (
        ("latency_p50_ms", "Median latency", ("ms", "µs"), "one row, in process"),
        ("latency_p99_ms", "99th percentile", ("ms", "µs"), "one row, in process"),
        ("rows_per_s", "Throughput", ("rows/s", ""), "in batches"),
        ("model_mb", "Model size", ("MB", "kB"), "the graph that is served"),
    )
    found = []
    for key, name, (unit, thousandth), means in known:
        value = real(measured.get(key))
        if value is not None:
            small = bool(thousandth) and 0 < value < 0.1
            shown = f"{1000 * value:.3g}" if small else number(value)
            found.append({"name": name, "value": shown, "unit": thousandth if small else unit, "means": means})
    return found


def stages(document: Json) -> list[Json]:
    """Seconds of each stage, in the order they ran."""
    found = [(plain(item.get("name")), real(item.get("seconds")) or 0.0) for item in document.get("stages") or ()]
    longest = max((spent for _, spent in found), default=0.0) or 1.0
    return [{"name": name, "time": seconds(spent), "width": round(100 * spent / longest, 2)} for name, spent in found]


def lineage(document: Json) -> list[Json]:
    """Everything that is recorded of the run's origin, as groups of names and texts."""
    known = dict(document.get("lineage") or {})
    groups: list[Json] = []
    run = {key: document.get(key) for key in ("id", "created", "bundle", "sha256", "budget", "schema")}
    run |= {key: value for key, value in known.items() if not isinstance(value, dict | list)}
    groups.append({"name": "run", "items": list(_flat(run))})
    for key, value in known.items():
        if isinstance(value, dict | list):
            items = list(_flat(value if isinstance(value, dict) else {key: value}))
            groups.append({"name": plain(key), "items": items[:MOST]})
    return groups


def _flat(record: Json, prefix: str = "") -> Iterable[Json]:
    for key, value in record.items():
        name = f"{prefix}{plain(key, 80)}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            texts = [plain(item, 200) for item in value[:20]]
            more = f" and {len(value) - 20:,} more" if len(value) > 20 else ""
            yield {"name": name, "text": (", ".join(texts) + more) or "none"}
        elif value is not None:
            yield {"name": name, "text": f"{value:,}" if type(value) is int and value >= 10_000 else plain(value, 400)}


def pair(value: Any) -> tuple[Any, Any]:
    if isinstance(value, dict):
        return value.get("low"), value.get("high")
    if isinstance(value, list | tuple) and len(value) == 2:
        return value[0], value[1]
    return None, None
