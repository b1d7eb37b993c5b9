"""One model version, ready to answer: rows in, predictions and the journal's entries out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artificer.bundle.bounds import BOUNDS, Bounds
from artificer.errors import ArtificerError, ContractError, Violation, nearest
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.serving.guards import GuardPlan, Hit, Rails
from artificer.serving.ids import Ids
from artificer.tables.contract import canonical_text
from artificer.types import MISSING_STRING, Blocks, Kind

if TYPE_CHECKING:
    from artificer.bundle.conformal import Promise
    from artificer.bundle.model import Bundle

MAX_VIOLATIONS: Final = 100
MAX_ID: Final = 200
NO_HITS: Final[Mapping[int, tuple[Hit, ...]]] = MappingProxyType({})
DEFAULT_PLAN: Final = GuardPlan()


@dataclass(frozen=True, slots=True)
class Ask:
    """What one request wants to know.

    Attributes
    ----------
    rows : one mapping of column names to JSON values for each row.
    coverage : how surely the truth is to lie in the interval or set that is added to each prediction.
    echo : what else was asked for; no business of the predictor, but of who writes the answer.
    """

    rows: Sequence[Any]
    coverage: float | None = None
    echo: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is told, and what the journal keeps of it; one of each per row, in the order of the rows.

    Attributes
    ----------
    entries : for the journal; id, scores and prediction of every row.
    classes : canonical texts of the classes, in the order of the scores; empty for numbers.
    warnings : columns that were ignored.
    unseen : how many cells held a category that training did not know.
    coverage : what was promised to be covered, None where nothing was asked for.
    levels : those of quantiles as texts, in the order of the scores; empty where the scores are none.
    promised : for each row [low, high], null where it has no end, or the labels of a set, likeliest first.
    hits : rows that guards caught, by their number.
    """

    entries: list[PredictionEntry]
    classes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    unseen: int = 0
    coverage: float | None = None
    promised: list[list[Any]] = field(default_factory=list)
    levels: tuple[str, ...] = ()
    hits: Mapping[int, tuple[Hit, ...]] = field(default_factory=dict)


