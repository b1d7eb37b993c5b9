from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from artificer.tables.arrays import to_blocks
from artificer.tables.prepare import prepare
from artificer.training.row_hashes import (
    TEST_FILE,
    TRAIN_FILE,
    counted,
    hashes_under,
    keep_hashes,
    read_hashes,
    row_hashes,
)


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


def test_training_rows_are_known_again_where_another_contract_mends_cells(tmp_path: Path) -> None:
    towns = ["Bergen", "Bergen", "Bergn", "Bergen", "Oslo", "Oslo", "Oslo"]
    frame = pl.DataFrame({"town": towns, "y": [0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.4]})
    plain = prepare(frame, target="y")
    mended = tuple(
        replace(spec, spelling={"Bergn": "Bergen"}) if spec.name == "town" else spec for spec in plain.contract.columns
    )
    later = replace(plain.contract, columns=mended)
    champion, challenger = tmp_path / "champion", tmp_path / "challenger"
    champion.mkdir()
    challenger.mkdir()
    every = np.arange(7)
    for contract, folder in ((plain.contract, champion), (later, challenger)):
        hashes = hashes_under(frame, contract)
        assert hashes is not None
        keep_hashes(folder, hashes, every[:6], every, hashes_under(frame, plain.contract))
    trained, counts = read_hashes(champion / TRAIN_FILE), read_hashes(challenger / TEST_FILE)
    assert trained is not None
    assert counts is not None
    hashes = hashes_under(frame, plain.contract)
    assert hashes is not None
    assert np.isin(counted(hashes, counts), trained).tolist() == [True] * 6 + [False]
    assert hashes_under(frame.drop("y"), later) is None
    assert hashes_under(frame.drop("town"), later) is None


def test_hashes_that_are_damaged_or_gone_are_not_at_hand(tmp_path: Path) -> None:
    assert read_hashes(tmp_path / "none.npy") is None
    (tmp_path / "half.npy").write_bytes(b"\x93NUMPY\x01")
    assert read_hashes(tmp_path / "half.npy") is None
