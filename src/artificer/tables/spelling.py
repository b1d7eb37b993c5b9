"""A text that training did not know, read as the known one that differs in case, space or accents alone.

Contracts of earlier versions also ask for the known one at a keystroke.

Serving imports this file: the standard library only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

SHORTEST = 5
"""Shorter texts resemble each other by chance."""
_DIGITS = re.compile(r"\d+")


def known_variant(text: str, known: tuple[str, ...]) -> str:
    """The one known text that `text` differs from in case, space or accents alone, or `text` itself.

    Examples
    --------
    >>> towns = ("Zürich", "Oslo S", "model A", "Wien", "WIEN")
    >>> [known_variant(text, towns) for text in ("ZURICH", "oslo  s", "model B", "wien", "Oslo S")]
    ['Zürich', 'Oslo S', 'model B', 'wien', 'Oslo S']
    """
    return text if text in known else _by_bare_form(known).get(bare(text), text)


@lru_cache(maxsize=256)
def _by_bare_form(known: tuple[str, ...]) -> Mapping[str, str]:
    forms = [bare(text) for text in known]
    return {form: text for form, text in zip(forms, known, strict=True) if forms.count(form) == 1}


def bare(text: str) -> str:
    """A text without case, accents and runs of space.

    Examples
    --------
    >>> bare("  Zürich   HB")
    'zurich hb'
    """
    letters = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).casefold().split())


def nearest_known(text: str, known: Sequence[str]) -> str:
    """The one known text that `text` may be misspelt for, or `text` itself.

    Examples
    --------
    >>> towns = ("Bergen", "Oslo S", "ward 3")
    >>> [nearest_known(text, towns) for text in ("Bregen", "Bergn", "ward 8", "Molde", "Oslo S")]
    ['Bergen', 'Bergen', 'ward 8', 'Molde', 'Oslo S']
    """
    if text in known or len(text) < SHORTEST:
        return text
    digits = _DIGITS.findall(text)
    found = [other for other in known if is_keystroke_away(text, other) and _DIGITS.findall(other) == digits]
    return found[0] if len(found) == 1 else text


def is_keystroke_away(a: str, b: str) -> bool:
    """Whether one insertion, deletion, replacement or swap of neighbours turns `a` into `b`.

    Examples
    --------
    >>> [is_keystroke_away("Oslo", other) for other in ("Olso", "Osl", "Oslox", "Osla", "slOo", "Oslo")]
    [True, True, True, True, False, False]
    """
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    if len(a) == len(b):
        swapped = a[start : start + 2] == b[start : start + 2][::-1] and a[start + 2 :] == b[start + 2 :]
        return a[start + 1 :] == b[start + 1 :] or swapped
    return a[start + 1 :] == b[start:] if len(a) > len(b) else a[start:] == b[start + 1 :]
