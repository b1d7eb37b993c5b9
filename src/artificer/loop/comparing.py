"""A new version against the champion, on test rows that neither was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.bundle.format import load_bundle
from artificer.errors import ContractError
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle
    from artificer.tables.contract import Contract

_DECREE = "decide yourself with artificer promote"


def compare_unseen(runs: Path, version: int, champion: Bundle, run: Json) -> Json:
    """Compare on the test rows that the champion has not seen; undecided where it cannot answer them."""
    import polars as pl

    from artificer.evaluation.comparison import FEWEST_ROWS
    from artificer.training.train import TEST_FILE

    challenger = load_bundle(Path(run["bundle"]))
    frame = pl.read_parquet(runs / run["id"] / TEST_FILE)
    was, now = (_question(bundle.contract) for bundle in (champion, challenger))
    if was != now:
        return _undecided(run, 0, f"Version {version} answers another question ({was}, not {now}); {_DECREE}.")
    try:
        seen = _seen_by(runs, champion, frame, run)
        left_out = int(seen.sum()) if seen is not None else 0
        rows = frame.height - left_out
        if seen is not None and rows < FEWEST_ROWS:
            result = _undecided(run, rows, f"{rows} test rows are left, too few to compare two models.")
        else:
            result = compare_on(champion, challenger, frame if seen is None else frame.filter(~seen), run)
    except ContractError as error:
        reason = str(error).rstrip(".").partition(";")[0]
        return _undecided(run, 0, f"Version {version} cannot be compared: {reason}; {_DECREE}.")
    note = ""
    if seen is None:
        note = f"which rows version {version} was trained on is not known, so some may favour it"
    elif left_out:
        note = f"{left_out:,} of {frame.height:,} test rows were left out, as version {version} was trained on them"
    reason = f"{result['reason']} {note[0].upper()}{note[1:]}." if note else result["reason"]
    return {**result, "reason": reason, "left_out": left_out, "note": note or None}


def _question(contract: Contract) -> str:
    levels = f" {', '.join(map(str, contract.levels))}" if contract.levels else ""
    return f"{contract.task}{levels} of {contract.target}"


def _undecided(run: Json, rows: int, reason: str) -> Json:
    from math import inf, nan

    from artificer.evaluation.comparison import PairedResult

    return PairedResult(
        run["metric"], nan, nan, nan, -inf, inf, nan, 0.05, rows, "undecided", 0.0, False, "none", reason
    ).to_json()


def _seen_by(runs: Path, champion: Bundle, frame: Any, run: Json) -> Any:
    """Mask of the rows that the champion was trained on; None where its run's record of them is not at hand."""
    import numpy as np
    import polars as pl

    from artificer.tables.arrays import to_blocks
    from artificer.training import row_hashes

    origin = str(champion.lineage.get("run", ""))
    if not origin or Path(origin).name != origin:
        return None
    trained = row_hashes.read_hashes(runs / origin / row_hashes.TRAIN_FILE)
    counts = row_hashes.read_hashes(runs / run["id"] / row_hashes.TEST_FILE)
    if trained is None or counts is None or len(counts) != frame.height:
        return None
    blocks, _ = to_blocks(frame, champion.contract, strict=False)
    hashes = row_hashes.row_hashes(frame, blocks, champion.contract)
    return pl.Series(np.isin(row_hashes.counted(hashes, counts), trained))


def compare_on(champion: Bundle, challenger: Bundle, frame: Any, run: Json) -> Json:
    """Paired comparison of the challenger (a) with the champion (b) on `frame`, classes as the challenger has them."""
    import numpy as np

    from artificer.evaluation.comparison import paired_comparison
    from artificer.metrics.base import metric
    from artificer.tables.arrays import column_numbers, encode_target
    from artificer.types import Role

    contract = challenger.contract
    y = encode_target(frame, contract)
    positive = contract.classes.index(contract.positive) if contract.positive in contract.classes else 1
    weighing = next((c for c in contract.columns if c.role is Role.WEIGHT), None)
    result = paired_comparison(
        y,
        scores_on(challenger, frame, contract.classes),
        scores_on(champion, frame, contract.classes),
        metric(run["metric"], positive, contract.levels),
        times=np.arange(frame.height) if run["evaluation"]["time_ordered"] else None,
        weight=None if weighing is None else column_numbers(frame[weighing.name], weighing),
    )
    return result.to_json()


def scores_on(bundle: Bundle, frame: Any, classes: Sequence[str]) -> Any:
    """Scores of a bundle on a table, its columns in the order of `classes`; a class it does not know gets 0."""
    import numpy as np

    from artificer.tables.arrays import to_blocks

    blocks, _ = to_blocks(frame, bundle.contract, strict=False)
    scores = bundle.predict_blocks(blocks).astype(np.float64)
    known = bundle.contract.classes
    if tuple(known) == tuple(classes):
        return scores
    aligned = np.zeros((len(scores), len(classes)))
    for code, name in enumerate(classes):
        if name in known:
            aligned[:, code] = scores[:, known.index(name)]
    total = aligned.sum(axis=1, keepdims=True)
    return np.divide(aligned, total, out=np.full_like(aligned, 1 / max(len(classes), 1)), where=total > 0)
