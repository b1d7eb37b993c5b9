"""All checks over one table, at a bounded cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from artificer.errors import TargetError
from artificer.quality.base import Checked, Finding, checks
from artificer.tables.arrays import encode_target, to_blocks
from artificer.tables.contract import Contract
from artificer.types import Doubles, Ints

if TYPE_CHECKING:
    import polars as pl

MAX_ROWS = 200_000
MAX_CELLS = 20_000_000
ORDER = {"error": 0, "warning": 1, "info": 2}


def check_table(
    frame: pl.DataFrame, contract: Contract, *, max_rows: int = MAX_ROWS, seed: int = 0
) -> tuple[Finding, ...]:
    """Check a table against its contract and for what commonly spoils a model.

    Parameters
    ----------
    frame : raw rows.
    contract : how they are read.
    max_rows : of more rows than this (or fewer, in a very wide table) a random sample is looked at, and a finding
        says so.

    Returns
    -------
    Findings, the severe ones first.

    Examples
    --------
    >>> import polars as pl
    >>> from artificer.tables.prepare import prepare
    >>> table = pl.DataFrame({"a": [1, 2] * 10 + [3] * 20, "b": ["x"] * 40, "y": [0, 1] * 20})
    >>> [(f.rule, f.column) for f in check_table(table, prepare(table, target="y").contract)]
    [('duplicate_rows', None), ('constant', 'b')]
    """
    limit = min(max_rows, max(1000, MAX_CELLS // max(frame.width, 1)))
    found: list[Finding] = []
    total = frame.height
    if total > limit:
        frame = frame.sample(limit, seed=seed, shuffle=False)
        evidence = f"the checks looked at {limit:,} of {total:,} rows, drawn at random"
        found.append(Finding("sampled", None, limit, limit / total, (), "info", evidence, "counts are of these rows"))
    if not frame.height:
        return ()
    relaxed = replace(contract, columns=tuple(replace(column, nullable=True) for column in contract.columns))
    blocks, breaches = to_blocks(frame, relaxed, strict=False)
    table = Checked(frame, contract, blocks, _target(frame, contract), breaches)
    for member in checks().values():
        found.extend(member().run(table))
    place = {name: index for index, name in enumerate(frame.columns)}
    return tuple(sorted(found, key=lambda f: (ORDER[f.severity], f.rule, place.get(f.column or "", -1))))


def _target(frame: pl.DataFrame, contract: Contract) -> Ints | Doubles | None:
    try:
        return encode_target(frame, contract)
    except TargetError:  # a table to be scored has none, or an unknown one
        return None
