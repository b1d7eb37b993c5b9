"""The holdout ledger keeps every read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from artificer.errors import ArtificerError
from artificer.splits.ledger import HoldoutLedger

WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_reads_are_appended(tmp_path: Path) -> None:
    ledger = HoldoutLedger(tmp_path / "deep" / "holdout.jsonl")
    assert ledger.entries() == ()
    ledger.record("run 1", "final evaluation", WHEN)
    HoldoutLedger(ledger.path).record("run 2", 'a "quoted"\nline', WHEN)
    reads = ledger.entries()
    assert [read.who for read in reads] == ["run 1", "run 2"]
    assert reads[1].why == 'a "quoted"\nline'
    assert reads[0].when == "2026-03-01T12:00:00+00:00"


def test_a_line_cut_short_still_counts(tmp_path: Path) -> None:
    ledger = HoldoutLedger(tmp_path / "holdout.jsonl")
    ledger.record("run 1", "final evaluation", WHEN)
    data = ledger.path.read_bytes()
    ledger.path.write_bytes(data + data[:20])
    ledger.record("run 3", "comparison", WHEN)
    assert [read.who for read in ledger.entries()] == ["run 1", "unknown", "run 3"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtificerError, match="cannot be written"):
        HoldoutLedger(tmp_path / "file" / "holdout.jsonl").record("run", "why", WHEN)
