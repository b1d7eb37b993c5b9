"""Which encoders a table gets: decided from what its columns hold, never from their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from artificer.errors import ConfigurationError, nearest
from artificer.features.numeric_scaled import center_and_spread
from artificer.features.spec import EncoderStep, RepresentationSpec
from artificer.types import MISSING_TIME, Blocks, Ints, Kind, Params, Task

FEW_LEVELS = 8
"""Up to here two thresholds of a tree set any level apart at little cost, and averages of the target add nothing."""
MANY_LEVELS = 255
"""Beyond this most levels are too rare for a code to be worth splitting on; frequency stands in for it."""
ONEHOT_LEVELS = 50
ONEHOT_WIDTH = 1_000
TARGET_WIDTH_TREES = 400
TARGET_WIDTH_LINEAR = 2_000
"""Caps on features of one kind, so that a wide table still fits into memory; trees have the codes besides."""
MAX_LEVELS = 10_000
ALL_LEVELS = 200_000
"""Levels kept per column, and over all columns: they travel with the model."""
CLIP = 10.0
TEXT_WIDTH = {"trees": 32, "linear": 64}
SHORT_TEXT_WIDTH = 32
SHORT_TEXT_WORDS = 120
TEXT_WIDTH_LEAST = 8
TEXT_TARGETS = 50
"""Directions and scores of all such columns together, and the least of directions for each."""
LONG_TAIL = 0.01
"""A column with a larger share of values beyond the clip is also shown by ranks."""
GROUPS = 6
ROWS_PER_LEVEL = 5
"""Numbers are seen within so many categories at most, those with the most levels that have so many rows each."""

BASES = ("trees", "linear", "none")
SELECTED = "selected"
GENERATED = ("pairs", "groups", "cross")
MODIFIERS = (*GENERATED, SELECTED)
"""What may follow a base after a plus sign; the generated features are for trees only, as missing ones stay missing."""


def plan(
    name: str,
    blocks: Blocks,
    names: Mapping[Kind, Sequence[str]],
    task: Task,
    n_classes: int,
) -> RepresentationSpec:
    """Choose the encoders of a representation for a table. The same table gives the same plan.

    ``trees``: numbers as they are; codes for categories, averages of the target from 9 levels on, frequencies in
    place of codes from 256 on; calendar parts. ``linear``: imputed and scaled numbers, with normal scores beside those
    that have long tails; indicators for categories of up to 50 levels, averages of the target for others; circles and
    elapsed time. Both: the main directions of the words of texts, and a score of what they say of the target; such
    directions also for categories of more than 50 levels that are mostly of several words. ``none``: a single 0.
    Columns that hold one value only are left out.

    Modifiers follow the base after plus signs, in any order: ``trees+pairs`` adds differences, ratios, products and
    sums of numbers, ``trees+groups`` numbers compared with the average of their category, ``trees+cross`` pairs of
    categories; with ``+selected`` features that are doubles or noise are left out after fitting.

    Parameters
    ----------
    name : base and modifiers.
    blocks : the training rows.
    names : column names of each block; kept for symmetry with fitting, no rule depends on them.

    Raises
    ------
    ConfigurationError
        An unknown base or modifier, or generated features for another base than trees.

    Examples
    --------
    >>> blocks = Blocks(np.float32([[1], [2]]), np.array([["a"], ["b"]], dtype=object), np.zeros((2, 0), np.int64))
    >>> names = {Kind.NUMBERS: ["size"], Kind.STRINGS: ["letter"], Kind.TIMES: []}
    >>> [step.encoder for step in plan("linear", blocks, names, Task.BINARY, 2).steps]
    ['numeric_scaled', 'categorical_onehot']
    """
    base, modifiers = parsed(name)
    name = "+".join((base, *modifiers))
    if base == "none":
        return RepresentationSpec(name, ())
    numbers, times = _varying_numbers(blocks), _varying_times(blocks)
    levels = {j: count for j, count in enumerate(_level_counts(blocks)) if count > 1}
    t = n_classes if task is Task.MULTICLASS else 1
    steps = _trees(numbers, levels, times, t) if base == "trees" else _linear(blocks, numbers, levels, times, t)
    planned = [EncoderStep(*step) for step in steps if step[3]]
    planned += _generated(modifiers, numbers, levels, len(blocks))
    planned += _of_short_texts(base, blocks, levels) + _of_texts(base, blocks)
    return RepresentationSpec(name, tuple(planned), SELECTED in modifiers)


def parsed(name: str) -> tuple[str, tuple[str, ...]]:
    """A representation's name as its base and its modifiers, each once and in the order of MODIFIERS.

    Examples
    --------
    >>> parsed("trees+selected+pairs")
    ('trees', ('pairs', 'selected'))
    >>> parsed("trees+pears")
    Traceback (most recent call last):
    artificer.errors.ConfigurationError: the representation "trees+pears" has an unknown part "pears"; ...
    """
    base, *modifiers = name.split("+")
    for part, known in ((base, BASES), *((modifier, MODIFIERS) for modifier in modifiers)):
        if part not in known:
            raise ConfigurationError(
                f'the representation "{name}" has an unknown part "{part}"; '
                f"known are {', '.join(known)}{nearest(part, known)}"
            )
    generated = [modifier for modifier in modifiers if modifier in GENERATED]
    if (generated and base != "trees") or (modifiers and base == "none"):
        raise ConfigurationError(
            f'the representation "{name}" does not go together: {", ".join(GENERATED)} go with trees, '
            f"{SELECTED} with trees or linear"
        )
    return base, tuple(modifier for modifier in MODIFIERS if modifier in modifiers)


def _generated(
    modifiers: Sequence[str], numbers: tuple[int, ...], levels: Mapping[int, int], rows: int
) -> list[EncoderStep]:
    """Encoders of generated features; each chooses on the training rows which features it makes."""
    cap: Params = {"max_levels": _level_cap(levels)}
    steps = []
    if "pairs" in modifiers and len(numbers) > 1:
        steps.append(EncoderStep("numeric_pairs", {}, Kind.NUMBERS, numbers))
    if "groups" in modifiers and numbers:
        groups = _largest([j for j in levels if levels[j] * ROWS_PER_LEVEL <= rows], levels, GROUPS)
        if groups:
            steps.append(EncoderStep("group_numbers", {"groups": len(groups), **cap}, Kind.NUMBERS, numbers, groups))
    if "cross" in modifiers and len(levels) > 1:
        steps.append(EncoderStep("category_pairs", cap, Kind.STRINGS, tuple(levels)))
    return steps


def _of_short_texts(base: str, blocks: Blocks, levels: Mapping[int, int]) -> list[EncoderStep]:
    """Points of many categories that are written in several words, and for trees the words themselves."""
    columns = tuple(
        j for j, count in levels.items() if count > ONEHOT_LEVELS and _words(set(blocks.strings[:, j].tolist())) >= 2
    )
    if not columns:
        return []
    params: Params = {
        "width": max(TEXT_WIDTH_LEAST, SHORT_TEXT_WIDTH // len(columns)),
        "max_levels": _level_cap(levels),
    }
    if base == "trees":
        params["words"] = SHORT_TEXT_WORDS // len(columns)
    return [EncoderStep("category_words", params, Kind.STRINGS, columns)]


def _words(levels: Collection[str]) -> float:
    """Words with a letter that a level has on average; the number in "room 12" is none."""
    present = [level for level in levels if level]
    return sum(any(map(str.isalpha, word)) for level in present for word in level.split()) / max(len(present), 1)


def _of_texts(base: str, blocks: Blocks) -> list[EncoderStep]:
    """Points and scores of texts, fewer a column where there are many columns."""
    columns = tuple(j for j in range(blocks.texts.shape[1]) if len(set(blocks.texts[:, j].tolist())) > 1)
    if not columns:
        return []
    width = max(TEXT_WIDTH_LEAST, TEXT_WIDTH[base] // len(columns))
    targets = max(1, TEXT_TARGETS // len(columns))
    return [
        EncoderStep("text_embedding", {"width": width}, Kind.TEXTS, columns),
        EncoderStep("text_target", {"max_targets": targets}, Kind.TEXTS, columns),
    ]


_Step = tuple[str, Params, Kind, tuple[int, ...]]


def _trees(numbers: tuple[int, ...], levels: Mapping[int, int], times: tuple[int, ...], t: int) -> list[_Step]:
    cap: Params = {"max_levels": _level_cap(levels)}
    averaged = _largest([j for j in levels if levels[j] > FEW_LEVELS], levels, TARGET_WIDTH_TREES // t)
    counted = tuple(j for j in averaged if levels[j] > MANY_LEVELS)
    coded = tuple(j for j in levels if j not in counted)
    return [
        ("numeric_passthrough", {}, Kind.NUMBERS, numbers),
        ("categorical_ordinal", cap, Kind.STRINGS, coded),
        ("categorical_target", cap, Kind.STRINGS, averaged),
        ("categorical_count", cap, Kind.STRINGS, counted),
        ("datetime_parts", {}, Kind.TIMES, times),
    ]


def _linear(
    blocks: Blocks, numbers: tuple[int, ...], levels: Mapping[int, int], times: tuple[int, ...], t: int
) -> list[_Step]:
    cap: Params = {"max_levels": _level_cap(levels)}
    indicated: list[int] = []
    width = 0
    for j in sorted(levels, key=lambda j: (levels[j], j)):
        width += levels[j] + 1  # one for rare or missing
        if levels[j] > ONEHOT_LEVELS or width > ONEHOT_WIDTH:
            break
        indicated.append(j)
    averaged = _largest([j for j in levels if j not in set(indicated)], levels, TARGET_WIDTH_LINEAR // t)
    return [
        ("numeric_scaled", {"clip": CLIP}, Kind.NUMBERS, numbers),
        ("numeric_quantile", {"indicators": False}, Kind.NUMBERS, tuple(j for j in numbers if _long_tailed(blocks, j))),
        ("categorical_onehot", {"max_indicators": ONEHOT_LEVELS, **cap}, Kind.STRINGS, tuple(sorted(indicated))),
        ("categorical_target", cap, Kind.STRINGS, averaged),
        ("datetime_cyclic", {}, Kind.TIMES, times),
    ]


def _largest(columns: Sequence[int], levels: Mapping[int, int], most: int) -> tuple[int, ...]:
    """The `most` columns with the most levels, in table order; at least one where there is one."""
    return tuple(sorted(sorted(columns, key=lambda j: (-levels[j], j))[: max(most, 1)]))


def _level_cap(levels: Mapping[int, int]) -> int:
    return max(100, min(MAX_LEVELS, ALL_LEVELS // max(len(levels), 1)))


def _level_counts(blocks: Blocks) -> list[int]:
    """Distinct values of each category column, missing counted as one."""
    return [len(set(blocks.strings[:, j].tolist())) for j in range(blocks.strings.shape[1])]


def _varying_numbers(blocks: Blocks) -> tuple[int, ...]:
    found = []
    for j in range(blocks.numbers.shape[1]):
        column = blocks.numbers[:, j]
        present = column[~np.isnan(column)]
        if len(present) and (len(present) < len(column) or present.min() != present.max()):
            found.append(j)
    return tuple(found)


def _varying_times(blocks: Blocks) -> tuple[int, ...]:
    return tuple(j for j in range(blocks.times.shape[1]) if _varies(blocks.times[:, j]))


def _varies(column: Ints) -> bool:
    return bool(len(column)) and bool((column != column[0]).any()) and bool((column != MISSING_TIME).any())


def _long_tailed(blocks: Blocks, column: int) -> bool:
    values = blocks.numbers[:, column]
    present = values[~np.isnan(values)].astype(np.float64)
    center, spread = center_and_spread(values)
    return bool((np.abs(present - center) > CLIP * spread).mean() > LONG_TAIL)
