"""A project's model at work: rows scored, the service started, the model handed to others."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.api.common import Watch, silent
from artificer.api.common import threads as cores
from artificer.errors import UsageError
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle
    from artificer.training.gathering import Widen

PREDICT_SCHEMA = "artificer.predict/1"
EXPORT_SCHEMA = "artificer.export/1"


def predict_file(
    source: str,
    output: Path | str,
    *,
    project: Path = Path(),
    version: int | None = None,
    bundle: Path | None = None,
    coverage: float | None = None,
    progress: Watch = silent,
) -> Json:
    """Score rows; every row of the input is in the output, in its order.

    Called again after it was killed, it computes only what is missing.

    Parameters
    ----------
    output : a file, or ``URL#table`` for a new table of a database.
    coverage : how surely the truth is to lie in the intervals or sets that are added; none are when None.
    """
    from artificer.problem.places import mask
    from artificer.training.score import score_file

    started = time.monotonic()
    if bundle is not None:
        from artificer.bundle.format import load_bundle

        loaded, number = load_bundle(bundle), None
    else:
        loaded, number = bundle_of(project, version, threads=1)
    # Batches side by side keep the cores busier than one graph on several of them.
    widen = _widening(loaded, project)
    found = score_file(loaded, source, output, coverage, threads=cores(), widen=widen, watch=progress)
    return {
        "schema": PREDICT_SCHEMA,
        "output": mask(str(output)),
        "version": number,
        **found,
        "seconds": round(time.monotonic() - started, 3),
    }


def _widening(bundle: Bundle, project: Path) -> Widen | None:
    """What brings to rows the columns that were joined when this version was trained."""
    from artificer.problem.load import build_problem
    from artificer.training.gathering import widening

    recorded = (bundle.lineage.get("problem") or {}).get("data") or {}
    if not recorded.get("join"):
        return None
    kept = {key: recorded[key] for key in ("target", "time", "join") if key in recorded}
    data = build_problem({"data": kept}, "the model's record of its data").data
    return widening(data.join, project.resolve(), bundle.contract, data.time)


def server_command(
    project: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    as_json: bool = False,
) -> list[str]:
    """The command line that serves a project's champion.

    Raises
    ------
    MissingError
        No version has been promoted yet.
    """
    from artificer.bundle.pointer import read_pointer
    from artificer.loop.service import server_arguments
    from artificer.problem.project import open_project

    opened = open_project(project)
    read_pointer(opened.champion_file)
    return server_arguments(opened, host, port, workers, as_json=as_json)


def export(project: Path, output: Path, *, version: int | None = None) -> Json:
    """Write a version as one ONNX file."""
    from artificer.bundle.exporters.onnx import export_onnx

    bundle, number = bundle_of(project, version)
    if output.is_dir() or output.suffix.lower() != ".onnx":
        raise UsageError(f"{output} is no name for an ONNX file; name one that ends in .onnx")
    export_onnx(bundle, output)
    return {"schema": EXPORT_SCHEMA, "output": str(output), "version": number}


def bundle_of(project: Path, version: int | None, threads: int | None = None) -> tuple[Bundle, int]:
    """A version's bundle and number, by default the champion's; its graph on all cores unless `threads` says else."""
    from artificer.bundle.format import load_bundle
    from artificer.bundle.pointer import read_pointer
    from artificer.loop import actions
    from artificer.problem.project import open_project

    opened = open_project(project)
    if version is None:
        pointer = read_pointer(opened.champion_file)
        path = pointer.bundle_path(opened.champion_file)
        return load_bundle(path, threads=threads or cores(), sha256=pointer.sha256), pointer.version
    return load_bundle(actions.registry_of(opened).bundle_path(version), threads=threads or cores()), version


def stream_command(project: Path, *, as_json: bool = False) -> list[str]:
    """The command line that scores a project's stream of events.

    Raises
    ------
    ConfigurationError
        The project names no stream.
    """
    import sys

    from artificer.errors import ConfigurationError
    from artificer.problem.project import open_project

    opened = open_project(project)
    if opened.problem.stream.url is None:
        raise ConfigurationError(f"{opened.file} has no stream; add [stream] with url and events")
    return [sys.executable, "-m", "artificer.streams", "--project", str(opened.dir), *(["--json"] if as_json else [])]
