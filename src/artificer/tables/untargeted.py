"""The contract of a table of which nobody has said what is to be predicted: to check it, not to learn from it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import polars as pl

from artificer.tables.arrays import to_blocks
from artificer.tables.contract import Contract
from artificer.tables.prepare import described
from artificer.tables.roles import infer_roles
from artificer.types import Task


def untargeted(
    frame: pl.DataFrame,
    *,
    time: str | None = None,
    group: str | None = None,
    ids: Collection[str] = (),
    drop: Collection[str] = (),
    as_is: Collection[str] = (),
) -> tuple[Contract, tuple[str, ...]]:
    """Give every column its role; also the notes on cells that could not be read. The target is a name no column has.

    Raises
    ------
    DataError
        A named column does not exist, or the time column holds no times.

    Examples
    --------
    >>> contract, notes = untargeted(pl.DataFrame({"a": ["1,5", "2,25"], "b": ["x", "y"]}))
    >>> [(column.name, column.role.value) for column in contract.columns], contract.target
    ([('a', 'numeric'), ('b', 'categorical')], '')
    """
    target = ""
    while target in frame.columns:
        target += "_"
    specs, notes = infer_roles(frame, target, time=time, group=group, ids=ids, drop=drop, as_is=as_is)
    draft = Contract(specs, target, Task.REGRESSION, time=time)
    blocks, _ = to_blocks(frame, draft, strict=False)
    return replace(draft, columns=described(draft, blocks)), notes
