"""The journal's commands on a project whose journal has past days."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.writer import Journal


def test_the_journal_from_the_command_line(artificer: Any, make_project: Callable[..., Any], orders: Any) -> None:
    shop = make_project(orders(40), settings='[journal]\nkeep = "10d"\n')
    assert "no journal" in artificer("journal", "status", "-p", shop.dir, "--json").failed(2)
    now = time.time()
    with Journal(shop.home / "journal.sqlite") as journal:
        for days in (0, 3, 20):
            at = now - days * 86_400
            row = {"price": 3.5 + days, "kind": "hats"}
            journal.append(
                [PredictionEntry(f"p{days}", at, "1", row, [0.2, 0.8], "yes"), OutcomeEntry(f"p{days}", at, "no")]
            )
    sealed = artificer("journal", "seal", "-p", shop.dir, "--json").done()
    assert (sealed["dropped"], sealed["sealed"], sealed["files"]) == (2, 2, 2)
    status = artificer("journal", "status", "-p", shop.dir, "--json").done()
    assert (status["predictions"], status["sealed"]["entries"], status["unsealed"]["entries"]) == (2, 2, 2)
    asked = artificer("journal", "query", "select _id, price from labelled order by price", "-p", shop.dir, "--json")
    assert asked.done()["rows"] == [["p0", 3.5], ["p3", 6.5]]
    assert "one SELECT" in artificer("journal", "query", "drop view labelled", "-p", shop.dir, "--json").failed(2)
    gone = artificer("journal", "forget", "--column", "price", "--value", "6.5", "-p", shop.dir, "--json").done()
    assert (gone["predictions"], gone["outcomes"], gone["segments"]) == (1, 1, 2)
    assert artificer("journal", "verify", "-p", shop.dir, "--json").done()["ok"]
    for command in ("status", "seal", "verify"):
        assert artificer("journal", command, "-p", shop.dir).code == 0
    shown = artificer("journal", "query", "select price from predictions", "-p", shop.dir)
    assert "3.5" in shown.out


def test_a_misspelt_request_to_forget_does_not_look_done(trained: Any, artificer: Any) -> None:
    with Journal(trained.project / ".artificer" / "journal.sqlite"):
        pass
    told = artificer("journal", "forget", "--column", "Kind", "--value", "hats", "-p", trained.project, "--json")
    assert 'did you mean "kind"' in told.failed(2)
