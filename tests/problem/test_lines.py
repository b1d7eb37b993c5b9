"""The line finder agrees with the standard parser on every text of TOML that can be generated."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.problem.lines import KeyPath, key_lines

TEXT = '''# a comment with [brackets] and "quotes"
top = 1

[data] # a header
target = "a # not a comment ] \\" "
"quoted key" = 'literal \\'
source.path = 1979-05-27T07:32:00Z
drop = [ # opening
  "a", # first

  ["b", 'c'], { x = 1, "y" = [2] },
]
long = """
[not.a.table]
key = 1 \\""" still """
raw = \'\'\'
x = 1\'\'\'
after = true
[a . "b.c"]
d = {e = {f = 1.5e3}}
[[many]]
x = 1
[[many]]
x = 2
[many.inner]
y = 3'''


def test_a_text_with_everything() -> None:
    assert key_lines(TEXT) == {
        ("top",): 2,
        ("data",): 4,
        ("data", "target"): 5,
        ("data", "quoted key"): 6,
        ("data", "source"): 7,
        ("data", "source", "path"): 7,
        ("data", "drop"): 8,
        ("data", "drop", 0): 9,
        ("data", "drop", 1): 11,
        ("data", "drop", 1, 0): 11,
        ("data", "drop", 1, 1): 11,
        ("data", "drop", 2): 11,
        ("data", "drop", 2, "x"): 11,
        ("data", "drop", 2, "y"): 11,
        ("data", "drop", 2, "y", 0): 11,
        ("data", "long"): 13,
        ("data", "raw"): 16,
        ("data", "after"): 18,
        ("a",): 19,
        ("a", "b.c"): 19,
        ("a", "b.c", "d"): 20,
        ("a", "b.c", "d", "e"): 20,
        ("a", "b.c", "d", "e", "f"): 20,
        ("many",): 21,
        ("many", 0): 21,
        ("many", 0, "x"): 22,
        ("many", 1): 23,
        ("many", 1, "x"): 24,
        ("many", 1, "inner"): 25,
        ("many", 1, "inner", "y"): 26,
    }


def test_windows_line_ends_count_once() -> None:
    assert key_lines(TEXT.replace("\n", "\r\n")) == key_lines(TEXT)


def paths(value: Any, prefix: KeyPath = ()) -> set[KeyPath]:
    found = {prefix} if prefix else set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found |= paths(item, (*prefix, key))
    return found


KEYS = st.sampled_from(["a", "b-c", '"d e"', "'f.g'", '"h\\u0041"', "1"])
SCALARS = st.sampled_from(
    ["1", "-1.5e3", "true", "inf", "1979-05-27 07:32:00", '"a#]}"', "'b\\'", '"""x\n]"y""""', "'''\n[z]\n'''", '""']
)
BREAK = st.sampled_from(["", " ", "\n", " # c ]\n", "\n\n\t"])


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    items = [draw(BREAK) + item + draw(BREAK) for item in draw(st.lists(inner, max_size=3))]
    return "[" + ",".join(items) + draw(st.sampled_from(["", ","]) if items else st.just("")) + draw(BREAK) + "]"


@st.composite
def inline_tables(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(KEYS, max_size=3, unique=True))
    return "{ " + ", ".join(f"{key} = {draw(inner)}" for key in keys) + " }"


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)


@st.composite
def documents(draw: st.DrawFn) -> str:
    parts = []
    headers = ["", *draw(st.lists(st.sampled_from(["[t]", "[ u . v ]", '["w"]', "[[x]]", "[y.'z']"]), unique=True))]
    for header in headers:
        pairs = [
            f"{key}{draw(st.sampled_from(['=', ' = ']))}{draw(VALUES)}" for key in draw(st.lists(KEYS, unique=True))
        ]
        parts += [header, *pairs, draw(st.sampled_from(["", "# note [x] = 1"]))]
    return "\n".join(parts)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=documents())
def test_every_key_is_found_where_it_stands(text: str) -> None:
    lines = key_lines(text)
    parsed = tomllib.loads(text)
    assert set(lines) == paths(parsed)
    for path, line in lines.items():
        if isinstance(path[-1], str) and path[-1].isalpha():
            assert path[-1].rstrip("A") in text.split("\n")[line - 1]
    top = [lines[(key,)] for key in parsed]
    assert top == sorted(top)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "[empty]"])
def test_hardly_anything(text: str) -> None:
    assert set(key_lines(text)) == paths(tomllib.loads(text))
