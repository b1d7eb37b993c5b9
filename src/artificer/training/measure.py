"""What a finished model costs in use: latency of one row, throughput, size."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from artificer.types import Blocks, Json

if TYPE_CHECKING:
    import polars as pl

    from artificer.bundle.model import Bundle

SINGLE_ROWS = 200
WARM_UP_ROWS = 20
BATCH_ROWS = 10_000
BATCH_SECONDS = 1.0


def measure(bundle: Bundle, frame: pl.DataFrame, blocks: Blocks, model_bytes: int) -> Json:
    """Time the whole model in this process, from raw values to scores.

    Parameters
    ----------
    frame : some rows in source form; rows that the contract would refuse (a missing cell in a column that had none) are
        passed over.
    blocks : rows for the batch figure.

    Returns
    -------
    ``latency_p50_ms`` and ``latency_p99_ms`` of one row, ``rows_per_s`` of a batch, ``model_mb``.
    """
    times = []
    rows = json_rows(frame.head(SINGLE_ROWS + WARM_UP_ROWS))
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


def json_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as a service would receive them: JSON values, times as ISO 8601 text, no NaN."""
    return [{name: _json_value(value) for name, value in row.items()} for row in frame.to_dicts()]


def _json_value(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _answers(bundle: Bundle, row: dict[str, Any]) -> bool:
    from artificer.errors import ContractError

    try:
        bundle.predict_rows([row])
    except ContractError:
        return False
    return True
