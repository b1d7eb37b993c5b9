"""MLflow runs: written in few calls, read in few calls."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from artificer import __version__
from artificer.registry.records import Promotion
from artificer.types import Json

TAG_LIMIT = 4_900
"""Characters of a tag's value that every MLflow server of the last years takes."""
FLAT_LIMIT = 500
BATCH = 100


@dataclass(frozen=True, slots=True)
class RunContent:
    """What goes into a run: metrics, parameters, its tags, and the tags of the version made from it."""

    metrics: Mapping[str, float]
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    version_tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ArtifactRoot:
    """Folder of the artifacts; None leaves it to the server. `own`: no one else writes there, so it moves with us."""

    folder: Path | None
    own: bool


def register(client: Any, name: str, bundle: Path, file_name: str, content: RunContent, root: ArtifactRoot) -> Any:
    """Write a run with the bundle in it, and make it a version of the model `name`, which is there."""
    from mlflow.entities import RunStatus

    run = client.create_run(
        _experiment(client, name, root), tags={"mlflow.source.name": "artificer", "artificer.version": __version__}
    )
    run_id = run.info.run_id
    try:
        _log(client, run_id, run.info.start_time, content)
        _log_file(client, run_id, bundle, file_name)
        client.set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED))
    except BaseException:
        # The disk may be full; the run is left behind as failed, and no version comes of it.
        with contextlib.suppress(Exception):
            client.set_terminated(run_id, RunStatus.to_string(RunStatus.FAILED))
        raise
    source = f"{run.info.artifact_uri}/{file_name}"
    return client.create_model_version(name, source, run_id, tags=dict(content.version_tags), await_creation_for=None)


def by_id(client: Any, run_ids: Iterable[str]) -> dict[str, Any]:
    """Runs by id; those that were deleted are left out."""
    from mlflow.exceptions import MlflowException

    wanted = set(run_ids)
    found: dict[str, Any] = {}
    with contextlib.suppress(MlflowException):
        first = client.get_run(next(iter(wanted))) if wanted else None
        if first is not None:
            page = client.search_runs([first.info.experiment_id], max_results=1000)
            found = {run.info.run_id: run for run in page if run.info.run_id in wanted}
    for run_id in wanted - found.keys():
        with contextlib.suppress(MlflowException):
            found[run_id] = client.get_run(run_id)
    return found


def download(source: str, uri: str, folder: Path) -> Path:
    """Fetch one artifact into `folder`."""
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=source, dst_path=str(folder), tracking_uri=uri))


def keep_record(client: Any, name: str, key: str, record: Promotion, run_id: str | None) -> None:
    """Keep a promotion as a tag of the model; evidence too long for a tag becomes a file of the version's run."""
    text = record.to_text()
    if len(text) > TAG_LIMIT and run_id:
        place = f"promotions/{record.number:06d}.json"
        client.log_text(run_id, text, place)
        text = replace(record, evidence={"artifact": place}, why=record.why[:2000]).to_text()
    client.set_registered_model_tag(name, key, text)


def compact(lineage: Json) -> str:
    """Lineage as one tag; what is long and also in the bundle (the problem) is left out where it does not fit."""
    text = json.dumps(lineage, ensure_ascii=False, default=str)
    if len(text) > TAG_LIMIT:
        text = json.dumps(dict(_scalars(lineage)), ensure_ascii=False)
    return text if len(text) <= TAG_LIMIT else ""


def flat(lineage: Json) -> dict[str, str]:
    """Lineage as tags to search by: one per value, named by its path.

    Examples
    --------
    >>> flat({"data": {"fingerprint": "ab12", "rows": 3}, "parent_version": None})
    {'lineage.data.fingerprint': 'ab12', 'lineage.data.rows': '3'}
    """
    pairs = ((f"lineage.{key}", str(value)) for key, value in _scalars(lineage) if value is not None)
    return dict([(key, value) for key, value in pairs if len(key) <= 250][: BATCH - 20])


def _scalars(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            if key != "problem":
                yield from _scalars(item, f"{prefix}{key}.")
        elif not isinstance(item, list | tuple):
            yield prefix + key, item[:FLAT_LIMIT] if isinstance(item, str) else item


def _experiment(client: Any, name: str, root: ArtifactRoot) -> str:
    location = None if root.folder is None else root.folder.absolute().as_uri()
    experiment = client.get_experiment_by_name(name)
    if experiment is not None and experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    if experiment is not None and (not root.own or experiment.artifact_location == location):
        return str(experiment.experiment_id)
    if experiment is not None:
        # The project was moved: MLflow would go on writing to the old place.
        client.rename_experiment(experiment.experiment_id, f"{name} (before the move, {experiment.experiment_id})")
    return str(client.create_experiment(name, artifact_location=location))


def _log(client: Any, run_id: str, at: int, content: RunContent) -> None:
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(_key(k), float(v), at, 0) for k, v in content.metrics.items() if math.isfinite(v)]
    params = [Param(_key(k), str(v)[:FLAT_LIMIT]) for k, v in content.params.items()]
    tags = [RunTag(k, v) for k, v in content.tags.items()]
    for start in range(0, max(len(metrics), len(params), len(tags)), BATCH):
        part = slice(start, start + BATCH)
        client.log_batch(run_id, metrics=metrics[part], params=params[part], tags=tags[part])


def _key(name: str) -> str:
    """Metric and parameter names as MLflow takes them."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in str(name))[:250]


def _log_file(client: Any, run_id: str, path: Path, file_name: str) -> None:
    if path.name == file_name:
        client.log_artifact(run_id, str(path))
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="artificer-") as folder:
        named = Path(folder) / file_name
        try:
            named.symlink_to(path.absolute())
        except OSError:
            shutil.copyfile(path, named)
        client.log_artifact(run_id, str(named))
