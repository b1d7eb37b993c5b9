"""Short columns are gone through in Python, long ones by Polars: both must say the same of every cell."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.tables import parsing
from artificer.tables.parsing import MARKERS, lowered, marked, matches, parse_numbers, read_text, stripped

ODD = (
    *("", " ", "1", " 2.50 ", "1,234.5", "-7", "(3)", "007", "1e5", "$5", "20240131", "NA", "?", "True", "false"),
    *("\u00a04", "x\n", "1\n", "Stra\u00dfe", "12 kg", "1.234,5", "31/01/2020", "\u22124", "1e999"),
)
CELLS = st.none() | st.sampled_from(ODD) | st.text(max_size=5)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(CELLS, min_size=1, max_size=30))
def test_both_ways_agree(cells: list[str | None]) -> None:
    text = pl.Series("text", cells, dtype=pl.String)
    found = []
    for short in (1000, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parsing, "SHORT", short)
            bare = stripped(text)
            found.append(
                [
                    bare.to_list(),
                    lowered(bare).to_list(),
                    marked(bare, MARKERS).tolist(),
                    *(
                        matches(bare, pattern).tolist()
                        for pattern in (parsing._PLAINLY, parsing._SURELY_DECIMAL, "[0-9]")
                    ),
                    *(np.nan_to_num(parse_numbers(text, e), nan=-1.5).tolist() for e in (None, "1.234,5", "$1,234.5")),
                    read_text(text),
                ]
            )
    for python, polars in zip(*found, strict=True):
        assert python == polars
