"""Words that stand for a missing cell: "N/A", "empty", "#REF!"."""

from __future__ import annotations

from collections.abc import Iterator

from artificer.quality.mending.sheet import Change, Column, Sheet
from artificer.tables.formats import PLAIN, number_format
from artificer.tables.parsing import CLEAR_MARKERS, MARKERS

CAUSE = "missing word"
PHRASES = frozenset({"empty", "missing", "not available", "not applicable", "(null)", "(none)", "(blank)", "#ref!"})
"""Words that mean missing among categories too, in lower case; "none" and "unknown" may be answers there."""
MOSTLY = 0.8


def missing_words(sheet: Sheet) -> Iterator[Change]:
    """Make cells missing that hold a word for it.

    A table that writes every missing cell with one plain word, and leaves none empty, has a convention of its own: the
    word is then read as missing, and kept.
    """
    found = {name: words for name, column in sheet.columns.items() if (words := words_of(column))}
    blank = any((column.texts == "").any() for column in sheet.columns.values())
    signs = {word.lower() for words in found.values() for word in words}
    if not blank and len(signs) == 1 and signs <= PHRASES:
        for name, words in found.items():
            sheet.keep_words(name, words)
        return
    for name, words in found.items():
        change = sheet.columns[name].to(dict.fromkeys(words, ""), CAUSE)
        if change is not None:
            yield change


def words_of(column: Column) -> tuple[str, ...]:
    """The texts of a column that stand for missing.

    Examples
    --------
    >>> import numpy as np
    >>> words_of(Column("a", np.array(["12", "7", "none", "9", "4"], dtype=object)))
    ('none',)
    >>> words_of(Column("a", np.array(["red", "N/A", "none"], dtype=object)))
    ('N/A',)
    """
    if column.typed:
        return ()
    marks = {text for text in column.distinct if text.lower() in MARKERS or text.lower() in PHRASES}
    if not marks:
        return ()
    others = [text for text in column.distinct if text not in marks]
    counts = dict(zip(column.distinct, column.counts.tolist(), strict=True))
    total = sum(counts[text] for text in others)
    read = number_format(PLAIN).parse
    numbers = sum(counts[text] for text in others if read(text) is not None)
    if total and numbers >= MOSTLY * total:
        return tuple(sorted(marks))
    return tuple(sorted(text for text in marks if text in CLEAR_MARKERS or text.lower() in PHRASES))
