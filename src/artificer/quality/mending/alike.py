"""Whether two texts may be one, misspelt: in case, space, accents, or by few keystrokes that leave numbers alone."""

from __future__ import annotations

import re
import unicodedata

SLIP = 0.25
"""Keystrokes (insert, delete, replace, swap) for each character, at the most; a single one is always allowed."""
_DIGITS = re.compile(r"\d+")


def alike(a: str, b: str, *, most: int | None = None) -> bool:
    """Whether `a` may be `b` misspelt.

    Texts that differ in a number name two things and not one: "ward 3" is no slip for "ward 8". A letter among the
    digits ("9x210") is one.

    Examples
    --------
    >>> alike("birminghxm", "birmingham"), alike("ward 3", "ward 8"), alike("9x210", "95210"), alike("ox", "elephant")
    (True, False, True, False)
    """
    from rapidfuzz.distance import OSA

    if plain(a) == plain(b):
        return True
    if _DIGITS.findall(a) != _DIGITS.findall(b):
        return fits(a, b)
    limit = max(1, int(SLIP * max(len(a), len(b)))) if most is None else most
    return OSA.distance(a, b, score_cutoff=limit) <= limit


def plain(text: str) -> str:
    """A text without what differs by habit alone: case, accents, runs of space and of punctuation.

    Examples
    --------
    >>> plain("  Zürich, ZH") == plain("zurich ZH")
    True
    """
    bare = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in bare if not unicodedata.combining(c)).casefold()
    return " ".join(re.sub(r"[\W_]+", " ", bare).split()) or text


def fits(damaged: str, text: str) -> bool:
    """Whether `damaged` is `text` with letters in place of some of its digits and perhaps of other characters.

    Examples
    --------
    >>> fits("25x47x", "257470"), fits("25x47x", "257480"), fits("3x patients", "37 patients"), fits("3x", "3")
    (True, False, True, False)
    """
    return len(damaged) == len(text) and all(a == b or a.isalpha() for a, b in zip(damaged, text, strict=True))
