"""Texts and lists as tokens: what counts as a word, and what a cell may not do to the stage."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.errors import ContractError
from artificer.tables.contract import Contract, RowReader
from artificer.tables.prepare import prepare
from artificer.tables.words import MAX_TOKEN, MAX_TOKENS, list_text, token_text
from artificer.types import Role

ANY_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ""),
        (" \t\u3000", ""),
        ("Fast, FAST; fast!", "fast fast fast"),
        ("It\u2019s Tim's 2nd", "it's tim's 2nd"),
        ("snake_case and naïve-ly", "snake case and naïve ly"),
        ("e\u0301t\u00e9 \ufb01n \uff21\uff22", "été fin ab"),
        ("東京都", "東京 京都"),
        ("木", "木"),
        ("हिन्दी में", "हिन्दी में"),
        ("so good👍👍", "so good 👍 👍"),
        (":-(", ":-("),
        ("STRASSE straße", "strasse strasse"),
    ],
)
def test_words(text: str, tokens: str) -> None:
    assert token_text(text) == tokens


@given(ANY_TEXT)
def test_a_text_is_blank_or_has_bounded_tokens_without_odd_spaces(text: str) -> None:
    tokens = token_text(text)
    assert (tokens == "") == (not text.split())
    assert tokens == "" or all(0 < len(token) <= MAX_TOKEN and not token.isspace() for token in tokens.split(" "))


def test_an_endless_text_costs_a_bounded_number_of_tokens() -> None:
    assert len(token_text("word " * 100_000).split(" ")) == MAX_TOKENS
    assert len(token_text("x" * 1_000_000)) == MAX_TOKEN
    assert len(list_text(["x"] * 10_000).split(" ")) == MAX_TOKENS


def reviews(n: int = 60) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "review": [f"this is the review with number {i}" for i in range(n)],
            "tags": [["Science Fiction", "drama"] if i % 2 else [] for i in range(n)],
            "sizes": ["[1, 2.5]" if i % 3 else '["none"]' for i in range(n)],
            "y": [i % 2 for i in range(n)],
        }
    )


def test_lists_are_read_in_tables_and_in_rows_and_bad_ones_are_refused() -> None:
    ready = prepare(reviews(), target="y")
    assert [(c.role, c.format) for c in ready.contract.columns[:3]] == [
        (Role.TEXT, None),
        (Role.TEXT, "list"),
        (Role.TEXT, "list"),
    ]
    assert ready.blocks.texts[1].tolist() == ["this is the review with number 1", "science_fiction drama", "1 2.5"]
    reader = RowReader(Contract.from_json(ready.contract.to_json()))
    row = {"review": "NEW words", "tags": ["Drama", None, 3], "sizes": [1, 2.5]}
    assert reader.read([row])[0].texts.tolist() == [["new words", "drama 3", "1 2.5"]]
    with pytest.raises(ContractError) as caught:
        reader.read([{"review": ["no"], "tags": "drama", "sizes": [[1]]}, {"review": None, "tags": {}, "sizes": "[1"}])
    assert [(v.row, v.column) for v in caught.value.violations] == [
        (0, "review"), (0, "tags"), (0, "sizes"), (1, "review"), (1, "tags"), (1, "sizes")
    ]  # fmt: skip
