"""The demo's course: a year of bike rentals to learn from, the next year as live traffic."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from artificer import api
from artificer.demo.replay import Traffic
from artificer.errors import UsageError
from artificer.types import Json

if TYPE_CHECKING:
    import polars as pl

    from artificer.loop.service import Service
    from artificer.problem.project import Project

SCHEMA = "artificer.demo/1"
TABLE = "bike_sharing.parquet"
PROJECT = "bikes"
TARGET, TIME = "cnt", "date"
LEFT_OUT = ("instant", "casual", "registered")
"""A row number, and the two parts whose sum is the target: known only with it."""
TRAIN_UNTIL = datetime(2012, 1, 1)
BUDGET = "20s"
HOURS_A_DAY = 24
OUTCOME_DELAY = 3 * HOURS_A_DAY

SETTINGS = {
    "training.budget": BUDGET,
    "training.metric": "rmse",
    "monitoring.window": "1d",
    "monitoring.min_rows": 300,
    "loop.min_new_labels": 600,
    "loop.cooldown": "0s",
    "loop.max_retrains_per_day": 7,
    "loop.rollback_after": 300,
}
"""A year passes in a minute here, so the loop may retrain as often as a real one would in months."""


def run_demo(*, folder: Path | None, port: int, stay: bool, say: Callable[[str], None]) -> Json:
    """Train, serve, replay, watch, retrain; print what happened and why. Nothing is staged: all of it is measured."""
    from artificer.loop import actions, cycle
    from artificer.loop.service import Service, server_arguments

    started = time.monotonic()
    home = folder or Path(tempfile.mkdtemp(prefix="artificer-demo-"))
    if (home / PROJECT).exists():
        raise UsageError(f"{home} holds an earlier demo, whose outcome would only be repeated; choose another folder")
    project, later = _set_up(home, say)
    story: list[str] = []

    def tell(line: str) -> None:
        story.append(line)
        say(line)

    cycle.launch(
        project, threads=api.threads(), after_training=lambda document: api.write_run_report(project, document)
    )
    try:
        # The service first: it takes its port at once and answers 503 until there is a champion.
        with Service(server_arguments(project, port=port), project.home / "server.log") as service:
            _tell_first(cycle.run_first_training("first"), project, tell)
            _take_up(service, project)
            version = actions.champion_version(project)
            tell(f"Serving version {version} at {service.url} (status page, /docs, /metrics).")
            traffic = _live_year(service, later, project, tell)
            summary = _sum_up(traffic, later, project, tell)
            tell(f"The report of each training: {project.runs}/*/report.html")
            tell(f"{time.monotonic() - started:.0f} s in all. The project is in {home / PROJECT}.")
            if stay:
                say(f"Still serving at {service.url}; end with Ctrl-C.")
                with contextlib.suppress(KeyboardInterrupt):
                    threading.Event().wait()
    finally:
        cycle.shut_down()
    return {
        "schema": SCHEMA,
        "project": str(home / PROJECT),
        "story": story,
        "seconds": time.monotonic() - started,
        **summary,
    }


def _set_up(home: Path, say: Callable[[str], None]) -> tuple[Project, pl.DataFrame]:
    """Write the early part as the company's table and make a project of it; the later part is returned."""
    import polars as pl

    from artificer.loop import actions
    from artificer.problem.project import open_project
    from artificer.problem.render import write_problem

    with resources.as_file(resources.files("artificer.demo") / TABLE) as path:
        table = pl.read_parquet(path).sort(TIME)
    early, later = table.filter(pl.col(TIME) < TRAIN_UNTIL), table.filter(pl.col(TIME) >= TRAIN_UNTIL)
    home.mkdir(parents=True, exist_ok=True)
    source = home / "bikes.parquet"
    early.write_parquet(source)
    say(
        f"{early.height:,} hours of bike rentals to learn from (2011); {later.height:,} hours (2012) come as live "
        "traffic."
    )
    api.init(str(source), TARGET, project=home / PROJECT, time=TIME, drop=LEFT_OUT, force=True)
    project = actions.with_overrides(open_project(home / PROJECT), **SETTINGS)
    write_problem(project.dir, project.problem, overwrite=True)
    return project, later


