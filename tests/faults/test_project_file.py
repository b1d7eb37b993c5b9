"""Mistakes in artificer.toml: the key, the line, and the name that was probably meant."""

from __future__ import annotations

from typing import Any

import pytest

GOOD = """[data]
source = "orders.csv"
target = "returned"

[training]
budget = "2 fits"
"""


@pytest.mark.parametrize(
    ("wrong", "line", "says"),
    [
        (("target =", "taget ="), 3, ('"taget"', 'did you mean "target"?')),
        (("[training]", "[trainig]"), 5, ("trainig", 'did you mean "training"?')),
        (("budget =", "budgt ="), 6, ('"budgt"', 'did you mean "budget"?')),
        (('"2 fits"', "true"), 6, ("budget", "true", '"40 fits"')),
        (('"2 fits"', '"two fits"'), 6, ("budget", "two fits")),
        (('"2 fits"', '"2 fits"\nseed = "x"'), 7, ("seed", "x")),
        (('"2 fits"', '"2 fits"\ntest_share = 3'), 7, ("test_share", "3")),
        (('"2 fits"', '"2 fits"\nmetric = "roc_uac"'), 7, ("metric", 'did you mean "roc_auc"?')),
        (('"returned"', "returned"), 3, ("quotes",)),
        (("[data]", 'requirements = ["roc_auk >= 0.8"]\n[data]'), 1, ("roc_auk", 'did you mean "roc_auc"?')),
    ],
)
def test_a_mistake_is_named_with_its_line(
    wrong: tuple[str, str], line: int, says: tuple[str, ...], artificer: Any, make_project: Any, orders: Any
) -> None:
    shop = make_project(orders(30))
    file = shop.dir / "artificer.toml"
    file.write_text(GOOD.replace(*wrong))
    for command in ("train", "models", "run"):
        sentence = artificer(command, "--project", shop.dir, "--json").failed(2)
        assert f"{file}, line {line}:" in sentence
        for words in says:
            assert words in sentence
    assert not shop.home.exists()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--budget", "soon"), ("budget", "soon")),
        (("--budget", "0s"), ("budget",)),
        (("--seed", "-1"), ("seed", "-1")),
    ],
)
def test_a_flag_that_does_not_hold_is_named(
    flags: tuple[str, ...], says: tuple[str, ...], artificer: Any, make_project: Any, orders: Any
) -> None:
    shop = make_project(orders(30))
    sentence = artificer("train", "--project", shop.dir, "--json", *flags).failed(2)
    for words in says:
        assert words in sentence


def test_a_target_that_is_not_named(artificer: Any, make_project: Any, orders: Any) -> None:
    shop = make_project(orders(30))
    (shop.dir / "artificer.toml").write_text('[data]\nsource = "orders.csv"\n')
    assert "target" in artificer("train", "--project", shop.dir, "--json").failed(2)
    (shop.dir / "artificer.toml").write_text('[data]\ntarget = "returned"\n')
    assert "source" in artificer("train", "--project", shop.dir, "--json").failed(2)


def test_bytes_that_are_not_utf8(artificer: Any, make_project: Any, orders: Any) -> None:
    shop = make_project(orders(30))
    (shop.dir / "artificer.toml").write_bytes(b'[data]\ntarget = "M\xfcller"\n')
    assert "line 2" in artificer("train", "--project", shop.dir, "--json").failed(2)
