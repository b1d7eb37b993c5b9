"""An exploration's document as the words and figures of its report, each function one section."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from artificer.reports import explore_charts as charts
from artificer.reports import sparklines
from artificer.reports.charts import draw
from artificer.reports.numbers import ABSENT, count, estimate, labels, number, p_value, plain, real, share
from artificer.types import Json

_ISO = re.compile(r"-?\d+-\d\d-\d\dT\d\d:\d\d:\d\d")

CHARTED = 20
SHOWN = 20
DETAILED = 150
"""Columns with details of their own; beyond, a row says what there is room for, and the document holds the rest."""
NAME = 36


def headline(document: Json) -> Json:
    columns = document["columns"]
    cells = sum(column["rows"] for column in columns)
    missing = sum(column["missing"] for column in columns)
    target = document["target"]
    return {
        "name": plain(document["name"], 80),
        "rows": count(document["rows"]),
        "columns": count(len(columns)),
        "roles": _roles(columns),
        "missing": share(missing / cells if cells else 0.0),
        "missing_cells": count(missing),
        "target": target and plain(target["name"], 60),
        "task": target and target["task"],
        "sampled": None if document["sampled"] == document["rows"] else count(document["sampled"]),
        "error": share(document["share_error"]),
        "related": count(sum(one["real"] for one in document["associations"])),
        "insights": document["insights"],
    }


def _roles(columns: Sequence[Json]) -> str:
    held: dict[str, int] = {}
    for column in columns:
        held[column["role"]] = held.get(column["role"], 0) + 1
    return ", ".join(f"{n:,} {role}" for role, n in sorted(held.items(), key=lambda item: -item[1]))


def target(document: Json) -> Json | None:
    """The target's distribution, and every column's relation to it."""
    asked = document["target"]
    if asked is None:
        return None
    told = document["associations"]
    names = labels([one["column"] for one in told[:CHARTED]], NAME)
    charted = [
        {
            "name": name,
            "value": one["strength"],
            "low": one["low"],
            "high": one["high"],
            "real": "yes" if one["real"] else "no",
        }
        for name, one in zip(names, told, strict=False)
    ]
    rows = [_association(one, document) for one in told]
    return {
        "name": plain(asked["name"], 60),
        "distribution": _distribution(document),
        "summary": _target_words(asked),
        "chart": draw(charts.strengths(charted), _strength_words(charted)) if charted else None,
        "charted": len(charted),
        "total": count(len(told)),
        "real": count(sum(one["real"] for one in told)),
        "shown": rows[:SHOWN],
        "folded": rows[SHOWN : 10 * SHOWN],
        "omitted": max(len(rows) - 10 * SHOWN, 0),
        "levelled": any(row["levels"] for row in rows),
    }


def _association(one: Json, document: Json) -> Json:
    value, interval = estimate(one["strength"], one["low"], one["high"])
    levels = one["levels"]
    percent = document["target"]["task"] == "binary"
    says = "; ".join(f"{level['label']}: {_mean(level['mean'], percent)}" for level in levels[:16])
    return {
        "name": plain(one["column"], 60),
        "strength": value,
        "interval": interval,
        "p": p_value(one["adjusted_p"]),
        "measure": f"{one['measure']} {one['value']:.3f}" if one["measure"] and one["value"] is not None else ABSENT,
        "sentence": one["sentence"],
        "real": one["real"],
        "levels": sparklines.bars(_above_zero([level["mean"] for level in levels]), f"target by level: {says}")
        if len(levels) > 1
        else None,
    }


def _above_zero(values: Sequence[float]) -> list[float]:
    """Heights for bars: from zero where none is below, else from the lowest."""
    low = min(min(values), 0.0)
    return [value - low for value in values]


def _mean(value: float, percent: bool) -> str:
    return share(value) if percent else number(value)


def _strength_words(rows: Sequence[Json]) -> str:
    first = ", ".join(f"{row['name']} {row['value']:.2f}" for row in rows[:5])
    return f"Strength of the relation to the target, strongest first: {first}."


def _target_words(asked: Json) -> str:
    if asked["task"] == "binary":
        named = plain(asked["positive"], 40)
        return f'"{named}" in {share(asked["mean"])} of {count(asked["rows"])} rows that have a target.'
    if asked["classes"]:
        return f"{count(len(asked['classes']))} classes in {count(asked['rows'])} rows that have a target."
    return f"Mean {number(asked['mean'], 4)} over {count(asked['rows'])} rows that have a target."


def _distribution(document: Json) -> Any:
    asked = document["target"]
    column = next(one for one in document["columns"] if one["name"] == asked["name"])
    hist = column["histogram"]
    if hist is None or asked["classes"]:
        rows = [{"name": plain(one["value"], 20), "value": one["share"]} for one in column["top"]["values"]]
    elif "labels" in hist:
        rows = [{"name": plain(a, 20), "value": b} for a, b in zip(hist["labels"], hist["shares"], strict=True)]
    else:
        edges = hist["edges"]
        named = labels([_edge(edges, i, hist["tails"]) for i in range(len(hist["shares"]))], 24)
        rows = [{"name": a, "value": b} for a, b in zip(named, hist["shares"], strict=True)]
    if not rows:
        return None
    said = ", ".join(f"{row['name']} {share(row['value'])}" for row in rows[:6])
    return draw(charts.distribution(rows, plain(asked["name"], 60)), f"Distribution of the target: {said}")


def _edge(edges: Sequence[Any], index: int, tails: Sequence[bool]) -> str:
    if index == 0 and tails[0]:
        return f"below {_figure(edges[1])}"
    if index == len(edges) - 2 and tails[1]:
        return f"above {_figure(edges[index])}"
    return _figure(edges[index])


def _figure(value: Any) -> str:
    if real(value) is not None:
        return number(value)
    text = plain(value)
    return text.replace("T00:00:00", "").replace("1970-01-01T", "").replace("T", " ") if _ISO.fullmatch(text) else text


def columns(document: Json) -> Json:
    """Every column: the related ones first where there is a target, else in the table's order."""
    told = {one["column"]: one for one in document["associations"]}
    ordered = sorted(
        document["columns"], key=lambda one: -(told[one["name"]]["strength"] if one["name"] in told else -1)
    )
    rows = [_column(one, told.get(one["name"]), detailed=place < DETAILED) for place, one in enumerate(ordered)]
    return {"shown": rows[:SHOWN], "folded": rows[SHOWN:], "related": bool(told), "detailed": DETAILED}


