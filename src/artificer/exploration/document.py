"""An exploration as one JSON document: what ``artificer explore --json`` prints and the report is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from artificer.exploration.association import Association
from artificer.exploration.differences import Comparison
from artificer.exploration.explore import FILE, PART, Exploration
from artificer.exploration.figures import column_figures
from artificer.exploration.insights import insights
from artificer.exploration.pairs import Pairs
from artificer.types import Json, Role

SCHEMA = "artificer.explore/1"
MOST_PAIRS = 50
HEAT = 24
"""Columns of the table of all pairs that is written out."""
MOST_SHOWN = 200


def document(found: Exploration, name: str, source: Mapping[str, Any] | None = None) -> Json:
    """Everything that was found; floats to six digits, no NaN.

    Parameters
    ----------
    name : of the table.
    source : what is known of where it came from.
    """
    roles = {spec.name: spec for spec in found.reader.specs}
    columns = []
    for column in found.profile.columns:
        if column.name in (FILE, PART):
            continue
        spec = roles[column.name]
        if spec.role is Role.CONSTANT and not column.is_constant:
            spec = found.reader.plain[column.name]  # it was constant in the rows that told the roles alone
        figures = column_figures(column, found.profile.sample.frame[column.name])
        figures |= {"role": spec.role.value, "reason": spec.reason, "unread": found.unread.get(column.name, 0)}
        columns.append(figures)
    whole: Json = {
        "schema": SCHEMA,
        "name": name,
        "source": dict(source or {}),
        "rows": found.profile.rows,
        "sampled": found.sampled,
        "share_error": 0.0 if found.sampled == found.profile.rows else 1.96 * math.sqrt(0.25 / max(found.sampled, 1)),
        "target": _target(found),
        "insights": insights(found),
        "columns": columns,
        "associations": [_association(one) for one in found.associations],
        "interactions": [asdict(one) | {"real": one.real} for one in found.interactions[:20]],
        "pairs": _pairs(found.pairs),
        "missing": _missing(found),
        "time": _time(found),
        "comparisons": [_comparison(one) for one in found.comparisons],
        "notes": list(found.notes),
        "seconds": dict(found.seconds),
    }
    cleaned: Json = _clean(whole)
    return cleaned


def _target(found: Exploration) -> Json | None:
    target = found.target
    if target is None:
        return None
    share = float(target.values.mean()) if target.values is not None else None
    return {
        "name": target.name,
        "task": target.task.value,
        "positive": target.positive,
        "mean": share,
        "classes": list(target.labels) if target.task.is_classification else [],
        "rows": len(target.codes),
    }


def _association(one: Association) -> Json:
    return {
        "column": one.column,
        **_strength(one.found),
        "adjusted_p": one.adjusted_p,
        "real": one.real,
        "measure": one.measure,
        "value": one.value,
        "sentence": one.sentence,
        "levels": [asdict(level) for level in one.levels],
    }


def _strength(found: Any) -> Json:
    return {"strength": found.strength, "low": found.low, "high": found.high, "p": found.p}


def _pairs(found: Pairs) -> Json:
    shown = len(found.names[:HEAT])
    return {
        "rows": found.rows,
        "columns": len(found.names),
        "left_out": found.left_out,
        "error": found.error,
        "strongest": [{"a": a, "b": b, "strength": s} for a, b, s in found.strongest(MOST_PAIRS)],
        "groups": [list(group) for group in found.groups[:MOST_SHOWN]],
        "table": {"names": list(found.names[:shown]), "strength": found.strength[:shown, :shown].tolist()},
    }


def _missing(found: Exploration) -> Json:
    gaps = found.missingness
    return {
        "rows": gaps.rows,
        "complete": gaps.complete,
        "distinct_patterns": gaps.distinct_patterns,
        "patterns": [{"columns": list(one.columns[:MOST_SHOWN]), "rows": one.rows} for one in gaps.patterns],
        "telling": [
            {
                "column": one.column,
                **_strength(one.found),
                "adjusted_p": one.adjusted_p,
                "real": one.real,
                "mean_missing": one.mean_missing,
                "mean_known": one.mean_known,
            }
            for one in gaps.telling[:MOST_SHOWN]
        ],
    }


def _time(found: Exploration) -> Json:
    clock = found.clock
    return {
        "column": clock.name,
        "unit": clock.unit,
        "periods": list(clock.labels),
        "courses": [asdict(course) | {"moves": course.moves} for course in found.courses],
    }


def _comparison(one: Comparison) -> Json:
    return {
        "name": one.name,
        "sides": list(one.sides),
        "rows": list(one.rows),
        "differing": sum(column.real for column in one.columns),
        "columns": [
            {
                "column": column.column,
                "moved": column.moved,
                **_strength(column.found),
                "adjusted_p": column.adjusted_p,
                "real": column.real,
                "change": column.change,
                "meaning": column.meaning if column.real else "",
            }
            for column in one.columns[:MOST_SHOWN]
        ],
    }


def _clean(item: Any) -> Any:
    if isinstance(item, float):
        return float(f"{item:.6g}") if math.isfinite(item) else None
    if isinstance(item, Mapping):
        return {key: _clean(value) for key, value in item.items()}
    return [_clean(value) for value in item] if isinstance(item, list | tuple) else item
