"""Which encoders a table gets: decided from what its columns hold, never from their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

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
LONG_TAIL = 0.01
"""A column with a larger share of values beyond the clip is also shown by ranks."""


def plan(
    name: Literal["trees", "linear", "none"],
    blocks: Blocks,
    names: Mapping[Kind, Sequence[str]],
    task: Task,
    n_classes: int,
) -> RepresentationSpec:
    """Choose the encoders of a representation for a table. The same table gives the same plan.

    ``trees``: numbers as they are; codes for categories, averages of the target from 9 levels on, frequencies in
    place of codes from 256 on; calendar parts. ``linear``: imputed and scaled numbers, with normal scores beside those
    that have long tails; indicators for categories of up to 50 levels, averages of the target for others; circles and
    elapsed time. ``none``: a single 0. Columns that hold one value only are left out.

    Parameters
    ----------
    blocks : the training rows.
    names : column names of each block; kept for symmetry with fitting, no rule depends on them.

    Examples
    --------
    >>> blocks = Blocks(np.float32([[1], [2]]), np.array([["a"], ["b"]], dtype=object), np.zeros((2, 0), np.int64))
    >>> names = {Kind.NUMBERS: ["size"], Kind.STRINGS: ["letter"], Kind.TIMES: []}
    >>> [step.encoder for step in plan("linear", blocks, names, Task.BINARY, 2).steps]
    ['numeric_scaled', 'categorical_onehot']
    """
    if name == "none":
        return RepresentationSpec(name, ())
    numbers, times = _varying_numbers(blocks), _varying_times(blocks)
    levels = {j: count for j, count in enumerate(_level_counts(blocks)) if count > 1}
    t = n_classes if task is Task.MULTICLASS else 1
    steps = _trees(numbers, levels, times, t) if name == "trees" else _linear(blocks, numbers, levels, times, t)
    return RepresentationSpec(name, tuple(EncoderStep(*step) for step in steps if step[3]))


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
