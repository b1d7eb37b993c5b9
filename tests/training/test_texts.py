"""Texts and lists from the table to the served row: they carry the model, and both ways give the same score."""

from __future__ import annotations

import numpy as np
import polars as pl

import artificer
from artificer.drift.detect import detect_drift
from artificer.server.schema import column_schema, example_row
from artificer.tables.arrays import to_blocks

GOOD = ("lovely", "fresh", "crisp", "would buy again", "a treat")
BAD = ("stale", "broken", "sour", "never again", "a waste")
PLAIN = ("the tea", "came in a box", "my sister", "ordered", "from the shop", "on Monday", "👍", "two bags")


def reviews(n: int = 240) -> pl.DataFrame:
    """Reviews whose words say what was thought, tags that say a little, and a number that says nothing."""
    rng = np.random.default_rng(5)
    liked = rng.random(n) < 0.5
    texts = [
        ", ".join([*rng.choice(PLAIN, 5), str(rng.choice(GOOD if (rng.random() < 0.9) == like else BAD))]).title()
        for like in liked
    ]
    tags = [[str(rng.choice(["Gift Box", "loose"])), "green"][: 1 + int(like and rng.random() < 0.5)] for like in liked]
    return pl.DataFrame(
        {"review": texts, "tags": tags, "size": rng.normal(size=n), "liked": np.where(liked, "yes", "no")}
    )


def test_reviews_are_learnt_served_and_watched() -> None:
    table = reviews()
    run = artificer.train(table, target="liked", budget="4 fits")
    roles = {c.name: c.role.value for c in run.model.bundle.contract.columns}
    assert (roles["review"], roles["tags"]) == ("text", "text")
    rows = table.drop("liked").to_dicts()
    batch = run.model.predict_proba(table)
    served, _ = run.model.bundle.predict_rows(rows[:20])
    np.testing.assert_array_equal(served, batch[:20])
    told = np.asarray(run.model.predict(table)) == table["liked"].to_numpy()
    assert told.mean() > 0.8  # a constant is right in half
    blocks = to_blocks(table, run.model.bundle.contract)
    report = detect_drift(run.model.bundle.reference, blocks, task=run.model.bundle.contract.task)
    assert "review" in {column.name for column in report.columns}
    assert report.drifted == ()
    contract = run.model.bundle.contract
    assert run.model.bundle.predict_rows([example_row(contract)])[0].shape == (1, 2)
    assert column_schema(contract.column("tags"))["type"] == "array"
