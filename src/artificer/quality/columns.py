"""Checks of columns: those that cannot feed a model, and those that say the same twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from artificer.quality.base import Check, Checked, Finding
from artificer.tables.contract import ColumnSpec
from artificer.types import Kind, Role


def _left_out(rule: str, spec: ColumnSpec, rows: int, what: str) -> Finding:
    evidence = f'"{spec.name}" is {what}: {spec.reason}'
    return Finding(rule, spec.name, rows, 1.0, (), "info", evidence, "it was left out of the model", True)


class ConstantColumns(Check):
    """Columns with one value or none."""

    name: ClassVar[str] = "constant"

    def run(self, table: Checked) -> Iterator[Finding]:
        for spec in table.contract.columns:
            if spec.role is Role.CONSTANT:
                yield _left_out(self.name, spec, table.frame.height, "constant")


class IdColumns(Check):
    """Keys, which a model can only learn by heart."""

    name: ClassVar[str] = "id"

    def run(self, table: Checked) -> Iterator[Finding]:
        for spec in table.contract.columns:
            if spec.role is Role.ID:
                yield _left_out(self.name, spec, table.frame.height, "an id")


class CopiedColumns(Check):
    """Feature columns that hold the same values as an earlier one."""

    name: ClassVar[str] = "duplicate_column"

    def run(self, table: Checked) -> Iterator[Finding]:
        for kind in Kind:
            seen: dict[str, str] = {}
            block = table.blocks.of(kind)
            for j, name in enumerate(table.contract.names(kind)):
                values = block[:, j]
                if kind in (Kind.STRINGS, Kind.TEXTS):
                    data = "\x1f".join(map(str, values)).encode(errors="replace")
                elif kind is Kind.NUMBERS:
                    data = np.where(np.isnan(values.astype(np.float32)), np.float32(np.nan), values).tobytes()
                else:
                    data = values.tobytes()
                first = seen.setdefault(hashlib.blake2b(data, digest_size=16).hexdigest(), name)
                if first != name:
                    evidence = f'"{name}" holds the same values as "{first}" in every row'
                    mend = "drop one of the two; their importances share what they say"
                    yield Finding(self.name, name, len(values), 1.0, (first,), "warning", evidence, mend)
