"""The charts of a run: Altair describes them, Vega-Lite draws them, the report holds them as still SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import altair as alt
from markupsafe import Markup, escape

from artificer.reports.palette import LIGHT
from artificer.types import Json

WIDTH = 620
"""Pixels of a plot area; with the labels it fills the report's column."""
STEP = 26
_WIDEST = 7.6
"""Pixels of a character in a wide reader's font: the page sets the font, Vega only guesses it."""
INK, MUTED, LINE = LIGHT["ink"], LIGHT["muted"], LIGHT["line"]
ACCENT, SOFT, REFERENCE = LIGHT["accent"], LIGHT["soft"], LIGHT["reference"]

_PER_CENT = "round(100 * datum.value) + ' %'"

_CONFIG = {
    "background": "transparent",
    "aria": False,
    "font": "sans-serif",
    "padding": 6,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "gridColor": LINE,
        "domain": False,
        "ticks": False,
        "labelPadding": 8,
        "labelLimit": 260,
        "labelOverlap": True,
    },
    "axisY": {"labelColor": INK},
    "legend": {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 12, "symbolStrokeWidth": 2},
    "title": {"color": MUTED, "fontSize": 12, "fontWeight": "normal"},
    "header": {"labelColor": INK, "titleColor": MUTED},
}

_NOISE = re.compile(
    r' xmlns(:xlink)?="[^"]*"| version="1.1"| pointer-events="none"| opacity="1"| aria-hidden="true"'
    r'| role="graphics-[^"]*"| aria-roledescription="[^"]*"'
    r'|<path class="(?:foreground|background)"[^>]*/>|<text [^>]*opacity="0">[^<]*</text>'
)
_DECIMALS = re.compile(r"(?<=[\d])(\.\d{2})\d+(?=[^<>]*>)")


def draw(chart: Any, label: str) -> Markup:
    """Render a chart to inline SVG that a screen reader announces as `label`.

    The SVG carries no address, not even a namespace's: inside HTML it needs none.
    """
    import vl_convert

    spec = chart.to_dict(validate=False)
    spec["config"] = _CONFIG
    svg = _DECIMALS.sub(r"\1", _NOISE.sub("", vl_convert.vegalite_to_svg(spec)))
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1))  # noqa: S704 - Vega escapes texts


def data(rows: Sequence[Json]) -> Any:
    return alt.Data(values=list(rows))


def name_axis(rows: Sequence[Json], order: Sequence[str] | None = None) -> Any:
    """The axis of names, with room for the longest."""
    extent = round(max(len(row["name"]) for row in rows) * _WIDEST) + 12
    axis = alt.Axis(title=None, labelLimit=0, minExtent=extent, maxExtent=extent)
    return alt.Y("name:N", sort=None, axis=axis, scale=alt.Scale(domain=order) if order else alt.Undefined)


def leaderboard(rows: Sequence[Json], metric: str) -> Any:
    """Scores with intervals beside success probabilities; rows name, score, low, high, success, shown, used."""
    order = [row["name"] for row in rows]
    names, same = name_axis(rows, order), alt.Y("name:N", scale=alt.Scale(domain=order), axis=None)
    base, height = alt.Chart(data(rows)), alt.Step(STEP)
    score = {"title": f"{metric}, cross-validated", "scale": alt.Scale(zero=False, padding=16)}
    whiskers = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    whiskers = whiskers.mark_rule(color=SOFT, strokeWidth=3, strokeCap="round")
    whiskers = whiskers.encode(y=names, x=alt.X("low:Q", **score), x2="high:Q")
    used = alt.Color("used:N", scale=alt.Scale(domain=["yes", "no"], range=[ACCENT, MUTED]), legend=None)
    points = base.mark_point(size=75, filled=True, opacity=1)
    points = points.encode(x=alt.X("score:Q", **score).axis(tickCount=6), y=names, color=used)
    top = max(max(row["success"] for row in rows), 0.01)
    chance = alt.X("success:Q", title="success probability", scale=alt.Scale(domain=[0, top], nice=False))
    bars = base.mark_bar(color=SOFT, height=12).encode(x=chance.axis(None), y=same)
    texts = base.mark_text(align="left", dx=6, color=MUTED, fontSize=11).encode(x=chance, y=same, text="shown:N")
    return alt.hconcat(
        (whiskers + points).properties(width=440, height=height),
        (bars + texts).properties(
            width=150, height=height, title=alt.Title("success probability", anchor="start", dy=-4)
        ),
        spacing=36,
    )


def metrics(rows: Sequence[Json]) -> Any:
    """One row a metric on its own scale; rows name, score, low, high, baseline."""
    names = name_axis(rows)
    base = alt.Chart()
    x = {"title": None, "scale": alt.Scale(zero=False, nice=False, padding=24), "axis": alt.Axis(tickCount=6)}
    tick = base.transform_filter("isValid(datum.baseline)")
    tick = tick.mark_tick(thickness=3, size=20, color=REFERENCE, opacity=1)
    whisker = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    whisker = whisker.mark_rule(color=SOFT, strokeWidth=5, strokeCap="round")
    point = base.mark_point(size=90, filled=True, opacity=1, color=ACCENT)
    layers = alt.layer(
        tick.encode(x=alt.X("baseline:Q", **x), y=names),
        whisker.encode(x=alt.X("low:Q", **x), x2="high:Q", y=names),
        point.encode(x=alt.X("score:Q", **x), y=names),
        data=data(rows),
    )
    rowwise = layers.properties(width=WIDTH + 60, height=30).facet(
        row=alt.Row("name:N", sort=[row["name"] for row in rows], header=None), spacing=10
    )
    return rowwise.resolve_scale(x="independent", y="independent")


