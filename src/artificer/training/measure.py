"""What a finished model costs in use: latency of one row, throughput, size."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from artificer.tables.cells import LIST
from artificer.types import MISSING_STRING, MISSING_TIME, Blocks, Json, Kind, Role

if TYPE_CHECKING:
    import polars as pl

    from artificer.bundle.model import Bundle
    from artificer.tables.contract import ColumnSpec, Contract

SINGLE_ROWS = 200
WARM_UP_ROWS = 20
BATCH_ROWS = 10_000
BATCH_SECONDS = 1.0


def measure(bundle: Bundle, blocks: Blocks, model_bytes: int) -> Json:
    """Time the whole model in this process, from raw JSON values to scores.

    Parameters
    ----------
    blocks : rows to answer; those that the contract would refuse (a missing cell in a column that had none) are passed
        over where single rows are timed.

    Returns
    -------
    ``latency_p50_ms`` and ``latency_p99_ms`` of one row, ``rows_per_s`` of a batch, ``model_mb``.
    """
    times = []
    rows = rows_of(blocks.take(slice(0, SINGLE_ROWS + WARM_UP_ROWS)), bundle.contract)
    bundle.reader.read([])
    for row in rows:
        start = time.perf_counter()
        answered = _answers(bundle, row)
        if answered:
            times.append(time.perf_counter() - start)
    times = times[min(WARM_UP_ROWS, len(times) // 2) :]
    measured: Json = {"model_mb": round(model_bytes / 1e6, 3), "rows_timed": len(times)}
    if times:
        p50, p99 = np.percentile(np.array(times) * 1e3, [50, 99])
        measured |= {"latency_p50_ms": round(float(p50), 4), "latency_p99_ms": round(float(p99), 4)}
    batch = (
        blocks.take(np.arange(min(BATCH_ROWS, max(len(blocks), 1))) % max(len(blocks), 1)) if len(blocks) else blocks
    )
    start, done = time.perf_counter(), 0
    while len(batch) and time.perf_counter() - start < BATCH_SECONDS:
        bundle.predict_blocks(batch)
        done += len(batch)
        if done >= BATCH_ROWS:
            break
    if done:
        measured["rows_per_s"] = round(done / (time.perf_counter() - start))
    return measured


def rows_of(blocks: Blocks, contract: Contract) -> list[dict[str, Any]]:
    """Rows as a service would receive them, from what they became."""
    columns: dict[str, list[Any]] = {}
    for kind in Kind:
        for j, spec in enumerate(contract.of(kind)):
            columns[spec.name] = [_raw(value, spec) for value in blocks.of(kind)[:, j].tolist()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _raw(value: Any, spec: ColumnSpec) -> Any:
    role = spec.role
    if value in (MISSING_STRING, MISSING_TIME) or (isinstance(value, float) and math.isnan(value)):
        return None
    if role is Role.BOOLEAN:
        return bool(value)
    if spec.format == LIST:
        return value.split(" ")
    return datetime.fromtimestamp(value, UTC).isoformat() if role is Role.DATETIME else value


def json_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as a service would receive them: JSON values, times as ISO 8601 text, no NaN."""
    return [{name: _json_value(value) for name, value in row.items()} for row in frame.to_dicts()]


def _json_value(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _answers(bundle: Bundle, row: dict[str, Any]) -> bool:
    from artificer.errors import ContractError

    try:
        bundle.predict_rows([row])
    except ContractError:
        return False
    return True
