"""A loaded bundle: rows in, scores and predictions out. NumPy, msgspec and ONNX Runtime are all it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from artificer.bundle.conformal import Conformal, Promise
from artificer.errors import BundleDamagedError, UsageError
from artificer.tables.contract import Contract, RowReader
from artificer.types import MISSING_TIME, Blocks, Floats, Json, Kind

ROWS_AT_ONCE = 4096
CELLS_AT_ONCE = 1_000_000
CELLS_OF_A_TEXT = 4_000
"""What the graph is given in one call: more is no faster, and ONNX Runtime keeps the memory of its largest call."""


@dataclass(frozen=True)
class Bundle:
    """An audited bundle with its session. Immutable; safe to share between threads.

    Attributes
    ----------
    sha256, bytes : of the file.
    inputs : the blocks the graph reads.
    """

    name: str
    model: bytes = field(repr=False)
    contract: Contract = field(repr=False)
    reference: Json = field(repr=False)
    metrics: Json = field(repr=False)
    recipe: Json = field(repr=False)
    lineage: Json = field(repr=False)
    sha256: str
    bytes: int
    created: datetime
    artificer_version: str
    inputs: tuple[Kind, ...]
    session: Any = field(repr=False, compare=False)

    @cached_property
    def reader(self) -> RowReader:
        """Reads JSON rows into blocks."""
        return RowReader(self.contract)

    def predict_blocks(self, blocks: Blocks) -> Floats:
        """Score rows: class probabilities (n, c) in class order, values (n, 1), or quantiles (n, q); float32."""
        rows = len(blocks)
        if rows == 0:
            return np.zeros((0, self.contract.width), dtype=np.float32)
        feed = {kind.value: blocks.of(kind) for kind in self.inputs}
        # A long text becomes a thousand tokens in the graph, and all rows of a call are padded to the longest.
        wide = {Kind.TEXTS.value: CELLS_OF_A_TEXT}
        width = max(1, sum(block.shape[1] * wide.get(name, 1) for name, block in feed.items()))
        step = max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // width))
        if rows <= step:
            return self._run(feed)
        parts = [
            self._run({name: block[start : start + step] for name, block in feed.items()})
            for start in range(0, rows, step)
        ]
        return np.concatenate(parts)

    def predict_rows(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Floats, tuple[str, ...]]:
        """Score JSON rows; returns scores (n, c) and warnings about columns that were ignored.

        Raises
        ------
        ContractError
            Rows break the contract.
        """
        blocks, warnings = self.reader.read(rows)
        return self.predict_blocks(blocks), warnings

    def labels(self, scores: Floats) -> list[Any]:
        """Turn scores (n, c) into predictions: the likeliest class, or under costs the dearest to miss, as its label
        is; the value; the middle quantile.
        """
        if not self.contract.task.is_classification:
            values: list[Any] = scores[:, self.contract.middle].tolist()
            return values
        return [self._classes[code] for code in self.contract.class_codes(scores).tolist()]

    @cached_property
    def _classes(self) -> tuple[Any, ...]:
        return tuple(self.contract.label(text) for text in self.contract.classes)

    @cached_property
    def conformal(self) -> Conformal | None:
        """The record of coverage, None where the model has none.

        Raises
        ------
        BundleDamagedError
            It cannot be read.
        """
        record = self.metrics.get("conformal")
        return None if record is None else Conformal.from_json(record, self.contract.task)

    def promise(self, coverage: float) -> Promise:
        """What turns scores into intervals, or into sets of classes, that cover the truth with probability `coverage`.

        Raises
        ------
        UsageError
            `coverage` is out of range, nothing is known of the model on rows it had not seen, or it predicts quantiles.
        """
        if self.contract.levels:
            levels = ", ".join(map(str, self.contract.levels))
            raise UsageError(
                f"the model {self.name} predicts the quantiles {levels} and promises no coverage "
                "beside them; take the outermost ones for an interval"
            )
        if self.conformal is None:
            raise UsageError(
                f"the model {self.name} keeps no record of its errors on rows it had not seen, so no coverage can be "
                "promised; train it again, on more rows or for longer"
            )
        return self.conformal.at(coverage)

    def _run(self, feed: Mapping[str, Any]) -> Floats:
        scores: Floats = self.session.run(_OUTPUTS, feed)[0]
        return scores


_OUTPUTS = ["scores"]


def session_options(threads: int = 1) -> Any:
    """Options for answering few rows at a time, in a process that has other work.

    One thread and no spinning: a graph of tens of microseconds is not worth waking another core, and a pool that spins
    between requests takes a core from the process that asks. The memory plan per input shape is off because request
    sizes vary without end.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def open_session(model: bytes, contract: Contract, inputs: Sequence[Kind], threads: int, path: Path) -> Any:
    """Build the session of an audited graph and let it answer one row of missing values.

    Raises
    ------
    BundleDamagedError
        ONNX Runtime refuses the graph, or its answer is not of the shape the contract says.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as ort

    blank: dict[Kind, Any] = {
        Kind.NUMBERS: np.full((1, len(contract.of(Kind.NUMBERS))), np.nan, dtype=np.float32),
        Kind.STRINGS: np.full((1, len(contract.of(Kind.STRINGS))), "", dtype=object),
        Kind.TIMES: np.full((1, len(contract.of(Kind.TIMES))), MISSING_TIME, dtype=np.int64),
        Kind.TEXTS: np.full((1, len(contract.of(Kind.TEXTS))), "", dtype=object),
    }
    refusals = (ort.Fail, ort.InvalidArgument, ort.InvalidGraph, ort.InvalidProtobuf, ort.NotImplemented)
    try:
        session = onnxruntime.InferenceSession(model, session_options(threads), providers=["CPUExecutionProvider"])
        # The first run of a session is slow; no request should pay for it.
        scores = session.run(_OUTPUTS, {kind.value: blank[kind] for kind in inputs})[0]
    except (*refusals, ort.RuntimeException, ort.NoSuchFile, ort.EPFail) as error:
        reason = str(error).splitlines()[0]
        raise BundleDamagedError(f"ONNX Runtime refuses the graph of {path} ({reason}); train it again") from error
    if scores.shape != (1, contract.width) or scores.dtype != np.float32:
        raise BundleDamagedError(
            f"the model graph of {path} answers one row with {scores.dtype} {scores.shape}; train it again"
        )
    return session