def importance(rows: Sequence[Json], metric: str) -> Any:
    """Bars with whiskers; rows name, value, low, high."""
    base, names = alt.Chart(data(rows)), name_axis(rows)
    title = f"how much worse {metric} gets"
    x = alt.X("value:Q", title=title).axis(tickCount=6)
    bars = base.mark_bar(color=SOFT, height=14).encode(x=x, y=names)
    rules = base.mark_rule(color=INK, strokeWidth=1.5).encode(x=alt.X("low:Q", title=title), x2="high:Q", y=names)
    ends = [
        base.mark_tick(color=INK, thickness=1.5, size=8, opacity=1).encode(x=alt.X(f"{end}:Q", title=title), y=names)
        for end in ("low", "high")
    ]
    return alt.layer(bars, rules, *ends).properties(width=WIDTH, height=alt.Step(STEP))


def reliability(rows: Sequence[Json]) -> Any:
    """Stated against observed probabilities; rows stated, observed, low, high."""
    unit = alt.Scale(domain=[0, 1], nice=False)
    line = alt.Chart(data([{"a": 0, "b": 0}, {"a": 1, "b": 1}]))
    line = line.mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.5)
    line = line.encode(x=alt.X("a:Q", scale=unit), y=alt.Y("b:Q", scale=unit))
    base = alt.Chart(data(rows)).encode(
        x=alt.X("stated:Q", title="what the model says", scale=unit).axis(labelExpr=_PER_CENT, tickCount=5)
    )
    what = alt.Y("observed:Q", title="what happened", scale=unit).axis(
        labelExpr=_PER_CENT, tickCount=5, labelColor=MUTED
    )
    whiskers = base.mark_rule(color=SOFT, strokeWidth=3, strokeCap="round").encode(y=alt.Y("low:Q"), y2="high:Q")
    path = base.mark_line(color=ACCENT, strokeWidth=1.5, opacity=0.6).encode(y=what)
    points = base.mark_point(filled=True, size=75, opacity=1, color=ACCENT).encode(y=what)
    return (line + whiskers + path + points).properties(width=380, height=380)


def bias(rows: Sequence[Json], target: str) -> Any:
    """Mean residual over the mean prediction; rows predicted, residual."""
    zero = alt.Chart(data([{"y": 0}])).mark_rule(color=MUTED, strokeDash=[5, 4], strokeWidth=1.5).encode(y="y:Q")
    x = alt.X(
        "predicted:Q", title=f"predicted {target}, tenths of the test rows", scale=alt.Scale(zero=False, padding=16)
    )
    y = alt.Y("residual:Q", title="mean error (true minus predicted)").axis(tickCount=5, labelColor=MUTED)
    base = alt.Chart(data(rows)).encode(x=x.axis(tickCount=6), y=y)
    line = base.mark_line(color=SOFT, strokeWidth=2)
    return (zero + line + base.mark_point(filled=True, size=75, opacity=1, color=ACCENT)).properties(
        width=WIDTH + 130, height=240
    )


def spread(row: Json) -> Any:
    """Quantiles of the errors as a box with whiskers; keys low, q25, median, q75, high."""
    base = alt.Chart(data([row]))
    x = alt.X("low:Q", title="error (true minus predicted)").axis(tickCount=7)
    return alt.layer(
        base.mark_rule(color=SOFT, strokeWidth=3, strokeCap="round").encode(x=x, x2="high:Q"),
        base.mark_bar(color=SOFT, height=26, cornerRadius=3).encode(x=alt.X("q25:Q"), x2="q75:Q"),
        base.mark_tick(color=ACCENT, thickness=3, size=32, opacity=1).encode(x="median:Q"),
        alt.Chart(data([{"z": 0}])).mark_rule(color=MUTED, strokeDash=[5, 4], strokeWidth=1.5).encode(x="z:Q"),
    ).properties(width=WIDTH + 130, height=56)


def heat(cells: Sequence[Json], names: Sequence[str]) -> Any:
    """A confusion matrix too wide for a table; cells true, predicted, share of the true class."""
    step = max(min(640 // len(names), 24), 7)
    extent = round(max(map(len, names)) * _WIDEST) + 12
    room = {"labelLimit": 0, "minExtent": extent, "maxExtent": extent}
    labels = alt.Axis(title="predicted", labelAngle=-90, orient="top", labelColor=INK, **room)
    scale = alt.Scale(domain=list(names), padding=0)
    base = alt.Chart(data(cells)).mark_rect(color=ACCENT, stroke=None)
    return base.encode(
        x=alt.X("predicted:N", scale=scale, axis=labels),
        y=alt.Y("true:N", scale=scale, axis=alt.Axis(title="true", **room)),
        opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.06, 1]), legend=None),
    ).properties(width=alt.Step(step), height=alt.Step(step))
