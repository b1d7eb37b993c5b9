"""What a database's cursor gives, as frames; values of mixed types become text, so that none is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from artificer.sources.dialect import unique_names
from artificer.tables.door import column_of

if TYPE_CHECKING:
    import polars as pl


def frames(columns: Sequence[str], fetch: Callable[[int], Sequence[Any]], rows: int) -> Iterator[pl.DataFrame]:
    """What `fetch` gives, so many rows at a time; at least one frame."""
    names, _ = unique_names(columns)
    yield _frame(names, fetch(rows))
    while taken := fetch(rows):
        yield _frame(names, taken)


def _frame(names: Sequence[str], rows: Sequence[Any]) -> pl.DataFrame:
    import polars as pl

    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(
        [column_of(name, [_cell(v) for v in values]) for name, values in zip(names, columns, strict=True)]
    )


def _cell(value: Any) -> Any:
    """Exact decimals as numbers, as models read them."""
    return float(value) if isinstance(value, Decimal) else value


def gathered(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Frames of the same columns as one; a column whose types differ from part to part becomes text."""
    from artificer.sources.union import united

    found = list(parts)
    return united([(str(i), frame) for i, frame in enumerate(found)])[0]