def _column(column: Json, told: Json | None, detailed: bool) -> Json:
    hist, top = column["histogram"], column["top"]
    about = "about " if column["distinct_error"] else ""
    return {
        "name": plain(column["name"], 60),
        "role": column["role"],
        "reason": plain(column["reason"], 160),
        "spark": _spark(column),
        "missing": share(column["missing"] / max(column["rows"], 1)),
        "distinct": f"{about}{count(column['distinct'])}",
        "typical": _typical(column),
        "strength": number(told["strength"], 2) if told else ABSENT,
        "details": _details(column, top, hist) if detailed else None,
    }


def _spark(column: Json) -> Any:
    hist, top = column["histogram"], column["top"]["values"]
    if hist is not None:
        places = hist.get("labels") or hist["edges"]
        what = f"{len(hist['shares'])} bars from {_figure(places[0])} to {_figure(places[-1])}"
        return sparklines.bars(hist["shares"], f"Histogram of {plain(column['name'], 40)}, {what}")
    if not top:
        return None
    said = ", ".join(f"{plain(one['value'], 20)} {share(one['share'])}" for one in top[:3])
    return sparklines.bars([one["share"] for one in top], f"Most frequent of {plain(column['name'], 40)}: {said}")


def _typical(column: Json) -> str:
    q, top = column.get("quantiles"), column["top"]["values"]
    if q and column["kind"] == "times":
        return f"{_figure(q['0'])} to {_figure(q['1'])}"
    if q:
        words = " words" if column["kind"] == "texts" else ""
        return f"{_figure(q['0.5'])}{words} ({_figure(q['0.05'])} to {_figure(q['0.95'])})"
    return f"{plain(top[0]['value'], 30)} ({share(top[0]['share'])})" if top else ABSENT


