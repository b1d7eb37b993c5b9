from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from artificer.tables.arrays import to_blocks
from artificer.tables.prepare import prepare
from artificer.training.row_hashes import TEST_FILE, TRAIN_FILE, counted, keep_hashes, read_hashes, row_hashes


def test_a_row_is_known_again_under_another_type_and_order_of_columns() -> None:
    frame = pl.DataFrame({"x": list(range(0, 90, 3)), "z": ["a", "b"] * 15, "y": [0, 1, 1] * 10})
    ready = prepare(frame, target="y")
    later = frame.select("y", pl.col("x").cast(pl.Float64), pl.lit(1).alias("more"), pl.col("z"))
    blocks = to_blocks(later, ready.contract)
    first = row_hashes(frame, ready.blocks, ready.contract)
    assert np.array_equal(first, row_hashes(later, blocks, ready.contract))
    assert len(set(first.tolist())) == 30
    other = row_hashes(frame.with_columns(y=1 - pl.col("y")), ready.blocks, ready.contract)
    assert not np.isin(other, first).any(), "the target is part of the content"


def test_equal_rows_are_told_apart_by_their_count(tmp_path: Path) -> None:
    hashes = np.array([5, 5, 9, 5], dtype=np.uint64)
    keep_hashes(tmp_path, hashes, np.array([0, 2]), np.array([3, 1]))
    trained, counts = read_hashes(tmp_path / TRAIN_FILE), read_hashes(tmp_path / TEST_FILE)
    assert trained is not None
    assert counts is not None
    assert counts.tolist() == [2, 1]
    assert np.isin(counted(hashes, np.array([0, 1, 0, 2])), trained).tolist() == [True, False, True, False]


def test_hashes_that_are_damaged_or_gone_are_not_at_hand(tmp_path: Path) -> None:
    assert read_hashes(tmp_path / "none.npy") is None
    (tmp_path / "half.npy").write_bytes(b"\x93NUMPY\x01")
    assert read_hashes(tmp_path / "half.npy") is None
