"""Arrow IPC streams: a table of rows in, a table of predictions out.

Polars reads and writes them; it is imported by the first such request, as JSON does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from artificer.server.bodies import MAX_CELLS
from artificer.server.dialects.base import Dialect
from artificer.server.dialects.told import columns_of
from artificer.server.problems import Refusal
from artificer.serving.predictor import Answer, Ask, Predictor

if TYPE_CHECKING:
    import polars as pl

MEDIA: Final = frozenset({b"application/vnd.apache.arrow.stream"})
ARROW: Final = (b"content-type", b"application/vnd.apache.arrow.stream")


def read(body: bytes, predictor: Predictor) -> Ask:
    """Read a body; Refusal where it is none."""
    import polars as pl

    try:
        frame = pl.read_ipc_stream(body)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        cause = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise Refusal(400, "malformed", f"the body is no Arrow IPC stream ({cause}); send one whole stream") from error
    if frame.width * frame.height > MAX_CELLS:
        detail = f"the body holds more than {MAX_CELLS:,} values; send the rows in smaller batches"
        raise Refusal(413, "too-large", detail)
    return Ask(frame.select(_plain(frame, column) for column in frame.columns).to_dicts())


def _plain(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A column as JSON would bring it: times as ISO 8601, decimals as numbers, binary cells as texts."""
    import polars as pl

    dtype, column = frame.schema[name], pl.col(name)
    if isinstance(dtype, pl.Datetime):
        return column.dt.to_string("iso:strict")
    if dtype == pl.Date:
        return column.dt.to_string("%Y-%m-%d")
    if dtype.is_decimal():
        return column.cast(pl.Float64)
    if dtype.is_float():
        return column.cast(pl.Float64).fill_nan(None)
    if dtype.is_temporal() or dtype in (pl.Categorical, pl.Enum, pl.Binary):
        return column.cast(pl.String, strict=False)
    return column


def write(predictor: Predictor, answer: Answer, ask: Ask) -> bytes:
    """Write a row for each row."""
    import polars as pl

    columns: dict[str, Any] = columns_of(predictor, answer)
    return _bytes(pl.DataFrame(columns))


def _bytes(frame: pl.DataFrame) -> bytes:
    found: bytes = frame.write_ipc_stream(None, compat_level=_oldest()).getvalue()
    return found


def _oldest() -> Any:
    """String views are younger than many readers of Arrow."""
    import polars as pl

    return pl.CompatLevel.oldest()


ROWS_ARROW: Final = Dialect("/v1/predict", MEDIA, read, write, ARROW)
