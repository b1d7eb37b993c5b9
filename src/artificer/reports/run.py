"""The report of a training run: one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

from artificer.types import Json

_HERE = Path(__file__).parent


def write_report(document: Json, path: Path) -> Path:
    """Write the report of a run, whole or not at all; returns where.

    Parameters
    ----------
    document : what training wrote, as in ``run.json``; keys that are absent leave their section out.
    path : the HTML file to write; its folder is made.

    Raises
    ------
    ArtificerError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report({"target": "price", "task": "regression"}, Path(folder, "report.html"))
    ...     "<h1" in path.read_text(encoding="utf-8")
    True
    """
    from artificer.bundle.files import write_atomically

    write_atomically(Path(path), render_report(document).encode(), "the report")
    return Path(path)


def render_report(document: Json) -> str:
    """The report as text."""
    from artificer import __version__

    starting = warm()
    from artificer.reports import facts, model_facts
    from artificer.reports.palette import style_sheet

    starting.join()
    return str(
        template("run.html").render(
            version=__version__,
            colours=style_sheet(),
            style=style_text(),
            head=facts.headline(document),
            verdict=facts.verdict(document),
            data=facts.data(document),
            leaderboard=model_facts.leaderboard(document),
            metrics=model_facts.metrics(document),
            coverage=model_facts.coverage(document),
            calibration=model_facts.calibration(document),
            residuals=model_facts.residuals(document),
            confusion=model_facts.confusion(document),
            importance=model_facts.importance(document),
            columns=facts.columns(document),
            cost=facts.cost(document),
            stages=facts.stages(document),
            lineage=facts.lineage(document),
        )
    )


def warm() -> threading.Thread:
    """Begin to start the renderer of charts in the background; worth calling while other work goes on before a report.

    The thread is no daemon: a process that ended during the start would crash.
    """
    starting = threading.Thread(target=_start_renderer, name="artificer-charts")
    starting.start()
    return starting


@cache
def _start_renderer() -> None:
    import vl_convert

    # Its start takes most of a second and leaves the interpreter free: Altair is imported meanwhile.
    vl_convert.vegalite_to_svg({"data": {"values": [{}]}, "mark": "point"})


def style_text() -> str:
    """The style sheet of every report."""
    return (_HERE / "style.css").read_text(encoding="utf-8")


@cache
def template(name: str) -> Any:
    """A template of this room: every value is escaped, and one that is absent is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
