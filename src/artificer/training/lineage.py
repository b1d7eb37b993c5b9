"""Where a model comes from: data, code, libraries, seed, and the version it would replace."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from artificer import __version__
from artificer.problem.places import mask
from artificer.training.request import TrainingRequest
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.sources.base import ReadResult
    from artificer.tables.prepare import Prepared

LIBRARIES = ("catboost", "lightgbm", "numpy", "onnx", "onnxruntime", "polars", "scikit-learn", "xgboost-cpu")


def lineage(
    request: TrainingRequest,
    read: ReadResult,
    snapshots: Sequence[Json],
    prepared: Prepared,
    rows: tuple[int, int],
    search_seconds: float,
) -> Json:
    """What the bundle and the registry keep of a run's origin."""
    production = request.production_rows
    return {
        "run": request.run_id,
        "created": request.clock.now().isoformat(),
        "cause": request.cause,
        "parent_version": request.parent,
        "data": {
            "source": mask(request.source) if isinstance(request.source, str) else _describe(request.source),
            "snapshots": list(snapshots),
            "fingerprint": read.fingerprint,
            "rows": read.rows_read,
            "production_rows": len(production),
            "production_fingerprint": _fingerprint(production) if production else None,
            "train_rows": rows[0],
            "test_rows": rows[1],
            "columns": len(prepared.contract.columns),
        },
        "problem": request.problem.to_json(),
        "search_seconds": round(search_seconds, 3),
        "repeats_recipe": request.recipe is not None,
        "artificer": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def _describe(source: object) -> str:
    return str(source) if hasattr(source, "__fspath__") else f"{type(source).__module__}.{type(source).__name__}"


def _fingerprint(rows: tuple[Json, ...]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