class Predictor:
    """A loaded bundle under the name and version it was promoted as. Nothing in it changes, so that what one request
    does is done by one version; safe to share between threads.

    Parameters
    ----------
    name, version : the model, as the pointer says.
    bundle : the loaded bundle.
    since : when this version became champion.
    ids : where the predictions' names come from; shared by successive versions, so that they keep rising.
    plan : what is done about rows that the model should not be asked.
    """

    def __init__(
        self, name: str, version: int, bundle: Bundle, since: datetime, ids: Ids, plan: GuardPlan = DEFAULT_PLAN
    ) -> None:
        self.name = name
        self.version = version
        self.bundle = bundle
        self.since = since
        contract = bundle.contract
        self._ids = ids
        self._rails = Rails(plan, Bounds.from_json(bundle.metrics.get(BOUNDS)), contract)
        self._version = str(version)
        self._middle = contract.middle
        self._levels = tuple(map(str, contract.levels))
        self._labels = tuple(contract.label(text) for text in contract.classes)
        # A missing category is never a new one, and a column without known ones knows all.
        self._known = [
            (j, frozenset(column.categories) | {MISSING_STRING})
            for j, column in enumerate(contract.of(Kind.STRINGS))
            if column.categories
        ]
        self._used = frozenset(column.name for column in contract.columns)

    def answer(self, rows: Sequence[Any], at: float, coverage: float | None = None) -> Answer:
        """Predict the rows of one request.

        Parameters
        ----------
        rows, coverage : as in :class:`Ask`.
        at : the time to write down, seconds since 1970-01-01 UTC.

        Raises
        ------
        UsageError
            The model cannot promise `coverage`.
        ContractError
            Rows break the contract; ``violations`` names row, column, value and rule.
        ArtificerError
            The model gave something that is not a number.
        """
        promise = None if coverage is None else self.bundle.promise(coverage)
        if not rows:
            classes = self.bundle.contract.classes
            return Answer([], classes, coverage=None if promise is None else promise.coverage)
        rows, blocks, warnings, broken = self._read(rows)
        scores = self.bundle.predict_blocks(blocks)
        hits = self._rails.hits(blocks, scores)
        for row, of in broken.items():
            hits[row] = (*of, *hits.get(row, ()))
        answer = self._told(rows, scores.tolist(), at, warnings, self._unseen(blocks.strings), hits)
        return answer if promise is None else self._with_promise(answer, promise)

    def _read(
        self, rows: Sequence[Any]
    ) -> tuple[Sequence[Any], Blocks, tuple[str, ...], Mapping[int, tuple[Hit, ...]]]:
        try:
            blocks, warnings = self.bundle.reader.read(rows)
        except ContractError:
            if not self._rails.lenient:
                raise
            return self._rails.read(rows, self.bundle.reader)
        return rows, blocks, warnings, {}

    def answers(self, asks: Sequence[Ask], at: float) -> list[Answer | Exception]:
        """Predict the rows of several requests in one run of the graph.

        What is wrong with one request is its own answer, the error that :meth:`answer` would raise, and no other
        request's. Each is told what it would be told alone.

        Parameters
        ----------
        asks : the requests.
        at : the time to write down, seconds since 1970-01-01 UTC.
        """
        # Without rows there is nothing to share, and a coverage may be refused before anything is read.
        shared = [i for i, ask in enumerate(asks) if ask.rows and ask.coverage is None]
        together = self._together([asks[i].rows for i in shared], at) if len(shared) > 1 else None
        if together is None:
            return [self._alone(ask, at) for ask in asks]
        if len(shared) == len(asks):
            return together
        found = dict(zip(shared, together, strict=True))
        return [found[i] if i in found else self._alone(ask, at) for i, ask in enumerate(asks)]

    def _alone(self, ask: Ask, at: float) -> Answer | Exception:
        try:
            return self.answer(ask.rows, at, ask.coverage)
        except Exception as error:  # handed on: whoever asked gets it, and nobody else
            return error

    def _together(self, groups: Sequence[Sequence[Any]], at: float) -> list[Answer | Exception] | None:
        """Score the rows of several requests at once; None where the graph fails, and each must be tried alone."""
        blocks, read = self.bundle.reader.read_each(groups)
        try:
            found = self.bundle.predict_blocks(blocks)
            scores, caught = found.tolist(), self._rails.hits(blocks, found)
            strings = blocks.strings if self._unseen(blocks.strings) else None
            given: list[Answer | Exception] = []
            start = 0
            for rows, warnings in zip(groups, read, strict=True):
                if isinstance(warnings, ContractError):
                    given.append(self._alone(Ask(rows), at) if self._rails.lenient else warnings)
                    continue
                end = start + len(rows)
                unseen = 0 if strings is None else self._unseen(strings[start:end])
                hits = {row - start: of for row, of in caught.items() if start <= row < end} if caught else {}
                given.append(self._told_or_refused(rows, scores[start:end], at, warnings, unseen, hits))
                start = end
        except Exception:  # one row may be at fault, and the others are not to suffer for it
            return None
        return given

    def _told_or_refused(self, *told: Any) -> Answer | Exception:
        try:
            return self._told(*told)
        except ContractError as error:  # a guard refuses this request, and no other
            return error

    def _told(
        self,
        rows: Sequence[Any],
        of_rows: list[list[float]],
        at: float,
        warnings: tuple[str, ...] = (),
        unseen: int = 0,
        hits: Mapping[int, tuple[Hit, ...]] = NO_HITS,
    ) -> Answer:
        """Turn scores into what is told and kept; raises ContractError where a guard refuses a row."""
        # Plain Python: scores are finite if their sum is, and NumPy costs microseconds a call on a single row.
        if not all(map(math.isfinite, map(sum, of_rows))):
            raise ArtificerError(
                f"version {self.version} of {self.name} gave a score that is not a number; roll back to another version"
            )
        if warnings:
            rows = [self._without_extras(row) for row in rows]
        version, classes = self._version, self.bundle.contract.classes
        told = self._predicted(of_rows)
        if hits:
            refused = self._rails.refused(hits)
            if refused is not None:
                raise refused
            for row, of in hits.items():
                if any(hit.action == "override" for hit in of):
                    told[row] = self._rails.default
        names = self._ids.take(len(rows))
        entries = [
            PredictionEntry(name, at, version, row, scores, prediction)
            for name, row, scores, prediction in zip(names, rows, of_rows, told, strict=True)
        ]
        return Answer(entries, classes, warnings, unseen, levels=self._levels, hits=hits)

    def _predicted(self, of_rows: list[list[float]]) -> list[Any]:
        """The label or the value of each row; what ``Bundle.labels`` says, without NumPy where it can be."""
        labels, middle, contract = self._labels, self._middle, self.bundle.contract
        if not labels:
            return [of[middle] for of in of_rows]
        if contract.costs:
            return [labels[code] for code in contract.class_codes(np.array(of_rows)).tolist()]
        return [labels[of.index(max(of))] for of in of_rows]

    def _with_promise(self, answer: Answer, promise: Promise) -> Answer:
        scores = np.array([entry.scores for entry in answer.entries])
        if answer.classes:
            promised = promise.sets(scores, self._labels)
        else:
            ends = promise.intervals(scores[:, 0]).tolist()
            promised = [[end if math.isfinite(end) else None for end in pair] for pair in ends]
        warnings = answer.warnings if promise.note is None else (promise.note, *answer.warnings)
        return replace(answer, warnings=warnings, coverage=promise.coverage, promised=promised)

    def outcomes(self, items: Sequence[Any], at: float) -> list[OutcomeEntry]:
        """Turn what a client reports as true, ``{"id": ..., "value": ...}`` each, into entries for the journal.

        Raises
        ------
        ContractError
            Items without an id, or with a value that the target cannot have.
        """
        entries: list[OutcomeEntry] = []
        violations: list[Violation] = []
        for index, item in enumerate(items):
            broken = self._outcome(index, item, at)
            if isinstance(broken, OutcomeEntry):
                entries.append(broken)
            else:
                violations.append(broken)
                if len(violations) >= MAX_VIOLATIONS:
                    break
        if violations:
            first = violations[0]
            where = f"outcome {first.row}" + (f', "{first.column}",' if first.column else "")
            raise ContractError(f"{where} {first.rule}", violations)
        return entries

    def _outcome(self, index: int, item: Any, at: float) -> OutcomeEntry | Violation:
        if not isinstance(item, dict) or set(item) != {"id", "value"}:
            return Violation(index, "", shown(item), 'must be an object of "id" and "value"')
        name, value = item["id"], item["value"]
        if not isinstance(name, str) or not 0 < len(name) <= MAX_ID:
            return Violation(index, "id", shown(name), f"must be a text of 1 to {MAX_ID} characters")
        contract = self.bundle.contract
        if not contract.task.is_classification:
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1.7e308:
                return Violation(index, "value", shown(value), "must be a finite number")
            return OutcomeEntry(name, at, float(value))
        if isinstance(value, str | int | float) and not (isinstance(value, int) and abs(value) > 2**63):
            text = canonical_text(value)
            if text in contract.classes:
                return OutcomeEntry(name, at, self._labels[contract.classes.index(text)])
            hint = nearest(text[:100], contract.classes)
        else:
            hint = ""
        return Violation(index, "value", shown(value), f"must be a class of the target {contract.target}{hint}")

    def _without_extras(self, row: Any) -> Any:
        """Leave out what the contract does not know: nobody asked the journal to keep it."""
        return {name: value for name, value in row.items() if name in self._used}

    def _unseen(self, strings: Any) -> int:
        """Count the cells with a category that training did not know."""
        columns = strings.T.tolist()
        return sum([len(columns[j]) - sum(map(known.__contains__, columns[j])) for j, known in self._known])


def shown(value: Any) -> Any:
    """Cut an offending value to what an answer can carry."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if value - value == 0.0 else repr(value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else "an integer of more than 64 bits"
    text = value if isinstance(value, str) else f"{type(value).__name__} of {len(value)}"
    text = text if len(text) <= 100 else text[:100] + "…"
    return text.encode(errors="replace").decode()
