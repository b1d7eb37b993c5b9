"""A project whose rows come from several tables: trained, applied to new rows, and told when a source has changed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from artificer.api.serving import _widening
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import Role, Task

SECRET = "hush-4711-secret"  # noqa: S105 -- made up
JOINS = """
[[data.join]]
name = "customers"
source = "customers.csv"
on = { customer = "id" }

[[data.join]]
name = "visits"
source = "visits.parquet"
on = ["customer"]
time = "at"
aggregate = { pages = ["mean"] }
"""


@pytest.fixture
def shop(tmp_path: Path, make_project: Any) -> Path:
    rng, start = random.Random(0), datetime(2024, 1, 1)
    tiers = [rng.choice(["gold", "tin"]) for _ in range(40)]
    moments = [start + timedelta(hours=7 * i) for i in range(300)]
    customers = [rng.randrange(40) for _ in moments]
    returned = ["yes" if (tiers[c] == "gold") != (rng.random() < 0.1) else "no" for c in customers]
    shop = make_project(
        {"customer": customers, "ordered_at": moments, "returned": returned}, settings=f'time = "ordered_at"\n{JOINS}'
    )
    pl.DataFrame({"id": range(40), "tier": tiers}).write_csv(shop.dir / "customers.csv")
    at = [start + timedelta(hours=rng.randrange(2000)) for _ in range(900)]
    visits = {"customer": [rng.randrange(40) for _ in at], "at": at, "pages": [rng.randrange(9) for _ in at]}
    pl.DataFrame(visits).write_parquet(shop.dir / "visits.parquet")
    return Path(shop.dir)


def test_a_project_with_joins(shop: Path, artificer: Any) -> None:
    run = artificer("train", "--project", shop, "--json").done()
    names = [column["name"] for column in run["columns"]]
    assert names[3:] == ["customers_tier", "visits_count", "visits_mean_pages", "visits_recency"]
    assert run["score"] > 0.8
    pinned = run["lineage"]["data"]["snapshots"]
    assert [(each["name"], each["rows"]) for each in pinned] == [("source", 300), ("customers", 40), ("visits", 900)]

    rows = pl.read_csv(shop / "orders.csv").drop("returned").tail(50)
    rows.write_csv(shop / "new.csv")
    artificer("predict", shop / "new.csv", "--output", shop / "one.parquet", "--project", shop, "--json").done()
    one = pl.read_parquet(shop / "one.parquet")
    assert set(names) - {"returned"} <= set(one.columns)
    # Rows that bring the joined columns, as served ones do, keep theirs and get the same answer.
    one.select(name for name in names if name != "returned").write_parquet(shop / "wide.parquet")
    artificer("predict", shop / "wide.parquet", "--output", shop / "two.parquet", "--project", shop, "--json").done()
    assert one["prediction"].equals(pl.read_parquet(shop / "two.parquet")["prediction"])

    def changed() -> list[str]:
        found = artificer("check", "--project", shop, "--json").done()
        return [note for note in found["notes"] if "has changed since" in note]

    assert changed() == []
    with (shop / "customers.csv").open("a") as file:
        file.write("40,gold\n")
    (note,) = changed()
    assert note.startswith("customers has changed since ")
    assert "41 rows, 40 before" in note

    with (shop / "customers.csv").open("a") as file:
        file.write("40,tin\n")
    sentence = artificer("train", "--project", shop, "--json").failed()
    assert "join customers would multiply rows" in sentence


def test_no_secret_reaches_what_is_kept(
    tmp_path: Path, make_project: Any, artificer: Any, orders: Any, postgres: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    psycopg = pytest.importorskip("psycopg")
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    table = pl.DataFrame(orders(200))
    with psycopg.connect(f"postgresql://artificer@127.0.0.1:{postgres}/postgres") as connection:
        connection.execute("CREATE TABLE shop_orders (price float8, kind text, returned text)")
        connection.cursor().executemany("INSERT INTO shop_orders VALUES (%s, %s, %s)", table.rows())
    shop = make_project(orders(10))
    file = shop.dir / "artificer.toml"
    place = f"postgresql://artificer:${{SHOP_PASSWORD}}@127.0.0.1:{postgres}/postgres"
    file.write_text(file.read_text().replace('"orders.csv"', f'"{place}"\nquery = "SELECT * FROM shop_orders"'))
    run = artificer("train", "--project", shop.dir)
    assert run.code == 0, run.err
    assert SECRET not in run.out + run.err
    kept = [path for path in shop.dir.rglob("*") if path.is_file()]
    assert any(path.name == "run.json" and b"SELECT * FROM shop_orders" in path.read_bytes() for path in kept)
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]


def test_rows_to_predict_are_joined_by_the_declared_time_not_by_one_the_split_found(tmp_path: Path) -> None:
    """Training counted all visits, as no time was declared; a model whose split found one predicts by the same join."""
    pl.DataFrame({"who": ["ann", "ann", "bob"], "n": [1, 2, 4]}).write_csv(tmp_path / "visits.csv")
    visits = {"name": "v", "source": "visits.csv", "on": ["who"], "aggregate": {"n": ["sum"]}}
    rows = pl.DataFrame({"day": ["2024-01-01", "2024-01-02"], "who": ["ann", "bob"]})
    days = ColumnSpec("day", Role.DATETIME, "", "String", format="%Y-%m-%d")
    contract = Contract((days, ColumnSpec("v_sum_n", Role.NUMERIC, "", "Float64")), "y", Task.REGRESSION, time="day")
    model = SimpleNamespace(contract=contract, lineage={"problem": {"data": {"target": "y", "join": [visits]}}})
    widen = _widening(model, tmp_path)  # type: ignore[arg-type]
    assert widen is not None
    assert widen(rows)[0]["v_sum_n"].to_list() == [3.0, 4.0]
