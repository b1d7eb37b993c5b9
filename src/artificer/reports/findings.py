"""The findings of a check of a table: one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path

from artificer.reports.facts import finding_row, long_table
from artificer.reports.numbers import count, plain, seconds
from artificer.types import Json

_PARTS = (
    ("error", "Errors", "bad", "the result is not to be trusted"),
    ("warning", "Warnings", "unsure", "worth a look"),
    ("info", "Notes", "plain", "good to know"),
)


def write_findings(document: Json, path: Path) -> Path:
    """Write the findings of ``artificer.check/1``, whole or not at all; returns where.

    Raises
    ------
    ArtificerError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_findings({"source": "sales.csv", "findings": []}, Path(folder, "findings.html"))
    ...     "found nothing" in path.read_text(encoding="utf-8")
    True
    """
    from artificer.bundle.files import write_atomically

    write_atomically(Path(path), render_findings(document).encode(), "the findings")
    return Path(path)


def render_findings(document: Json) -> str:
    """The page as text."""
    from artificer import __version__
    from artificer.reports.palette import style_sheet
    from artificer.reports.run import style_text, template

    return str(
        template("findings.html").render(
            version=__version__,
            colours=style_sheet(),
            style=style_text(),
            head=_head(document),
            cards=_cards(document),
            parts=_parts(document),
            runs=_runs(document),
            notes=[plain(note) for note in document.get("notes") or ()],
        )
    )


def _head(document: Json) -> Json:
    runs = document.get("checks") or ()
    done = sum(run.get("state") == "done" for run in runs)
    source = document.get("source")
    return {
        "name": plain(Path(source).name) if source else "A table",
        "rows": count((document.get("rows") or {}).get("read")),
        "columns": count(document.get("columns")),
        "target": plain(document["target"]) if document.get("target") else None,
        "done": done,
        "undone": len(runs) - done,
        "seconds": seconds(document.get("seconds")),
    }


def _cards(document: Json) -> list[Json]:
    counts = document.get("counts") or {}
    return [
        {"name": title, "tone": tone if counts.get(severity) else "plain", "means": means}
        | {"count": count(counts.get(severity) or 0)}
        for severity, title, tone, means in _PARTS
    ]


def _parts(document: Json) -> list[Json]:
    made = []
    for severity, title, _, _ in _PARTS:
        rows = [finding_row(item) for item in document.get("findings") or () if item.get("severity") == severity]
        if rows:
            made.append({"id": title.lower(), "title": title, "table": long_table(rows)})
    return made


def _runs(document: Json) -> list[Json]:
    return [
        {
            "name": plain(run.get("name") or "").replace("_", " "),
            "state": plain(run.get("state") or ""),
            "reason": plain(run["reason"]) if run.get("reason") else "",
            "rows": count(run.get("rows")),
            "seconds": seconds(run.get("seconds")),
        }
        for run in document.get("checks") or ()
    ]
