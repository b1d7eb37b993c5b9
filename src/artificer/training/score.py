"""Score a file: the input's rows in their order, with the prediction and class probabilities or quantiles added."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from artificer.errors import ArtificerError, DataError, UsageError
from artificer.types import Floats, Json

if TYPE_CHECKING:
    import polars as pl

    from artificer.bundle.conformal import Promise
    from artificer.bundle.model import Bundle

PREDICTION = "prediction"
PROBABILITY = "probability_"
WRITERS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: _flat(frame).write_csv(path),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".ndjson": lambda frame, path: frame.write_ndjson(path),
    ".arrow": lambda frame, path: frame.write_ipc(path),
    ".feather": lambda frame, path: frame.write_ipc(path),
}


def score_file(bundle: Bundle, source: str, output: Path, coverage: float | None = None) -> Json:
    """Score `source` into `output`; nothing is left of the output when the work fails.

    A cell that breaks the contract is scored as missing, counted and told; a line that cannot be parsed goes to the
    rejects file beside the output.

    Raises
    ------
    UsageError
        The output's kind of file is unknown, or the model cannot promise `coverage`.
    ContractError
        A column that the model needs is not there.
    """
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_source

    if output.suffix.lower() not in WRITERS:
        raise UsageError(f"{output} has no known kind of file; end its name with one of {', '.join(WRITERS)}")
    if output.exists() and Path(source).exists() and output.samefile(source):
        raise UsageError(f"{output} is the input itself, which is never written over; choose another output")
    promise = None if coverage is None else bundle.promise(coverage)
    rejects = output.with_name(output.name + ".rejects.jsonl")
    read = read_source(source, options=ReadOptions(max_reject_share=1.0, rejects_path=rejects))
    frame, notes = score_frame(bundle, read.frame, promise)
    _write(frame, output)
    return {
        "rows": frame.height,
        "rejected": read.rows_rejected,
        "rejects": str(read.rejects_path) if read.rejects_path else None,
        "notes": [*read.notes, *notes],
    }


def score_frame(bundle: Bundle, frame: pl.DataFrame, promise: Promise | None = None) -> tuple[pl.DataFrame, list[str]]:
    """Add ``prediction`` and, for classes, ``probability_<class>`` to a table; says what was odd.

    For quantiles come ``<target>_q<level>``.
    With a `promise` come ``<target>_low`` and ``<target>_high``, or ``<target>_set``.
    """
    import polars as pl

    from artificer.tables.arrays import to_blocks

    blocks, broken = to_blocks(frame, bundle.contract, strict=False)
    scores = bundle.predict_blocks(blocks)
    if not np.isfinite(scores).all():
        raise DataError("the model gave a score that is no number; report this with the rows that did it")
    added = [pl.Series(PREDICTION, bundle.labels(scores))]
    added += [
        pl.Series(PROBABILITY + name, scores[:, code].astype(np.float64))
        for code, name in enumerate(bundle.contract.classes)
    ]
    added += [
        pl.Series(f"{bundle.contract.target}_q{level}", scores[:, j].astype(np.float64))
        for j, level in enumerate(bundle.contract.levels)
    ]
    if promise is not None:
        added += _promised(bundle, scores, promise)
    notes = [
        f'column "{breach.column}": {breach.count:,} cells {_past(breach.rule)} and were scored as missing '
        f"(row {breach.rows[0]}: {breach.examples[0]!r})"
        for breach in broken
    ]
    if promise is not None and promise.note is not None:
        notes.append(promise.note)
    replaced = [series.name for series in added if series.name in frame.columns]
    if replaced:
        notes.append(f"the input's own columns {', '.join(replaced)} were replaced")
    return frame.with_columns(added), notes


def _promised(bundle: Bundle, scores: Floats, promise: Promise) -> list[pl.Series]:
    import polars as pl

    contract = bundle.contract
    if not contract.classes:
        ends = promise.intervals(scores[:, 0])
        return [pl.Series(f"{contract.target}_{end}", ends[:, j]) for j, end in enumerate(("low", "high"))]
    return [pl.Series(f"{contract.target}_set", promise.sets(scores, [contract.label(c) for c in contract.classes]))]


def _past(rule: str) -> str:
    """A rule of the contract as what a cell did: "must be a number" becomes "break the rule (must be a number)"."""
    return f"break the rule ({rule})"


def _write(frame: pl.DataFrame, output: Path) -> None:
    import os

    import polars as pl

    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[output.suffix.lower()](frame, part)
        part.replace(output)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtificerError(
            f"{output} cannot be written ({_reason(error)}); free its disk or choose another"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists as their JSON text, for files whose cells hold one value."""
    import polars as pl

    def text(values: Any) -> str | None:
        return None if values is None else json.dumps(values.to_list(), ensure_ascii=False, default=str)

    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List | pl.Array)]
    return frame.with_columns(pl.col(name).map_elements(text, return_dtype=pl.String) for name in lists)


def _reason(error: Any) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:200].rstrip(".")