def _tell_first(result: Json, project: Project, tell: Callable[[str], None]) -> None:
    from artificer.loop import actions

    run = actions.run_document(project, result["run"]) or {}
    low, high = run["interval"]
    members = ", ".join(f"{row['name']} {row['weight']:.2f}" for row in run["leaderboard"] if row["weight"])
    tell(
        f"Version 1: rmse {run['score']:.1f} [{low:.1f}, {high:.1f}] on the newest {run['rows']['test']:,} hours of "
        "2011, "
        f"constant baseline {run['baseline_score']:.1f}; members: {members}; "
        f"{run['measured']['latency_p50_ms'] * 1e3:.0f} us a row, {run['measured']['model_mb']:.1f} MB; "
        f"trained in {run['seconds']:.0f} s; gate {run['gate']}."
    )


def _live_year(service: Service, later: pl.DataFrame, project: Project, tell: Callable[[str], None]) -> Traffic:
    """Replay month by month; after each month the loop takes one look."""
    from artificer.loop import cycle
    from artificer.training.measure import json_rows

    rows = json_rows(later.drop(TARGET, *LEFT_OUT))
    traffic = Traffic(service.url, rows, later[TARGET].to_list(), OUTCOME_DELAY)
    months = later[TIME].dt.month().to_numpy()
    for month in range(1, 13):
        positions = np.flatnonzero(months == month)
        begin = time.monotonic()
        traffic.play(int(positions[0]), int(positions[-1]) + 1, HOURS_A_DAY)
        took = time.monotonic() - begin
        result = cycle.run_cycle(f"2012-{month:02d}")
        name = later[TIME][int(positions[0])].strftime("%B")
        tell(f"{name}: {len(positions)} predictions in {took:.1f} s. Loop: {_outcome(result)}")
        _take_up(service, project)
    return traffic


def _outcome(result: Json) -> str:
    text = f"{result['action']}, because {result['reason']}."
    if "version" in result:
        promotion = result["promotion"]
        comparison = result["comparison"] or {}
        text += f" Trained version {result['version']} (gate {result['gate']}); {comparison.get('reason', '')}"
        text += f" {'Promoted' if promotion['promoted'] else 'Kept the champion'}: {promotion['reason']}."
    if "change" in result:
        text += f" Version {result['change']['version']} is champion again."
    return text


def _take_up(service: Service, project: Project) -> None:
    """Wait until the running service answers with the champion; it looks for a new one by itself."""
    import json
    import urllib.error
    import urllib.request

    from artificer.loop import actions

    wanted = str(actions.champion_version(project))
    deadline = time.monotonic() + 10.0
    pause = threading.Event()
    while time.monotonic() < deadline:
        # Before its first champion the service answers 503.
        with (
            contextlib.suppress(urllib.error.HTTPError),
            urllib.request.urlopen(f"{service.url}/v1/model", timeout=10) as response,  # noqa: S310 -- our own service
        ):
            if str(json.loads(response.read())["version"]) == wanted:
                return
        pause.wait(0.1)


def _sum_up(traffic: Traffic, later: pl.DataFrame, project: Project, tell: Callable[[str], None]) -> Json:
    """What the loop was worth: the errors of what was answered against those of the first version alone."""
    from artificer.bundle.format import load_bundle
    from artificer.loop import actions

    y = np.asarray(traffic.outcomes, dtype=np.float64)
    answered = np.array([prediction for _, prediction, _ in traffic.answered], dtype=np.float64)
    first = load_bundle(actions.registry_of(project).bundle_path(1))
    alone = actions.scores_on(first, later, ())[:, 0]
    served, stale = _rmse(y, answered), _rmse(y, alone)
    versions = sorted({version for _, _, version in traffic.answered})
    records = actions.history_of(project).records()
    tell(
        f"2012 as served (versions {', '.join(map(str, versions))}): rmse {served:.1f}; "
        f"version 1 left alone would have had {stale:.1f} ({1 - served / stale:+.0%} error saved by the loop)."
    )
    return {
        "predictions": len(traffic.answered),
        "rmse_served": served,
        "rmse_first_version_alone": stale,
        "versions": versions,
        "decisions": [{"kind": r.kind, "summary": r.summary, "version": r.version} for r in records],
    }


def _rmse(y: Any, predicted: Any) -> float:
    return float(np.sqrt(np.mean((y - predicted) ** 2)))