def _details(column: Json, top: Json, hist: Json | None) -> Json:
    q = column.get("quantiles") or {}
    names = {"0": "lowest", "0.01": "1 %", "0.05": "5 %", "0.25": "25 %", "0.5": "median", "0.75": "75 %"}
    names |= {"0.95": "95 %", "0.99": "99 %", "1": "highest"}
    facts = [(names[key], _figure(value)) for key, value in q.items()]
    facts += [(key, number(column[key])) for key in ("mean", "stdev", "skewness", "kurtosis") if key in column]
    if "length" in column:
        length = column["length"]
        facts.append(
            ("characters", f"{count(length['low'])} to {count(length['high'])}, mean {number(length['mean'])}")
        )
    facts += [("missing cells", count(column["missing"])), ("type in the table", column["dtype"])]
    if column["unread"]:
        facts.append(("cells that could not be read", count(column["unread"])))
    if column["distinct_error"]:
        facts.append(("error of the number of values", f"± {share(column['distinct_error'])}"))
    if column["rank_error"]:
        facts.append(("error of a quantile's rank", f"± {share(column['rank_error'])}"))
    return {
        "facts": facts,
        "top": [(plain(_figure(one["value"]), 60), count(one["rows"]), share(one["share"])) for one in top["values"]],
        "top_error": None if top["exact"] else share(top["error"]),
        "tails": any(hist.get("tails", ())) if hist else False,
    }


def pairs(document: Json) -> Json | None:
    found = document["pairs"]
    if found["columns"] < 2:
        return None
    names = labels(found["table"]["names"], 24)
    cells = [
        {"a": names[i], "b": names[j], "strength": value}
        for i, row in enumerate(found["table"]["strength"])
        for j, value in enumerate(row)
    ]
    first = ", ".join(
        f"{plain(p['a'], 24)} with {plain(p['b'], 24)} {p['strength']:.2f}" for p in found["strongest"][:4]
    )
    return {
        "chart": draw(charts.table_of_pairs(cells, names), f"Strength of every pair of columns; strongest: {first}"),
        "charted": len(names),
        "rows": count(found["rows"]),
        "columns": count(found["columns"]),
        "left_out": found["left_out"] and count(found["left_out"]),
        "error": number(found["error"], 2),
        "groups": [", ".join(plain(name, 40) for name in group) for group in found["groups"]],
        "strongest": [(plain(p["a"], 50), plain(p["b"], 50), number(p["strength"], 2)) for p in found["strongest"]],
    }


def missing(document: Json) -> Json:
    found = document["missing"]
    gaps = sorted((c for c in document["columns"] if c["missing"]), key=lambda c: -c["missing"])
    percent = bool(document["target"]) and document["target"]["task"] == "binary"
    return {
        "columns": [
            (plain(c["name"], 60), count(c["missing"]), share(c["missing"] / c["rows"]), c["missing"] / c["rows"])
            for c in gaps
        ],
        "complete": share(found["complete"] / max(found["rows"], 1)),
        "distinct": count(found["distinct_patterns"]),
        "patterns": [
            (
                ", ".join(plain(name, 30) for name in one["columns"][:12]),
                len(one["columns"]),
                count(one["rows"]),
                share(one["rows"] / max(found["rows"], 1)),
            )
            for one in found["patterns"]
        ],
        "telling": [
            {
                "name": plain(one["column"], 60),
                "strength": number(one["strength"], 2),
                "p": p_value(one["adjusted_p"]),
                "missing": _mean(one["mean_missing"], percent) if one["mean_missing"] is not None else ABSENT,
                "known": _mean(one["mean_known"], percent) if one["mean_known"] is not None else ABSENT,
            }
            for one in found["telling"]
            if one["real"]
        ],
    }


