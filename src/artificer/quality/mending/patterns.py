"""Cells that are not written as nearly all others of their column, and cells that are missing where others are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from artificer.quality.mending.sheet import FLAGGED, Change, Column, Sheet
from artificer.tables.formats import PLAIN, number_format

CAUSE, LACKING = "unusual form", "missing"
FORMED = 0.95
"""Columns whose few usual forms cover so much have a form at all."""
USUAL = 0.02
LEEWAY = 0.2
TIMES = 5
MOST_FORMS = 6
FILLED = 0.75
"""A cell is missed where so many of its column's cells are filled."""
_UNIT = re.compile(r"\d([^\W\d_]+)$")
_RUN = re.compile(r"[^\W_]+")


def form(text: str) -> str:
    """The form of a text: runs of digits, of letters and of both, and the marks between them.

    Examples
    --------
    >>> [form(text) for text in ("100%", "x5%", "21 patients", "1x patients", "2053258100", "33x", "Nov-23")]
    ['9%', 'm%', '9 a', 'm a', '9', 'm', 'a-9']
    """
    out, at = [], 0
    while at < len(text):
        run = _RUN.match(text, at)
        if run is None:
            out.append(" " if text[at].isspace() else text[at])
            at += 1
            continue
        word = run[0]
        digits, letters = any(c.isdigit() for c in word), any(c.isalpha() for c in word)
        out.append("m" if digits and letters else "9" if digits else "a")
        at = run.end()
    return re.sub(r"(a )+a\b", "a", re.sub(r" +", " ", "".join(out)))


def odd_forms(sheet: Sheet) -> Iterator[Change]:
    """Flag cells of a form that is rare in a column of few forms."""
    for column in sheet.columns.values():
        if column.typed or column.present < 50:
            continue
        odd = odd_texts(column)
        change = column.to({text: text for text in odd}, CAUSE, odd) if odd else None
        if change is not None:
            yield Change(change.column, CAUSE, change.rows, change.after, change.confidence, FLAGGED)


def odd_texts(column: Column) -> dict[str, float]:
    """Texts of a rare form, and the share of the column that is written otherwise.

    Only columns that hold digits have a form to keep to. A letter within a number is odd wherever the same form without
    it is usual: ``1x%`` among ``13%``.
    """
    forms, counts = _forms(column)
    damaged = _damaged(counts, column.present)
    usual = {o for o, n in counts.most_common(MOST_FORMS) if n >= USUAL * column.present and o not in damaged}
    covered = sum(counts[one] for one in usual) / column.present
    if covered == 1.0 or not any("9" in one for one in usual) or covered < FORMED - LEEWAY:
        return {}
    read = number_format(PLAIN).parse
    numbers = all(set(one) <= set("9.-") for one in usual)
    surely = set(damaged_texts(column))
    odd = set(counts) - usual - damaged if covered >= FORMED else set()
    return {
        text: covered
        for text, one, count in zip(column.distinct, forms, column.counts.tolist(), strict=True)
        if text in surely or (one in odd and count <= USUAL * column.present / 2 and not (numbers and read(text)))
    }


def _forms(column: Column) -> tuple[list[str], Counter[str]]:
    """The form of each different text, and how often it stands in the column."""
    forms = [form(text) for text in column.distinct]
    counts: Counter[str] = Counter()
    for one, count in zip(forms, column.counts.tolist(), strict=True):
        counts[one] += count
    return forms, counts


def _damaged(counts: Counter[str], present: int) -> set[str]:
    """Forms that are usual ones but for letters within a number."""
    found = set()
    for one, count in counts.items():
        meant = counts[one.replace("m", "9")], counts[one.replace("a", "9")]
        if one.replace("m", "9").replace("a", "9") != one and max(meant) >= max(TIMES * count, USUAL * present):
            found.add(one)
    return found


def damaged_texts(column: Column) -> list[str]:
    """Texts with a letter where the column's usual form has a digit.

    Examples
    --------
    >>> damaged_texts(Column("n", np.array(["95%"] * 30 + ["8x%", "x00%"], dtype=object)))
    ['8x%', 'x00%']
    """
    forms, counts = _forms(column)
    damaged = _damaged(counts, column.present)
    units = Counter(match[1] for text in column.distinct if (match := _UNIT.search(text)) is not None)
    return [
        text
        for text, one in zip(column.distinct, forms, strict=True)
        if one in damaged and ((match := _UNIT.search(text)) is None or units[match[1]] < TIMES)
    ]


def lacking(sheet: Sheet) -> Iterator[Change]:
    """Flag cells that are missing in columns that are filled nearly everywhere else."""
    for column in sheet.columns.values():
        gone = np.flatnonzero(column.texts == "").astype(np.int64)
        share = 1 - len(gone) / max(sheet.height, 1)
        if not len(gone) or share < FILLED:
            continue
        gone = gone[~sheet.is_told(column.name, gone)]
        after = np.full(len(gone), "", dtype=object)
        yield Change(column.name, LACKING, gone, after, np.full(len(gone), share), FLAGGED)
