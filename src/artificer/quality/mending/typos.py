"""Rare texts that are almost written like a frequent one of their column.

Whether that is a slip or another thing is read off the column itself: frequent texts that resemble each other are
different things, so their share is what rare ones would show without slips (a local false discovery rate, Efron 2004).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from artificer.quality.mending.alike import alike, fits, plain
from artificer.quality.mending.explained import explained
from artificer.quality.mending.patterns import damaged_texts
from artificer.quality.mending.sheet import Change, Column, Sheet

HABIT, TYPO, WORD = "case, space or accents", "typing error", "typing error in a word"
DIGIT = "letter in a number"
RATIO = 5
"""A text is rare beside another that comes so many times as often."""
HABITS = 50
MOST_TEXTS = 4000
LEAST = 0.6
"""A slip is repaired where that is surely more likely right than wrong; nothing but the column speaks for it."""
WORD_SHARE = 0.5
WORD_LENGTH = 5
FEWEST = 50
CONSISTENT, FEW = 0.2, 5
"""A text that stands in such a part of the cells of its group, and in so many, is meant: slips are not alike."""
SHORT = 4
"""Shorter texts resemble each other by chance: "OR" is no slip for "OH"."""


def habits(sheet: Sheet) -> Iterator[Change]:
    """Write texts that differ in case, space, accents or punctuation alone as the most frequent of them."""
    for column in sheet.columns.values():
        if column.typed or not column.repeats or len(column.distinct) > MOST_TEXTS * 5:
            continue
        mapping = habit_map(column)
        change = column.to(mapping, HABIT, 0.95) if mapping else None
        if change is not None:
            yield change


def habit_map(column: Column) -> dict[str, str]:
    """What texts should be that differ from a much more frequent one in case, space, accents or punctuation alone.

    Examples
    --------
    >>> habit_map(Column("method", np.array(["Dry mill"] * 6 + ["DRY MILL", "Wet"], dtype=object)))
    {'DRY MILL': 'Dry mill'}
    """
    families: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for text, count in zip(column.distinct, column.counts.tolist(), strict=True):
        if any(character.isalpha() for character in text):
            families[plain(text)].append((count, text))
    mapping: dict[str, str] = {}
    for family in families.values():
        if len(family) > 1:
            most, best = max(family)
            mapping |= {text: best for count, text in family if text != best and RATIO * count <= most}
    return mapping


def spelling_of(column: Column) -> dict[str, str]:
    """What every misspelt text of a column should be, told by the column alone.

    Examples
    --------
    >>> towns = np.array(["Bergen"] * 40 + ["BERGEN", "Bergn"] + ["Oslo"] * 40, dtype=object)
    >>> spelling_of(Column("town", towns))
    {'BERGEN': 'Bergen', 'Bergn': 'Bergen'}
    """
    if not column.repeats or len(column.distinct) > MOST_TEXTS * 5:
        return {}
    habit = habit_map(column)
    texts = np.array([habit.get(text, text) for text in column.texts], dtype=object) if habit else column.texts
    typo, _ = typo_map(Column(column.name, texts))
    return {text: typo.get(meant, meant) for text, meant in habit.items()} | typo


def typos(sheet: Sheet) -> Iterator[Change]:
    """Repair rare texts by the frequent one that they resemble."""
    for column in sheet.columns.values():
        if column.typed or not column.repeats:
            continue
        mapping, sure = typo_map(column)
        change = column.to(mapping, TYPO, sure) if mapping else None
        if change is not None:
            held = np.zeros(sheet.height, dtype=np.bool_)
            held[change.rows] = True
            keep = ~explained(sheet, column.name, held)[change.rows]
            yield Change(column.name, TYPO, change.rows[keep], change.after[keep], change.confidence[keep])


def typo_map(column: Column) -> tuple[dict[str, str], dict[str, float]]:
    """What each rare text should be, and how likely such a repair is right.

    Examples
    --------
    >>> towns = ["Almeda", "Alameda", "Marin", "Fresno", "Sonoma"]
    >>> column = Column("town", np.repeat(np.array(towns, dtype=object), [1, 40, 40, 40, 40]))
    >>> typo_map(column)
    ({'Almeda': 'Alameda'}, {'Almeda': 0.9})
    """
    counts = column.counts
    order = np.argsort(-counts, kind="stable")
    frequent = [int(j) for j in order if counts[j] >= RATIO][:MOST_TEXTS]
    rare = [int(j) for j in order[::-1] if counts[j] * RATIO <= counts.max() and _may_be_slip(column.distinct[j])]
    rare = rare[:MOST_TEXTS]
    if not frequent or not rare:
        return {}, {}
    found = _nearest(column, rare, frequent)
    usual = [j for j in frequent if counts[j] >= RATIO * 2]
    by_chance = (len(_nearest(column, usual, usual, others=True)) + 0.5) / (len(usual) + 1) if found else 1.0
    mapping: dict[str, str] = {}
    sure: dict[str, float] = {}
    for low, high in ((1, 1), (2, 2), (3, int(counts.max()))):  # a slip seldom comes twice
        of_class = [j for j in rare if low <= counts[j] <= high]
        hits = [j for j in of_class if j in found]
        right = 1 - by_chance * len(of_class) / len(hits) if hits else 0.0
        if right >= LEAST:
            mapping |= {column.distinct[j]: column.distinct[found[j]] for j in hits}
            sure |= {column.distinct[j]: right for j in hits}
    return mapping, sure


def _may_be_slip(text: str) -> bool:
    """Whether it has letters enough not to resemble another text by chance."""
    return len(text) >= SHORT and sum(c.isalpha() for c in text) >= max(3, len(text) // 2)


def _nearest(column: Column, rare: list[int], frequent: list[int], *, others: bool = False) -> dict[int, int]:
    """For each rare text the frequent one at one keystroke (or two in long ones), if it is the only one as near."""
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cdist

    texts, counts = column.distinct, column.counts
    distances = cdist(
        [texts[j] for j in rare], [texts[j] for j in frequent], scorer=OSA.distance, score_cutoff=2, dtype=np.uint8
    )
    found: dict[int, int] = {}
    for i, j in enumerate(rare):
        limit = 2 if len(texts[j]) >= 12 else 1
        near = [
            (int(distances[i, k]), -int(counts[frequent[k]]), frequent[k])
            for k in np.flatnonzero(distances[i] <= limit).tolist()
            if frequent[k] != j and (others or _is_rare_beside(int(counts[j]), int(counts[frequent[k]])))
        ]
        near = [item for item in sorted(near) if alike(texts[j], texts[item[2]], most=limit)]
        if near and (others or len(near) == 1 or near[0][0] < near[1][0] or near[0][1] < 3 * near[1][1]):
            found[j] = near[0][2]
    return found


def _is_rare_beside(count: int, other: int) -> bool:
    """A slip comes once or twice; one that comes more often is a habit of few among many."""
    return other >= (RATIO if count <= 2 else HABITS) * count


def digits(sheet: Sheet) -> Iterator[Change]:
    """Repair a letter within a number, where the column knows one number that fits: "x00%" among "100%" and "98%"."""
    for column in sheet.columns.values():
        damaged = [] if column.typed or column.present < FEWEST else damaged_texts(column)
        if not damaged:
            continue
        known = [(t, n) for t, n in zip(column.distinct, column.counts.tolist(), strict=True) if t not in set(damaged)]
        mapping, sure = {}, {}
        counts = dict(zip(column.distinct, column.counts.tolist(), strict=True))
        for text in damaged[:MOST_TEXTS]:
            fitting = sorted(((n, t) for t, n in known if fits(text, t)), reverse=True)
            share = fitting[0][0] / sum(n for n, _ in fitting) if fitting else 0.0
            if share > LEAST and not _is_meant(counts[text], fitting[0][0]):
                mapping[text], sure[text] = fitting[0][1], share
        change = column.to(mapping, DIGIT, sure) if mapping else None
        if change is not None:
            yield change


def _is_meant(count: int, other: int) -> bool:
    """Whether a text that comes `count` times is too usual to be a slip for what comes `other` times."""
    return count >= FEW and count >= CONSISTENT * (count + other)


def words(sheet: Sheet) -> Iterator[Change]:
    """Repair a word that nearly every cell of its column has: "21 pxtients" among "37 patients"."""
    for column in sheet.columns.values():
        if column.typed or len(column.distinct) < 2:
            continue
        mapping = word_map(column)
        change = column.to(mapping, WORD, 0.95) if mapping else None
        if change is not None:
            yield change


def word_map(column: Column) -> dict[str, str]:
    """What texts should be that lack the column's usual word and have one almost like it.

    Examples
    --------
    >>> word_map(Column("n", np.array(["21 pxtients", "37 patients", "4 patients"], dtype=object)))
    {'21 pxtients': '21 patients'}

    One that stands there all the time is none:

    >>> word_map(Column("n", np.array(["yes\\nindeed", "yes, endeed"] * 20 + ["no indeed"] * 40, dtype=object)))
    {}
    """
    usual: Counter[str] = Counter()
    for text, count in zip(column.distinct, column.counts.tolist(), strict=True):
        for word in set(text.split()):
            usual[word] += count
    everywhere = [
        word
        for word, count in usual.items()
        if count >= WORD_SHARE * column.present and len(word) >= WORD_LENGTH and word.isalpha()
    ]
    mapping: dict[str, str] = {}
    for text, count in zip(column.distinct, column.counts.tolist(), strict=True) if everywhere else ():
        parts = re.split(r"(\s+)", text)  # what lies between words is kept as it is
        for word in everywhere:
            if word not in parts and not _is_meant(count, usual[word]):
                rare = max(1, 0.01 * usual[word])
                places = [k for k, part in enumerate(parts) if usual[part] <= rare and alike(part, word)]
                if len(places) == 1:
                    parts[places[0]] = word
        if "".join(parts) != text:
            mapping[text] = "".join(parts)
    return mapping