def time(document: Json) -> Json | None:
    found = document["time"]
    if not found["courses"] or len(found["periods"]) < 2:
        return None
    periods = found["periods"]
    rows = [_course(one, periods) for one in found["courses"]]
    own = found["courses"][0] if document["target"] else None
    chart = None
    if own:
        points = [{"name": a, "value": b} for a, b in zip(periods, own["levels"], strict=True) if b is not None]
        what = f"{own['what']} of {plain(own['column'], 40)}"
        said = (
            f"{what} by {found['unit']}, from {number(points[0]['value'])} to {number(points[-1]['value'])}"
            if points
            else what
        )
        chart = (
            draw(charts.course(points, plain(own["what"], 40), found["unit"], own["change"]), said) if points else None
        )
    return {
        "column": plain(found["column"], 60),
        "unit": found["unit"],
        "periods": count(len(periods)),
        "first": plain(periods[0]),
        "last": plain(periods[-1]),
        "chart": chart,
        "change": own and own["change"],
        "target": own and plain(own["column"], 60),
        "shown": rows[:SHOWN],
        "folded": rows[SHOWN : 10 * SHOWN],
        "omitted": max(len(rows) - 10 * SHOWN, 0),
    }


def _course(one: Json, periods: Sequence[str]) -> Json:
    mark = periods.index(one["change"]) if one["change"] in periods else None
    known = [value for value in one["levels"] if value is not None]
    said = f"{one['what']} from {number(known[0])} to {number(known[-1])}" if known else "no value"
    change = ABSENT
    if one["change"] is not None:
        change = f"{plain(one['change'])}: {number(one['before'])} to {number(one['after'])} ({one['shift']:+.1f} sd)"
    return {
        "name": plain(one["column"], 60),
        "what": plain(one["what"], 60),
        "spark": sparklines.line(one["levels"], f"{plain(one['column'], 40)} over time: {said}", mark),
        "strength": number(one["strength"], 2),
        "p": p_value(one["adjusted_p"]),
        "trend": f"{one['trend']:+.2f}" if one["trend"] is not None else ABSENT,
        "season": f"{one['season']} ({one['season_strength']:.2f})" if one["season"] else ABSENT,
        "change": change,
        "moves": one["moves"],
    }


def comparisons(document: Json) -> list[Json]:
    return [_comparison(one) for one in document["comparisons"]]


def _comparison(one: Json) -> Json:
    rows = [
        {
            "name": plain(column["column"], 60),
            "moved": share(column["moved"]),
            "width": round(100 * min(column["moved"], 1.0), 1),
            "p": p_value(column["adjusted_p"]),
            "change": plain(column["change"], 200),
            "real": column["real"],
        }
        for column in one["columns"]
    ]
    meaning = next((column["meaning"] for column in one["columns"] if column["meaning"]), "")
    kept = [row for row in rows if row["real"]]
    return {
        "name": plain(one["name"][:1].upper() + one["name"][1:], 120),
        "sides": [plain(side, 60) for side in one["sides"]],
        "rows": [count(rows_) for rows_ in one["rows"]],
        "differing": len(kept),
        "total": len(rows),
        "meaning": meaning,
        "shown": kept[:8],
        "folded": kept[8:60],
    }


def interactions(document: Json) -> list[Json]:
    percent = bool(document["target"]) and document["target"]["task"] == "binary"
    return [_interaction(one, percent) for one in document["interactions"] if one["real"]][:6]


def _interaction(one: Json, percent: bool) -> Json:
    table = None
    if one["means"] is not None:
        known = [value for row in one["means"] for value in row if value is not None]
        low, high = min(known), max(known)
        table = [
            {
                "label": plain(label, 30),
                "cells": [
                    {
                        "shown": ABSENT if value is None else _mean(value, percent),
                        "rows": count(held),
                        "depth": 0.0 if value is None or high <= low else round((value - low) / (high - low), 3),
                    }
                    for value, held in zip(row, rows, strict=True)
                ],
            }
            for label, row, rows in zip(one["labels"][0], one["means"], one["rows"], strict=True)
        ]
    return {
        "columns": [plain(name, 50) for name in one["columns"]],
        "explained": share(one["explained"]),
        "separate": share(one["separate"]),
        "p": p_value(one["adjusted_p"]),
        "heads": [plain(label, 30) for label in one["labels"][1]],
        "table": table,
    }
