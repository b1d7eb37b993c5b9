"""A text that training did not know, read as the known one that it is a keystroke away from.

Serving imports this file: the standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SHORTEST = 5
"""Shorter texts resemble each other by chance."""
_DIGITS = re.compile(r"\d+")


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
