"""Learning from the outcomes as they come: follow them, compare with the champion, make a version of what was learned.

Position, learner and the newest answers are one file that is replaced in one step, so that a process which is killed
goes on from where that file stands and learns no row twice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import Pointer, read_pointer
from artificer.clock import Clock
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.reader import labelled
from artificer.journal.store import exists
from artificer.loop import actions
from artificer.loop.learner import Learner, new_learner, read_learner, write_learner
from artificer.loop.probation import production_frame
from artificer.metrics.base import Metric, metric
from artificer.policies.incremental import LearnerFacts, level, look_of
from artificer.problem.project import Project
from artificer.tables.contract import canonical_text
from artificer.types import Blocks, Doubles, Json, Task

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle
    from artificer.training.row_hashes import Hashes

Pairs: TypeAlias = list[tuple[PredictionEntry, OutcomeEntry]]

RUN_PREFIX = "learner-"
"""How the ids of runs begin that made a version of a learner."""
WINDOW = 5_000
"""So many of the newest answers are kept, to compare learner and champion on."""
AT_ONCE = 20_000
"""So many outcomes are learned in one look at the most; the next look goes on."""
BEGIN_ROWS = 5_000
BEGIN_LEAST = 100


@dataclass(frozen=True)
class Trail:
    """Where the learner stands, and how it and the champion have answered lately.

    Attributes
    ----------
    champion : the version it is compared with; `rows` so many were labelled since, `looked` times it was compared.
    marks : a hash of each id whose outcome was learned and still stands in monitoring's window.
    y, ours, theirs : the newest rows: outcome, the learner's scores and the champion's, all given before the outcome.
    """

    champion: int
    rows: int
    looked: int
    marks: Hashes
    y: Doubles
    ours: Doubles
    theirs: Doubles

    @classmethod
    def fresh(cls, champion: int, width: int, marks: Hashes | None = None) -> Trail:
        none = np.zeros((0, width))
        return cls(champion, 0, 0, np.zeros(0, np.uint64) if marks is None else marks, np.zeros(0), none, none)

    def arrays(self) -> dict[str, Any]:
        numbers = np.array([self.champion, self.rows, self.looked])
        return {"trail": numbers, "marks": self.marks, "y": self.y, "ours": self.ours, "theirs": self.theirs}

    @classmethod
    def of(cls, arrays: dict[str, Any]) -> Trail:
        champion, rows, looked = (int(number) for number in arrays["trail"][:3])
        return cls(champion, rows, looked, arrays["marks"], arrays["y"], arrays["ours"], arrays["theirs"])

    def learned(self, pairs: Pairs) -> Trail:
        """Remember that these were learned."""
        return replace(self, marks=np.concatenate([self.marks, _marks(pairs)]))


def _marks(pairs: Pairs) -> Hashes:
    from artificer.training.row_hashes import content_hashes

    return content_hashes([np.array([told.id for _, told in pairs], dtype=object)])


def entered_at(project: Project) -> tuple[float, ...]:
    """When versions of learners were entered, oldest first."""
    return tuple(
        record.at
        for record in actions.history_of(project).records()
        if record.kind == "train" and record.key.startswith(RUN_PREFIX)
    )


def state_file(project: Project) -> Path:
    return project.home / "learner.npz"


def follow(project: Project, now: float) -> Json:
    """Learn what outcomes have come, and compare with the champion where a look is due; JSON-ready facts."""
    pointer = read_pointer(project.champion_file)
    champion = load_bundle(pointer.bundle_path(project.champion_file), sha256=pointer.sha256)
    if champion.contract.task is Task.QUANTILE or not exists(project.journal):
        return asdict(LearnerFacts(pointer.version, 0, 0))
    learner, trail = _standing(project, champion, pointer)
    pairs, trail = _new_pairs(project, champion, trail, now)
    told = pairs
    if learner is None and len(pairs) >= BEGIN_LEAST:
        first, told = pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]
        learner, trail = _begun_on(*_rows(champion, first), champion), trail.learned(first)
    if learner is None:
        return asdict(LearnerFacts(pointer.version, 0, 0))
    if told:
        learner, trail = _learned(champion, learner, trail, told)
    facts, trail = _facts(project, champion, trail)
    write_learner(state_file(project), learner, trail.arrays())
    return {**asdict(replace(facts, now=now, entered_at=entered_at(project))), "learned": len(pairs)}


def _standing(project: Project, champion: Bundle, pointer: Pointer) -> tuple[Learner | None, Trail]:
    """The learner as it was left; begun anew on another champion, unless that is made of the learner itself."""
    found = read_learner(state_file(project))
    width = champion.contract.width
    if found is None or "marks" not in found[1]:  # or it was kept by a version that did not know what it had learned
        return _begun(project, champion), Trail.fresh(pointer.version, width)
    learner, trail = found[0], Trail.of(found[1])
    if trail.champion == pointer.version:
        return learner, trail
    fresh = Trail.fresh(pointer.version, width, trail.marks)
    if champion.lineage.get("incremental", {}).get("base") == learner.base:
        return learner, fresh
    return _begun(project, champion), fresh


def _begun(project: Project, champion: Bundle) -> Learner | None:
    """A learner that has read the test rows of the champion's run, which the champion was not fitted on."""
    import polars as pl

    from artificer.tables.arrays import encode_target, to_blocks
    from artificer.training.train import TEST_FILE

    origin = str(champion.lineage.get("run", ""))
    place = project.runs / origin / TEST_FILE
    if not origin or Path(origin).name != origin or not place.is_file():
        return None
    frame = pl.read_parquet(place).tail(BEGIN_ROWS)
    if frame.height < BEGIN_LEAST:
        return None
    blocks, _ = to_blocks(frame, champion.contract, strict=False)
    y = np.asarray(encode_target(frame, champion.contract), np.float64)
    return replace(_begun_on(blocks, y, champion), rows=0)


