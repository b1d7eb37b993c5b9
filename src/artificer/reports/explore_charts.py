"""The charts of an exploration: few, and each of what matters first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from artificer.reports.charts import ACCENT, INK, MUTED, REFERENCE, SOFT, STEP, WIDTH, data, name_axis
from artificer.types import Json


def strengths(rows: Sequence[Json]) -> Any:
    """Strength of each column with its interval; rows name, value, low, high, real."""
    base, names = alt.Chart(data(rows)), name_axis(rows, [row["name"] for row in rows])
    scale = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X("value:Q", title="strength of the relation to the target, 0 none to 1 decided", scale=scale)
    colour = alt.Color("real:N", scale=alt.Scale(domain=["yes", "no"], range=[ACCENT, MUTED]), legend=None)
    whiskers = base.mark_rule(color=SOFT, strokeWidth=4, strokeCap="round")
    whiskers = whiskers.encode(x=alt.X("low:Q", scale=scale), x2="high:Q", y=names)
    points = base.mark_point(filled=True, size=75, opacity=1).encode(x=x.axis(tickCount=6), y=names, color=colour)
    return (whiskers + points).properties(width=WIDTH, height=alt.Step(STEP))


def distribution(rows: Sequence[Json], title: str) -> Any:
    """Shares of the rows by class or interval; rows name, value, in order."""
    base = alt.Chart(data(rows))
    order = [row["name"] for row in rows]
    few = len(rows) <= 12
    axis = alt.Axis(title=title, labelAngle=0 if few else -45, labelLimit=110, labelColor=INK)
    y = alt.Y("value:Q", title="share of the rows").axis(format="%", tickCount=4, labelColor=MUTED)
    x = alt.X("name:N", sort=None, scale=alt.Scale(domain=order, paddingInner=0.12), axis=axis)
    return base.mark_bar(color=SOFT).encode(x=x, y=y).properties(width=WIDTH + 100, height=170)


def course(rows: Sequence[Json], title: str, unit: str, change: str | None) -> Any:
    """A level over periods; rows place, name, value."""
    base = alt.Chart(data(rows))
    step = max(1, len(rows) // 8)
    shown = [row["name"] for row in rows][::step]
    axis = alt.Axis(title=f"by {unit}", values=shown, labelAngle=0, labelLimit=110)
    x = alt.X("name:N", sort=None, scale=alt.Scale(domain=[row["name"] for row in rows]), axis=axis)
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)).axis(tickCount=5, labelColor=MUTED)
    layers = [base.mark_line(color=ACCENT, strokeWidth=2, point={"size": 28, "color": ACCENT}).encode(x=x, y=y)]
    if change is not None:
        begins = alt.Chart(data([{"name": change}]))
        layers.insert(0, begins.mark_rule(color=REFERENCE, strokeDash=[5, 4], strokeWidth=1.5).encode(x=x))
    return alt.layer(*layers).properties(width=WIDTH + 100, height=200)


def table_of_pairs(cells: Sequence[Json], names: Sequence[str]) -> Any:
    """Strength of every pair as a table of squares; cells a, b, strength."""
    step = max(min(560 // max(len(names), 1), 26), 12)
    extent = round(max(map(len, names)) * 7.6) + 12
    room = {"title": None, "labelLimit": 0, "minExtent": extent, "maxExtent": extent, "labelColor": INK}
    scale = alt.Scale(domain=list(names), padding=0)
    strength = alt.Opacity("strength:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 1]), legend=None)
    base = alt.Chart(data(cells)).mark_rect(color=ACCENT, stroke=None)
    return base.encode(
        x=alt.X("a:N", scale=scale, axis=alt.Axis(labelAngle=-90, orient="top", **room)),
        y=alt.Y("b:N", scale=scale, axis=alt.Axis(**room)),
        opacity=strength,
    ).properties(width=alt.Step(step), height=alt.Step(step))
