"""Bad tables, as a user meets them: refused in one sentence, or used with a word about what was done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

Orders = Callable[..., dict[str, list[Any]]]


def nothing_made(shop: Any) -> bool:
    """No bundle, version or pointer came of a refused training."""
    return not list(shop.home.rglob("*.artificer")) and not (shop.home / "champion.json").exists()


def refused(artificer: Any, shop: Any, code: int = 1) -> str:
    sentence: str = artificer("train", "--project", shop.dir, "--json").failed(code)
    assert nothing_made(shop)
    return sentence


def trained(artificer: Any, shop: Any, *flags: object) -> Any:
    return artificer("train", "--project", shop.dir, "--json", *flags).done()


def roles(document: Any) -> dict[str, str]:
    return {column["name"]: column["role"] for column in document["columns"]}


def said(document: Any, *words: str) -> bool:
    """Whether one note holds all of `words`."""
    return any(all(word in note for word in words) for note in document["notes"])


# Refused


def test_a_missing_file(artificer: Any, make_project: Any, orders: Orders, tmp_path: Path) -> None:
    shop = make_project(orders(30))
    (shop.dir / "orders.csv").rename(shop.dir / "order.csv")
    assert 'did you mean "order.csv"?' in refused(artificer, shop)
    sentence = artificer("init", tmp_path / "no.csv", "--target", "y", "--json").failed(1)
    assert str(tmp_path / "no.csv") in sentence


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "no rows"),
        (b"price,kind,returned\n", "no rows below its header"),
    ],
    ids=["empty", "blank", "header only"],
)
def test_no_rows(table: bytes, says: str, artificer: Any, make_project: Any, tmp_path: Path) -> None:
    shop = make_project(table)
    sentence = refused(artificer, shop)
    assert says in sentence
    assert "orders.csv" in sentence
    folder = tmp_path / "new"
    command = ("init", shop.dir / "orders.csv", "--target", "returned", "--project", folder, "--json")
    assert says in artificer(*command).failed(1)
    assert not folder.exists()


def test_an_absent_target_with_the_nearest_name(
    artificer: Any, make_project: Any, orders: Orders, tmp_path: Path
) -> None:
    shop = make_project(orders(30), target="retuned")
    assert 'no target column "retuned"; did you mean "returned"?' in refused(artificer, shop)
    folder = tmp_path / "new"
    command = ("init", shop.dir / "orders.csv", "--target", "Returned ", "--project", folder, "--json")
    assert 'did you mean "returned"?' in artificer(*command).failed(1)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('time = "pirce"', 'did you mean "price"?'),
        ('group = "kindd"', 'did you mean "kind"?'),
        ('id = ["knid"]', 'did you mean "kind"?'),
        ('drop = ["pryce"]', 'did you mean "price"?'),
        ('positive = "maybe"', '"maybe"'),
        ('task = "regression"', "no numbers"),
    ],
)
def test_settings_that_do_not_fit_the_table(
    settings: str, says: str, artificer: Any, make_project: Any, orders: Orders
) -> None:
    assert says in refused(artificer, make_project(orders(30), settings=settings))


def test_a_metric_of_another_task(artificer: Any, make_project: Any, orders: Orders) -> None:
    shop = make_project(orders(60), settings='[training]\nmetric = "rmse"\nbudget = "2 fits"')
    sentence = refused(artificer, shop, 2)
    assert "rmse" in sentence
    assert "roc_auc" in sentence


def test_a_constant_target(artificer: Any, make_project: Any, orders: Orders) -> None:
    sentence = refused(artificer, make_project({**orders(40), "returned": ["no"] * 40}))
    assert '"returned" is constant (every row has "no")' in sentence


def test_a_target_without_a_single_value(artificer: Any, make_project: Any, orders: Orders) -> None:
    assert "missing" in refused(artificer, make_project({**orders(40), "returned": [None] * 40}))


def test_one_row(artificer: Any, make_project: Any) -> None:
    sentence = refused(artificer, make_project({"price": [1], "returned": ["no"]}))
    assert "1 row" in sentence
    assert "at least two" in sentence


def test_all_columns_constant(artificer: Any, make_project: Any, orders: Orders) -> None:
    rows = {**orders(40), "price": [7] * 40, "kind": ["hats"] * 40}
    sentence = refused(artificer, make_project(rows))
    assert '"price"' in sentence
    assert '"kind"' in sentence
    assert "vary" in sentence


def test_only_the_target(artificer: Any, make_project: Any, orders: Orders) -> None:
    assert "only the target" in refused(artificer, make_project({"returned": orders(40)["returned"]}))


def test_a_time_column_that_does_not_parse(artificer: Any, make_project: Any, orders: Orders) -> None:
    rows = orders(60)
    rows["ordered"] = [f"sometime around {kind} {i}" for i, kind in enumerate(rows["kind"])]
    sentence = refused(artificer, make_project(rows, settings='time = "ordered"'))
    assert '"ordered"' in sentence
    assert "sometime around" in sentence


@pytest.mark.parametrize(
    ("head", "says"), [(b"PK\x03\x04 rest", "Excel"), (b"SQLite format 3\x00rest", "SQLite"), (b"%PDF-1.7 r", "PDF")]
)
def test_files_that_are_no_tables(head: bytes, says: str, artificer: Any, make_project: Any) -> None:
    assert says in refused(artificer, make_project(head))


def test_a_damaged_parquet_file(artificer: Any, make_project: Any, orders: Orders, tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pl.DataFrame(orders(50)).write_parquet(whole)
    shop = make_project(whole.read_bytes()[:-40])
    assert "orders.csv" in refused(artificer, shop)


def test_more_unreadable_lines_than_allowed(
    artificer: Any, make_project: Any, orders: Orders, csv_text: Callable[..., str]
) -> None:
    lines = csv_text(orders(60)).splitlines()
    lines[5:15] = [line + ",one,too,many" for line in lines[5:15]]
    shop = make_project("\n".join(lines) + "\n")
    sentence = refused(artificer, shop)
    assert '10 of 60 lines of "' in sentence
    assert "(line 6: too many fields" in sentence
    assert "rejects.jsonl" in sentence
    (rejects,) = shop.home.rglob("rejects.jsonl")
    kept = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [reject["line"] for reject in kept] == list(range(6, 16))


# Used, with a word about it


def test_unreadable_lines_are_counted_and_kept(
    artificer: Any, make_project: Any, orders: Orders, csv_text: Callable[..., str]
) -> None:
    lines = csv_text(orders(100)).splitlines()
    lines[50] = "one field"
    document = trained(artificer, make_project("\n".join(lines) + "\n"))
    assert document["rows"]["rejected"] == 1
    assert document["rows"]["read"] == 99
    (kept,) = map(json.loads, Path(document["rejects"]).read_text().splitlines())
    assert (kept["line"], kept["text"]) == (51, "one field")


def test_rows_without_a_target_are_dropped_and_counted(artificer: Any, make_project: Any, orders: Orders) -> None:
    rows = orders(100)
    rows["returned"][::10] = [None, "NA"] * 5
    document = trained(artificer, make_project(rows))
    counted = document["rows"]
    assert (counted["read"], counted["used"], counted["target_missing"]) == (100, 90, 10)
    assert counted["train"] + counted["test"] == 90
    assert said(document, "10 rows", '"returned"', "dropped")
    assert document["task"] == "binary"


def test_a_class_with_a_single_row(artificer: Any, make_project: Any, orders: Orders) -> None:
    rows = orders(100)
    rows["returned"] = [
        "shop" if kind == "hats" else word for kind, word in zip(rows["kind"], rows["returned"], strict=True)
    ]
    rows["returned"][3] = "lost"
    document = trained(artificer, make_project(rows))
    assert document["task"] == "multiclass"
    assert said(document, '"lost"', "single row")
    assert document["rows"]["used"] == 100


def test_a_binary_target_with_a_single_positive(artificer: Any, make_project: Any, orders: Orders) -> None:
    answer = artificer(
        "train",
        "--project",
        make_project({**orders(60), "returned": ["yes"] + ["no"] * 59}).dir,
        "--json",
    )
    if answer.code:
        assert '"yes"' in answer.failed(1)
    else:
        assert said(answer.document, '"yes"', "single row")
        assert answer.document["gate"] != "PASS"


def test_duplicate_column_names(artificer: Any, make_project: Any, orders: Orders) -> None:
    rows = orders(80)
    lines = ["price,kind,price,returned"]
    lines += [f"{p},{k},{i},{r}" for i, (p, k, r) in enumerate(zip(*rows.values(), strict=True))]
    shop = make_project("\n".join(lines) + "\n")
    document = trained(artificer, shop)
    names = [column["name"] for column in document["columns"]]
    assert len(set(names)) == 4
    assert said(document, '"price"')


def test_a_duplicated_target_is_told(artificer: Any, make_project: Any, orders: Orders) -> None:
    rows = orders(80)
    lines = ["returned,kind,returned", *(f"{r},{k},{r}" for _, k, r in zip(*rows.values(), strict=True))]
    answer = artificer("train", "--project", make_project("\n".join(lines) + "\n").dir, "--json")
    # A copy of the target beside it is a leak whichever way it is answered; it may not pass in silence.
    text = json.dumps(answer.document) if answer.code == 0 else answer.failed(1)
    assert "returned" in text
    if answer.code == 0:
        assert any("returned" in json.dumps(finding) for finding in answer.document["findings"])


def test_a_constant_column_is_left_out(artificer: Any, make_project: Any, orders: Orders) -> None:
    document = trained(artificer, make_project({**orders(80), "shop": ["main"] * 80}))
    assert roles(document)["shop"] == "constant"


def test_numbers_with_thousands_separators(artificer: Any, make_project: Any, orders: Orders, tmp_path: Path) -> None:
    rows = orders(200)
    rows["price"] = [f"{p * 1000:,.2f}" for p in rows["price"]]
    lines = ["price;kind;returned", *(";".join(map(str, row)) for row in zip(*rows.values(), strict=True))]
    shop = make_project("\n".join(lines) + "\n")
    document = trained(artificer, shop)
    assert roles(document)["price"] == "numeric"
    assert document["score"] > 0.7
    new = tmp_path / "new.csv"
    new.write_text('price;kind\n"110,000.00";hats\n5000;hats\n')
    output = tmp_path / "scored.parquet"
    assert artificer("predict", new, "-o", output, "--project", shop.dir, "--json").done()["notes"] == []
    dear, cheap = pl.read_parquet(output)["probability_yes"]
    assert dear > cheap


def test_mixed_types_in_one_column(artificer: Any, make_project: Any, orders: Orders, tmp_path: Path) -> None:
    rows = orders(120)
    rows["price"][::12] = ["call us"] * 10
    rows["code"] = [("a1", 7, 2.5, "yes")[i % 4] for i in range(120)]
    shop = make_project(rows)
    document = trained(artificer, shop)
    found = roles(document)
    assert found["code"] == "categorical"
    assert found["price"] in ("numeric", "categorical", "text")
    if found["price"] == "numeric":
        assert said(document, '"price"', "10")
    output = tmp_path / "o.jsonl"
    assert artificer("predict", shop.dir / "orders.csv", "-o", output, "--project", shop.dir, "--json").code == 0
    kept = [json.loads(line)["price"] for line in output.read_text().splitlines()]
    assert [str(value) for value in kept[::12]] == ["call us"] * 10


def test_bytes_that_are_not_utf8(artificer: Any, make_project: Any, orders: Orders, csv_text: Any) -> None:
    rows = orders(80)
    rows["kind"] = ["Müller" if kind == "hats" else "Peña" for kind in rows["kind"]]
    shop = make_project(csv_text(rows).encode("latin-1"))
    document = trained(artificer, shop)
    assert said(document, "encod") or said(document, "UTF-8")
    output = shop.dir / "o.jsonl"
    assert artificer("predict", shop.dir / "orders.csv", "-o", output, "--project", shop.dir, "--json").code == 0
    assert {json.loads(line)["kind"] for line in output.read_text().splitlines()} == {"Müller", "Peña"}


def test_bytes_of_no_encoding(artificer: Any, make_project: Any, orders: Orders, csv_text: Any) -> None:
    data = csv_text(orders(80)).encode().replace(b"hats", b"h\x81\xfft\x00s", 3)
    answer = artificer("train", "--project", make_project(data).dir, "--json")
    if answer.code:
        assert "orders.csv" in answer.failed(1)
    else:
        assert answer.document["rows"]["read"] + answer.document["rows"]["rejected"] == 80
        assert answer.document["notes"]


def test_infinite_values(artificer: Any, make_project: Any, orders: Orders) -> None:
    rows = orders(120)
    rows["price"][:4] = ["inf", "-inf", "Infinity", "1e999"]
    document = trained(artificer, make_project(rows))
    assert roles(document)["price"] == "numeric"
    assert said(document, '"price"', "infinite")
    assert document["score"] > 0.6


def test_an_infinite_target(artificer: Any, make_project: Any, orders: Orders) -> None:
    rows = orders(120)
    target = [price * 2 for price in rows["price"]]
    shop = make_project({**rows, "returned": [*target[:-2], "inf", "-inf"]})
    answer = artificer("train", "--project", shop.dir, "--json")
    if answer.code:
        assert "returned" in answer.failed(1)
    else:
        assert answer.document["rows"]["target_missing"] == 2
        assert answer.document["score"] is not None


def test_a_table_of_2000_columns(artificer: Any, make_project: Any) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 2000)).round(3)
    rows = {f"c{i}": values[:, i].tolist() for i in range(2000)}
    rows["returned"] = ["yes" if v > 0 else "no" for v in values[:, 7] + values[:, 8]]
    shop = make_project(rows, settings='[training]\nbudget = "4s"')
    document = trained(artificer, shop)
    assert document["rows"]["used"] == 60
    assert len(document["columns"]) == 2001
    assert artificer("models", "--project", shop.dir, "--json").done()["models"][0]["version"] == 1


@pytest.mark.parametrize("rows", [2, 3, 5, 8])
def test_very_few_rows(rows: int, artificer: Any, make_project: Any) -> None:
    shop = make_project(
        {"price": list(range(rows)), "returned": ["yes", "no", "yes", "no", "no"][:rows] + ["no"] * (rows - 5)}
    )
    answer = artificer("train", "--project", shop.dir, "--json")
    if answer.code:
        assert "row" in answer.failed(1)
        assert nothing_made(shop)
    else:
        assert answer.document["gate"] != "PASS"
        assert answer.document["promoted"] is False or answer.document["promotion"]["reason"]


def test_odd_names_and_long_cells(artificer: Any, make_project: Any, orders: Orders, tmp_path: Path) -> None:
    """Names and cells that could break out of markup, comments, queries or paths."""
    rows = orders(80)
    odd = {
        "[bold]price[/]": rows["price"],
        "'; DROP TABLE x; --": rows["kind"],
        "</script><b>": ["x" * 5000 if kind == "hats" else "y" for kind in rows["kind"]],
        "prediction": rows["price"],
        "returned": rows["returned"],
    }
    shop = make_project(odd)
    document = trained(artificer, shop)
    assert {column["name"] for column in document["columns"]} == set(odd)
    report = Path(document["report"]).read_text()
    assert "</script><b>" not in report
    assert artificer("train", "--project", shop.dir).code == 0
    folder = tmp_path / "new"
    command = ("init", shop.dir / "orders.csv", "--target", "returned", "--project", folder)
    assert "[bold]price[/]" in artificer(*command).out
    output = tmp_path / "o.parquet"
    answer = artificer("predict", shop.dir / "orders.csv", "-o", output, "--project", shop.dir, "--json").done()
    assert any("prediction" in note for note in answer["notes"])
