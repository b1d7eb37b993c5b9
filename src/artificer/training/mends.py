"""Mends that a model learns through: read off training rows, kept where folds show that the model does not get worse.

They become part of the contract, so that rows to be predicted are mended alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from artificer.search.leaderboard import T_975
from artificer.search.records import SearchRequest
from artificer.training.light import LEARNER, light_losses
from artificer.types import Blocks, Doubles, Ints, Kind, Role

if TYPE_CHECKING:
    from artificer.tables.contract import ColumnSpec, Contract
    from artificer.tables.prepare import Prepared

MOST_FOLDS, LEAST_FOLDS = 3, 2
MARGIN = 0.01
"""A loss may be higher by this share and still count as no worse: less than another seed changes."""
LEAST_SECONDS, SHARE = 15.0, 0.1
"""Shorter budgets leave no time for a proof; others give this share to it."""
LEAST_FITS = 20
"""From a budget of so many fits on, those of the proof are taken from it."""
MOST_ROWS = 20_000
COVERED = 0.5
"""A fold speaks for a rule that it finds in at least this part of the cells that its share of the rows would have."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Light models with and without the mends on the same folds, whose rules were read off each fold's training rows.

    Attributes
    ----------
    without, mended : mean score, in the metric's own direction.
    worse_by : upper end of the 95 % interval of what the loss grows by, its variance corrected for shared training
        rows (Nadeau and Bengio, 2003).
    kept : whether that is within the margin.
    """

    metric: str
    without: float
    mended: float
    worse_by: float
    margin: float
    folds: int
    kept: bool

    @property
    def sentence(self) -> str:
        bound = (
            f"the loss falls by {-self.worse_by:.2g} at least"
            if self.worse_by < 0
            else f"the loss grows by {self.worse_by:.2g} at most, {self.margin:.2g} would do"
        )
        return (
            f"{self.metric} {self.mended:.4g} with them, {self.without:.4g} without ({LEARNER}, {self.folds} folds of "
            f"training rows; {bound})"
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One column's mends as its contract will have them, and how many cells of the training rows they change."""

    column: ColumnSpec
    cells: int
    example: str

    def __str__(self) -> str:
        return f'{self.cells:,} cells of "{self.column.name}" ({self.example})'


def rules_of(contract: Contract, blocks: Blocks) -> tuple[Rule, ...]:
    """Misspelt categories and numbers of another scale, read off these rows alone.

    Examples
    --------
    >>> import polars as pl
    >>> from artificer.tables.prepare import prepare
    >>> towns = ["Bergen"] * 40 + ["Bergn"] + ["Oslo"] * 40
    >>> ready = prepare(pl.DataFrame({"town": towns, "y": [0, 1, 0] * 27}), target="y")
    >>> [(str(rule), dict(rule.column.spelling)) for rule in rules_of(ready.contract, ready.blocks)]
    [('1 cells of "town" (Bergn → Bergen)', {'Bergn': 'Bergen'})]
    """
    found: list[Rule] = []
    for j, spec in enumerate(contract.of(Kind.STRINGS)):
        rule = _spelling(spec, blocks.strings[:, j])
        found += [rule] if rule is not None else []
    for j, spec in enumerate(contract.of(Kind.NUMBERS)):
        scaled = None if spec.role is not Role.NUMERIC else _scale(spec, blocks.numbers[:, j].astype(np.float64))
        found += [scaled] if scaled is not None else []
    return tuple(found)


