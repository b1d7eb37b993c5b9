"""A new champion's probation: does it do better or worse than its predecessor on rows that came after the promotion?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import read_pointer
from artificer.errors import ArtificerError
from artificer.journal.reader import counts, labelled
from artificer.loop import actions
from artificer.problem.project import Project
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle

ALPHA = 0.05
"""Probability that a champion no worse than its predecessor is ever called worse, over all looks together."""
DOUBLINGS = 6
"""The champion is judged at the number of outcomes that the rules name and at each doubling, then no more."""


def milestone(rows: int, first: int) -> tuple[int, float] | None:
    """The number of rows at which the champion was last judged, and the level of that test; None before the first.

    Looks between two milestones see the same rows and so come to the same verdict. The levels of all tests together
    spend ``ALPHA``: half of it at the first, a quarter at the second, and so on.

    Examples
    --------
    >>> milestone(90, 100), milestone(150, 100), milestone(450, 100)
    (None, (100, 0.025), (400, 0.00625))
    """
    if rows < first:
        return None
    step = min(int(math.log2(rows / first)), DOUBLINGS)
    return first * 2**step, ALPHA / 2 ** (step + 1)


def probation(project: Project, champion: Bundle) -> Json | None:
    """What the probation has come to; None where there is no predecessor, too little to judge, or it is over."""
    found = _predecessor(project)
    if found is None:
        return None
    version, path = found
    pointer = read_pointer(project.champion_file)
    since = pointer.at.timestamp()
    first = project.problem.loop.rollback_after
    if counts(project.journal, since).predictions < first:
        return None
    pairs = labelled(project.journal, since=since)
    judged = milestone(len(pairs), first)
    if judged is None:
        return None
    rows, alpha = judged
    table = production_frame([{**made.row, champion.contract.target: told.value} for made, told in pairs[:rows]])
    result = _compare(champion, load_bundle(path), table)
    certain = result["p"] is not None and result["p"] < alpha
    return {
        "champion": pointer.version,
        "previous": version,
        "rows": rows,
        "verdict": result["verdict"] if certain else "undecided",
        "evidence": {**result, "alpha": alpha},
    }


def production_frame(rows: list[Json]) -> Any:
    """Journalled rows as a table; a column whose values have several JSON types becomes text."""
    import polars as pl

    from artificer.tables.contract import canonical_text

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pl.Series(name, values, strict=True)
        except (TypeError, pl.exceptions.PolarsError):
            columns[name] = pl.Series(name, [None if v is None else canonical_text(v) for v in values])
    return pl.DataFrame(columns)


def _compare(champion: Bundle, previous: Bundle, table: Any) -> Json:
    evaluation = champion.metrics["evaluation"]
    run = {"metric": evaluation["metrics"][0]["name"], "evaluation": {"time_ordered": True}}
    try:
        return actions.compare_on(previous, champion, table, run)
    except ArtificerError as error:
        return {"verdict": "undecided", "p": None, "reason": str(error)}


def _predecessor(project: Project) -> tuple[int, Path] | None:
    """The version that was champion before, if its bundle is at hand and the change was the loop's own promotion."""
    changes = [r for r in actions.history_of(project).records() if r.kind in {"promotion", "rollback"}]
    if not changes or changes[-1].kind != "promotion" or changes[-1].actor != "loop":
        return None
    before = changes[-1].evidence.get("champion")
    if before is None:
        return None
    try:
        return int(before), actions.registry_of(project).bundle_path(int(before))
    except ArtificerError:
        return None
