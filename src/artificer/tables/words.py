"""Free text and lists as tokens: the one stage that training and serving share. What reads texts starts from here.

Serving imports this file: the standard library only. Both ways of making blocks call the same two functions for a cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_CHARACTERS = 20_000
"""A text is cut here before it is read, so that one cell costs a bounded time."""
MAX_TOKENS = 512
"""The first so many tokens of a cell count."""
MAX_TOKEN = 40
"""Characters of one token; the rest of a longer one is cut off."""
EMPTY_LIST = "[]"
"""How a list without a value stands in the block; an empty cell is missing."""

# Marks that belong to the letter before them but are no letters to Python: accents that do not compose, the points of
# Hebrew and Arabic, the vowel signs of the scripts of India and South-East Asia.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8"
    "\u0900-\u0963\u0981-\u0983\u09bc-\u09d7\u0a01-\u0a75\u0a81-\u0ae3\u0b01-\u0b63\u0b82-\u0bd7\u0c00-\u0c63"
    "\u0c81-\u0ce3\u0d00-\u0d63\u0d82-\u0df3\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ebc\u0ec8-\u0ecd\u102b-\u103e"
    "\u17b4-\u17d3"
)
# Scripts that put no space between words: read by pairs of neighbours.
_UNSPACED = (
    "\u0e01-\u0e4e\u0e81-\u0ecd\u1000-\u103e\u1780-\u17d3\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff"
    "\U00020000-\U0003134f"
)
_PICTURES = "\u2600-\u27bf\U0001f000-\U0001faff"

_ASCII = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_ANY = re.compile(rf"[{_UNSPACED}]+|[{_PICTURES}]|(?:(?![{_UNSPACED}])[\w{_MARKS}])+(?:'[\w{_MARKS}]+)*")
_RUN = re.compile(rf"[{_UNSPACED}]")


def token_text(text: str) -> str:
    """Give a text's tokens, joined by single spaces: lower case, compatibility forms unified, punctuation gone.

    Words keep their apostrophes, pictures are tokens of their own, and scripts without spaces become pairs of
    neighbouring characters. A text that holds none of these is one token as it stands, so that only a blank cell
    becomes ``""``.

    Examples
    --------
    >>> token_text("The ﬁne CAFÉ, isn’t it? 5.99 €")
    "the fine café isn't it 5 99"
    >>> token_text("東京都 is big 👍"), token_text(" :-) "), token_text("  ")
    ('東京 京都 is big 👍', ':-)', '')
    """
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS]
    if text.isascii():
        found = _ASCII.findall(text.lower())
    else:
        folded = _folded(text).replace("\u2019", "'").replace("_", " ")
        found = [token for run in _ANY.findall(folded) for token in (_pairs(run) if _RUN.match(run) else (run,))]
    if not found:
        return "".join(_folded(text).split())[:MAX_TOKEN]
    return " ".join([token[:MAX_TOKEN] for token in found[:MAX_TOKENS]])


def list_text(values: Iterable[str]) -> str:
    """Give a list's tokens: one for each value that is not blank, its inner spaces replaced by ``_``.

    Parameters
    ----------
    values : texts of the values, as ``canonical_text`` gives them.

    Examples
    --------
    >>> list_text(["Science Fiction", "drama", ""]), list_text([])
    ('science_fiction drama', '[]')
    """
    found = []
    for value in values:
        token = "_".join(_folded(value[:MAX_CHARACTERS]).split())
        if token:
            found.append(token[:MAX_TOKEN])
            if len(found) == MAX_TOKENS:
                break
    return " ".join(found) or EMPTY_LIST


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Folding may undo the normal form, and the normal form may hold capitals again.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _pairs(run: str) -> list[str]:
    return [run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]