def _spelling(spec: ColumnSpec, texts: object) -> Rule | None:
    from artificer.quality.mending.sheet import Column
    from artificer.quality.mending.typos import spelling_of
    from artificer.tables.prepare import MAX_CATEGORIES

    column = Column(spec.name, np.asarray(texts, dtype=object))
    mapping = spelling_of(column)
    if not mapping:
        return None
    counts: Counter[str] = Counter()
    for text, count in zip(column.distinct, column.counts.tolist(), strict=True):
        counts[mapping.get(text, text)] += count
    known = tuple(text for text, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    # Where more are known than the contract lists, an unlisted one could not be told from a variant of one.
    variants = len(known) <= MAX_CATEGORIES
    cells = sum(n for text, n in zip(column.distinct, column.counts.tolist(), strict=True) if text in mapping)
    before, after = next(iter(mapping.items()))
    changed = replace(spec, spelling=mapping, variants=variants, categories=known[:MAX_CATEGORIES])
    return Rule(changed, cells, f"{before} → {after}")


def _scale(spec: ColumnSpec, numbers: Doubles) -> Rule | None:
    from artificer.quality.mending.scale import scale_rule

    rule = scale_rule(numbers)
    if rule is None:
        return None
    cells = int(((numbers >= rule.low) & (numbers <= rule.high)).sum())
    changed = replace(spec, scale=((rule.low, rule.high, rule.factor),))
    return Rule(changed, cells, f"{rule.low:.4g} to {rule.high:.4g} times {rule.factor:g}")


def with_rules(contract: Contract, blocks: Blocks, rules: tuple[Rule, ...]) -> tuple[Contract, Blocks]:
    """The contract with the rules, and the blocks as a table would be read under it."""
    import polars as pl

    from artificer.tables.arrays import respelt_texts
    from artificer.tables.cells import settle_numbers
    from artificer.tables.prepare import described

    by_name = {rule.column.name: rule.column for rule in rules}
    columns = tuple(by_name.get(column.name, column) for column in contract.columns)
    changed = replace(contract, columns=columns)
    strings, numbers = blocks.strings.copy(), blocks.numbers.copy()
    for j, spec in enumerate(changed.of(Kind.STRINGS)):
        if spec.name in by_name and spec.spelling:
            texts = respelt_texts(pl.Series("t", strings[:, j], dtype=pl.String), spec)
            strings[:, j] = texts.to_numpy()
    for j, spec in enumerate(changed.of(Kind.NUMBERS)):
        if spec.name in by_name and spec.scale:
            values = numbers[:, j].copy()
            settle_numbers(values, spec)
            numbers[:, j] = values
    mended = replace(blocks, strings=strings, numbers=numbers)
    columns = tuple(
        # What is known is what the rules were read off: what these rows hold besides must not change them.
        replace(column, categories=by_name[column.name].categories) if column.variants else column
        for column in described(changed, mended)
    )
    return replace(changed, columns=columns), mended


def proven(
    prepared: Prepared,
    train_rows: Ints,
    search_of: Callable[[Prepared], SearchRequest],
) -> tuple[Prepared, Proof | None, str | None]:
    """Mend the table by the rules of its training rows, where a paired cross-validation shows no loss.

    Parameters
    ----------
    train_rows : the rows that may be looked at.
    search_of : what a search on these rows would be asked.

    Returns
    -------
    The table, mended or as it was; the proof, None where there was nothing to prove or no time; and a sentence. A rule
    that too few folds found in their own training rows is not proven, and is left out.
    """
    rules = rules_of(prepared.contract, prepared.blocks.take(train_rows))
    if not rules:
        return prepared, None, None
    search = search_of(prepared)
    if not _has_time(search):
        return prepared, None, f"probably wrong, and left for want of time to prove a mend: {_named(rules)}"
    folds = _found(search, prepared.contract)
    judged = tuple(rule for rule in rules if sum(_covers(found, rule) for found in folds) >= LEAST_FOLDS)
    others = tuple(rule for rule in rules if rule not in judged)
    unproven = f"probably wrong, and left as too few folds could judge a mend: {_named(others)}" if others else ""
    shown = [one for one in folds if all(_covers(one, rule) for rule in judged)]
    proof = _prove(search, prepared.contract, shown, judged)
    if proof is None:
        return prepared, None, f"probably wrong, and left as too few folds could judge a mend: {_named(rules)}"
    named, figures = _named(judged), proof.sentence + (f". Also {unproven}" if unproven else "")
    if not proof.kept:
        return prepared, proof, f"mends were left out, as the model may get worse: {named}; {figures}"
    contract, blocks = with_rules(prepared.contract, prepared.blocks, judged)
    note = f"mended, in rows to be predicted too: {named}; {figures}"
    return replace(prepared, contract=contract, blocks=blocks), proof, note


def without_proof(search: SearchRequest, proof: Proof | None) -> SearchRequest:
    """The request with the fits that a proof took subtracted from its budget, where that is one of fits."""
    fits = search.budget.fits
    if proof is None or fits is None:
        return search
    return replace(search, budget=replace(search.budget, fits=fits - 2 * proof.folds))


def _named(rules: tuple[Rule, ...]) -> str:
    return ", ".join(map(str, rules[:5])) + (f" and {len(rules) - 5} columns more" if len(rules) > 5 else "")


@dataclass(frozen=True, slots=True)
class _Fold:
    """A fold, the rules of its training rows alone, and the share of all rows that these are."""

    rows: tuple[Ints, Ints]
    rules: tuple[Rule, ...]
    share: float


def _found(search: SearchRequest, contract: Contract) -> list[_Fold]:
    return [
        _Fold(fold, rules_of(contract, search.blocks.take(fold[0])), len(fold[0]) / len(search.y))
        for fold in _few_rows(search)[::-1]  # those with the most training rows first, where folds are in time
    ]


def _covers(fold: _Fold, rule: Rule) -> bool:
    """Whether the fold's training rows show the rule; else it would be judged by rows that it leaves alone."""
    same = [one for one in fold.rules if one.column.name == rule.column.name]
    factors = [[factor for *_, factor in one.column.scale] for one in (*same, rule)]
    return bool(same) and factors[0] == factors[-1] and same[0].cells >= COVERED * fold.share * rule.cells


def _has_time(search: SearchRequest) -> bool:
    if search.budget.fits is not None:
        return search.budget.fits >= LEAST_FITS
    return (search.budget.seconds or 0.0) >= LEAST_SECONDS


def _prove(search: SearchRequest, contract: Contract, found: list[_Fold], judged: tuple[Rule, ...]) -> Proof | None:
    """Judge some columns' mends on folds that show them; None with too few of these."""
    names = {rule.column.name for rule in judged}
    folds = [(one.rows, tuple(rule for rule in one.rules if rule.column.name in names)) for one in found[:MOST_FOLDS]]
    if not judged or len(folds) < LEAST_FOLDS:
        return None
    clock, began = search.clock, search.clock.monotonic()
    counted = search.budget.fits is not None
    allowed = math.inf if counted else SHARE * (search.budget.seconds or 0.0)
    pairs: list[tuple[float, float]] = []
    for done, (fold, rules) in enumerate(folds):
        if done and (clock.monotonic() - began) * (done + 1) / done > allowed:
            break
        _, blocks = with_rules(contract, search.blocks, rules)
        both = [
            light_losses(one, [(fold, False)], goes_on=lambda _: True, soft_seconds=allowed / (2 * len(folds)))
            for one in (search, replace(search, blocks=blocks))
        ]
        if all(both):
            pairs.append((both[0][0], both[1][0]))
    decided = np.array([pair for pair in pairs if all(map(math.isfinite, pair))])
    if len(decided) < LEAST_FOLDS:
        return None
    return _judged(search, decided, float(np.mean([len(b) / len(a) for (a, b), _ in folds])))


def _judged(search: SearchRequest, losses: Doubles, overlap: float) -> Proof:
    """Hold the differences of paired losses (k, 2) to the margin."""
    k, (without, mended) = len(losses), losses.mean(axis=0)
    growth = losses[:, 1] - losses[:, 0]
    error = math.sqrt((1 / k + overlap) * float(growth.var(ddof=1)))
    worse_by = float(growth.mean()) + T_975[k - 2] * error
    margin = MARGIN * abs(float(without))
    sign = -1.0 if search.metric.greater_is_better else 1.0
    return Proof(
        search.metric.name, sign * float(without), sign * float(mended), worse_by, margin, k, worse_by <= margin
    )


def _few_rows(search: SearchRequest) -> list[tuple[Ints, Ints]]:
    """The folds, their training and validation rows thinned evenly where there are too many."""
    thin = max(1, -(-len(search.y) // MOST_ROWS))
    return [(train[::thin], valid[::thin]) for train, valid in search.folds]