def _begun_on(blocks: Blocks, y: Doubles, champion: Bundle) -> Learner:
    """A learner whose encoders are fitted on these rows and that has read them.

    What it answers to them is thrown away: the encoders knew the outcomes.
    """
    learner = new_learner(champion, blocks, y)
    return learner.follow(learner.encode(blocks), y)[0]


def _new_pairs(project: Project, champion: Bundle, trail: Trail, now: float) -> tuple[Pairs, Trail]:
    """Labelled rows that were not learned yet, in the order in which their outcomes came.

    An outcome that is sent again, corrected or not, is not learned again. What left the window is forgotten.
    """
    found = labelled(project.journal, since=now - project.problem.monitoring.window.seconds)
    marks = _marks(found)
    new = ~np.isin(marks, trail.marks)
    pairs = _usable(champion, [pair for pair, is_new in zip(found, new, strict=True) if is_new])
    pairs = sorted(pairs, key=lambda pair: (pair[1].at, pair[0].at))[:AT_ONCE]
    return pairs, replace(trail, marks=marks[~new])


def _usable(champion: Bundle, pairs: Pairs) -> Pairs:
    """Without outcomes that the champion's target does not have: they came under another version."""
    contract = champion.contract
    if not contract.task.is_classification:
        return [pair for pair in pairs if isinstance(pair[1].value, int | float)]
    known = set(contract.classes)
    return [pair for pair in pairs if canonical_text(pair[1].value) in known]


def _rows(champion: Bundle, pairs: Pairs) -> tuple[Blocks, Doubles]:
    from artificer.tables.arrays import encode_target, to_blocks

    contract = champion.contract
    frame = production_frame([{**made.row, contract.target: told.value} for made, told in pairs])
    blocks, _ = to_blocks(frame, contract, strict=False)
    return blocks, np.asarray(encode_target(frame, contract), np.float64)


def _learned(champion: Bundle, learner: Learner, trail: Trail, pairs: Pairs) -> tuple[Learner, Trail]:
    blocks, y = _rows(champion, pairs)
    theirs = champion.predict_blocks(blocks).astype(np.float64)
    learner, ours = learner.follow(learner.encode(blocks), y)
    return learner, replace(
        trail.learned(pairs),
        rows=trail.rows + len(pairs),
        y=np.concatenate([trail.y, y])[-WINDOW:],
        ours=np.concatenate([trail.ours, ours])[-WINDOW:],
        theirs=np.concatenate([trail.theirs, theirs])[-WINDOW:],
    )


def _facts(project: Project, champion: Bundle, trail: Trail) -> tuple[LearnerFacts, Trail]:
    look = look_of(trail.rows, project.problem.loop.min_new_labels)
    if look <= trail.looked:
        return LearnerFacts(trail.champion, trail.rows, 0), trail
    from artificer.evaluation.comparison import paired_comparison

    times = np.arange(len(trail.y))
    result = paired_comparison(
        trail.y, trail.ours, trail.theirs, _measured_by(champion), times=times, alpha=level(look)
    )
    facts = LearnerFacts(trail.champion, trail.rows, look, verdict=result.verdict, evidence=result.to_json())
    return facts, replace(trail, looked=look)


def _measured_by(champion: Bundle) -> Metric:
    contract = champion.contract
    positive = contract.classes.index(contract.positive) if contract.positive in contract.classes else 1
    return metric(champion.metrics["evaluation"]["metrics"][0]["name"], positive, contract.levels)


def pack(project: Project, run_id: str, facts: Json, clock: Clock) -> Json:
    """Make a bundle of what was learned, judged by the answers it gave before it knew; returns the run's document."""
    done = actions.run_document(project, run_id)
    if done is not None:
        return done
    found = read_learner(state_file(project))
    version, champion = actions.champion_bundle(project)
    if found is None:  # removed by hand between two steps
        raise FileNotFoundError(state_file(project))
    learner, trail = found[0], Trail.of(found[1])
    from artificer.loop.packing import Packing, packed

    pairs = sorted(_usable(champion, labelled(project.journal)), key=lambda pair: pair[1].at)[-WINDOW:]
    blocks, y = _rows(champion, pairs)
    packing = Packing(project.problem, run_id, version, clock.now(), _measured_by(champion))
    folder = actions.run_folder(project, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    document = packed(packing, champion, learner, (trail.y, trail.ours), (blocks, y), folder)
    from artificer.bundle.files import write_atomically

    text = json.dumps(document, ensure_ascii=False, default=str)
    write_atomically(folder / "run.json", text.encode(), "the run's record")
    return document
