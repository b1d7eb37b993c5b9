"""The report of an exploration: one HTML file that needs no network, no script and no other file.

The few charts of what matters first are drawn by Vega-Lite. What every column has (its histogram, its course over
time) is drawn by `sparklines`: a chart of Vega-Lite is 5 kB and 30 ms, which for a thousand columns would make a file
too large to open and a wait.
"""

from __future__ import annotations

from pathlib import Path

from artificer.reports.run import style_text, template, warm
from artificer.types import Json

_HERE = Path(__file__).parent


def write_exploration(document: Json, path: Path) -> Path:
    """Write the report of an exploration's document, whole or not at all; returns where.

    Raises
    ------
    ArtificerError
        The file cannot be written.
    """
    from artificer.bundle.files import write_atomically

    write_atomically(Path(path), render_exploration(document).encode("utf-8", "replace"), "the report")
    return Path(path)


def render_exploration(document: Json) -> str:
    """The report as text."""
    from artificer import __version__

    starting = warm()
    from artificer.reports import explore_facts as facts
    from artificer.reports.palette import style_sheet

    starting.join()
    return str(
        template("explore.html").render(
            version=__version__,
            colours=style_sheet(),
            style=style_text() + (_HERE / "explore.css").read_text(encoding="utf-8"),
            head=facts.headline(document),
            target=facts.target(document),
            columns=facts.columns(document),
            pairs=facts.pairs(document),
            missing=facts.missing(document),
            time=facts.time(document),
            comparisons=facts.comparisons(document),
            interactions=facts.interactions(document),
            notes=document["notes"],
            source=document["source"],
            seconds=document["seconds"],
        )
    )
