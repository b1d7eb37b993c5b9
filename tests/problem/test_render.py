"""A written project file explains each line and says the same thing when it is read back."""

from __future__ import annotations

import errno
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import ArtificerError, UsageError
from artificer.problem.amounts import Budget, Duration
from artificer.problem.load import PROJECT_FILE, build_problem, load_problem, parse_problem
from artificer.problem.model import Problem, section_keys
from artificer.problem.render import render_problem, write_problem

NAME = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() != "")
SHARE = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)
SECONDS = st.floats(1.0, 1e8).map(lambda value: Duration(round(value, 6)))


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    columns = draw(st.lists(NAME, min_size=7, max_size=7, unique=True))
    data = draw(some(source=NAME, positive=NAME, max_reject_share=SHARE))
    data["target"] = columns[0]
    for key, value in zip(
        ("time", "group", "id", "drop"), (columns[1], columns[2], columns[3:5], columns[5:]), strict=True
    ):
        if draw(st.booleans()):
            data[key] = value
    budget = st.one_of(st.integers(1, 10**6).map(lambda n: Budget(fits=n)), SECONDS.map(lambda d: Budget(d.seconds)))
    bounds = st.one_of(
        SHARE.map(lambda bound: f"roc_auc >= {bound:.17f}"),
        st.floats(0, 1e9).map(lambda bound: f"latency_p99_ms <= {bound!r}"),
        st.integers(0, 10**20).map(lambda bound: f"rows_per_s > {bound}"),
    )
    return build_problem(
        {
            "name": draw(st.none() | st.sampled_from(["shop", "läden 2", 'a "b" \\'])),
            "requirements": draw(st.lists(bounds, max_size=4)),
            "data": data,
            "training": draw(
                some(
                    budget=budget,
                    metric=st.sampled_from(["f1", "rmse"]),
                    seed=st.integers(0, 2**32 - 1),
                    test_share=SHARE,
                )
            ),
            "stores": draw(
                some(
                    home=NAME,
                    journal=NAME,
                    loop=NAME.filter(lambda t: "${" not in t),
                    registry=st.just("https://u:${P}@h"),
                )
            ),
            "serving": draw(some(host=NAME, port=st.integers(0, 65535), max_body_mb=st.floats(0.001, 1e4))),
            "monitoring": draw(some(window=SECONDS, delay=SECONDS, min_rows=st.integers(1, 10**9))),
            "loop": draw(some(interval=SECONDS, cooldown=SECONDS, max_retrains_per_day=st.integers(0, 99))),
        }
    )


@settings(max_examples=120, deadline=None, derandomize=True)
@given(problem=problems(), reason=st.text(max_size=200))
def test_what_was_written_reads_back_the_same(problem: Problem, reason: str) -> None:
    text = render_problem(problem, {"data.target": reason, "training": reason, "data.time": reason})
    assert parse_problem(text) == problem
    assert parse_problem(text.encode().decode()) == problem


def test_every_line_has_its_explanation_above_it() -> None:
    text = render_problem(parse_problem('[data]\ntarget = "y"'), {"data.task": "Two labels were seen."})
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line and not line.startswith("# ") and line != "]":
            assert lines[number - 1].startswith("# "), line
    assert "# Two labels were seen.\n# task = " in text
    for table, keys in section_keys().items():
        for name in keys:
            assert f"\n{name} = " in text or f"\n# {name} = " in text, (table, name)


def test_the_commented_examples_are_valid_when_uncommented() -> None:
    lines = render_problem(parse_problem('[data]\ntarget = "y"')).splitlines()
    keys = {name for table in section_keys().values() for name in table} - {
        "quantiles",  # for another task than the rest
        "query",  # excludes data.table
    }
    bare = [line.removeprefix("# ") if line[2:].split(" = ")[0] in keys else line for line in lines]
    problem = parse_problem("\n".join(bare))
    assert problem.name == "shop"
    assert problem.data.time == "ordered_at"
    assert problem.stores.loop is not None
    assert problem.stores.loop.variables == ("ARTIFICER_DB_PASSWORD",)


def test_a_reason_cannot_break_out_of_its_comment() -> None:
    problem = parse_problem('[data]\ntarget = "y"')
    text = render_problem(problem, {"data.target": 'column "a\nseed = 1\r\u2028\x00\x7f" was named'})
    assert parse_problem(text) == problem
    assert "\nseed = 1" not in text.split("[training]")[0]


def test_a_long_list_stands_on_several_lines() -> None:
    names = [f"a column with a long name {number}" for number in range(10)]
    text = render_problem(build_problem({"data": {"target": "y", "drop": names}}))
    assert tomllib.loads(text)["data"]["drop"] == names
    assert max(map(len, text.splitlines())) <= 120


def test_a_reason_for_no_key_is_a_mistake() -> None:
    with pytest.raises(KeyError, match=r"data\.taget"):
        render_problem(parse_problem('[data]\ntarget = "y"'), {"data.taget": "why"})


def test_writing(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "shop"
    problem = parse_problem('[data]\ntarget = "größe"')
    path = write_problem(folder, problem)
    assert path == folder / PROJECT_FILE
    assert load_problem(folder) == problem
    with pytest.raises(UsageError, match="is there already; edit it, or remove it to start anew"):
        write_problem(folder, parse_problem('[data]\ntarget = "z"'))
    assert load_problem(folder) == problem
    write_problem(folder, parse_problem('[data]\ntarget = "z"'), overwrite=True)
    assert load_problem(folder).data.target == "z"
    assert [file.name for file in folder.iterdir()] == [PROJECT_FILE]


def test_writing_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "shop").touch()
    with pytest.raises(UsageError, match="shop is not a folder"):
        write_problem(tmp_path / "shop", parse_problem('[data]\ntarget = "y"'))


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_problem(tmp_path, parse_problem('[data]\ntarget = "y"'))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtificerError, match="No space left on device"):
        write_problem(tmp_path, parse_problem('[data]\ntarget = "z"'), overwrite=True)
    assert load_problem(tmp_path).data.target == "y"
    assert [file.name for file in tmp_path.iterdir()] == [PROJECT_FILE]
