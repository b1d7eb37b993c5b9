"""Drawings of a few hundred bytes, for tables of hundreds of columns where a chart library's SVG would be too heavy.

Each is one path in a small frame, coloured by the style sheet, and said in words to a screen reader.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 132, 30


def bars(shares: Sequence[float], label: str) -> Markup:
    """Bars side by side, the highest as high as the frame.

    >>> '<path d="M0 30V15h65V30zM66 30V0h65V30z"/>' in bars([0.5, 1.0], "two bars")
    True
    """
    top = max(shares, default=0.0)
    step = WIDTH / max(len(shares), 1)
    parts = []
    for index, share in enumerate(shares):
        if share <= 0 or top <= 0:
            continue
        height = max(HEIGHT * share / top, 1.0)
        parts.append(f"M{_n(index * step)} {HEIGHT}V{_n(HEIGHT - height)}h{_n(max(step - 1, 1))}V{HEIGHT}z")
    return _frame("spark", f'<path d="{"".join(parts)}"/>', label)


def line(values: Sequence[float | None], label: str, mark: int | None = None) -> Markup:
    """A line through the values, broken where one is absent; `mark` sets a rule at one of them.

    >>> "M0 29L132 1" in line([1.0, 2.0], "rising")
    True
    """
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = WIDTH / max(len(values) - 1, 1)
    parts, pen = [], False
    for index, value in enumerate(values):
        if value is None:
            pen = False
            continue
        y = HEIGHT - 1 - (value - low) / (high - low) * (HEIGHT - 2) if high > low else HEIGHT / 2
        parts.append(f"{'L' if pen else 'M'}{_n(index * step)} {_n(y)}")
        pen = True
    rule = f'<path class="rule" d="M{_n((mark - 0.5) * step)} 0V{HEIGHT}"/>' if mark is not None else ""
    return _frame("spark line", f'{rule}<path d="{"".join(parts)}"/>', label)


def _frame(kind: str, inner: str, label: str) -> Markup:
    # Numbers and fixed words alone, besides the label, which is escaped.
    return Markup(  # noqa: S704
        f'<svg class="{kind}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{inner}</svg>'
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
