"""The colours of a report. Charts are drawn in the light ones; style sheets swap each for its dark twin."""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "ground": "#f5f7fa",
    "ink": "#17202b",
    "muted": "#586475",
    "line": "#dde3ea",
    "accent": "#2463b4",
    "soft": "#9dbfe8",
    "reference": "#b3590a",
    "good": "#17703f",
    "good-ground": "#e3f4ea",
    "bad": "#b3261e",
    "bad-ground": "#fce9e7",
    "unsure": "#8a5a00",
    "unsure-ground": "#fdf1d6",
}

DARK = {
    "paper": "#1a2028",
    "ground": "#11151b",
    "ink": "#e7ecf2",
    "muted": "#9daaba",
    "line": "#323b48",
    "accent": "#74b0f4",
    "soft": "#3b6596",
    "reference": "#f2a65a",
    "good": "#6fd79c",
    "good-ground": "#15352a",
    "bad": "#ff9a90",
    "bad-ground": "#44201e",
    "unsure": "#f3c969",
    "unsure-ground": "#3d3115",
}

IN_CHARTS = ("paper", "ink", "muted", "line", "accent", "soft", "reference")


def style_sheet() -> str:
    """CSS variables for both schemes, and rules that make every chart follow them.

    >>> ':root{--paper:#ffffff;' in style_sheet() and 'svg [fill="#17202b"]{fill:var(--ink)}' in style_sheet()
    True
    """

    def variables(colours: dict[str, str]) -> str:
        return ":root{" + "".join(f"--{name}:{colour};" for name, colour in colours.items()) + "}"

    swaps = "".join(
        f'svg [{attribute}="{LIGHT[name]}"]{{{attribute}:var(--{name})}}'
        for name in IN_CHARTS
        for attribute in ("fill", "stroke")
    )
    # Paper is white: a dark report prints in the light colours.
    return f"{variables(LIGHT)}@media screen and (prefers-color-scheme:dark){{{variables(DARK)}}}{swaps}"
