"""A learner that follows the outcomes: the champion's graph and the row in, a linear model that forgets on top.

What it learned is plain arrays, kept beside the graph of its features; a process that starts reads both and goes on.
Each row is answered before it is learned [1]_. Several memories learn side by side; who answers is who has lost least
lately.

References
----------
.. [1] Gama, Sebastiao, Rodrigues: On evaluating stream learning algorithms. Machine Learning 90(3), 2013 (prequential
   error with fading factors).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from artificer.algorithms.base import FitContext
from artificer.algorithms.dynamic_linear import DynamicLinear
from artificer.errors import BundleDamagedError
from artificer.graph import Fragment, Graph
from artificer.types import BLOCK_DTYPES, Blocks, Doubles, Floats, Kind, Task

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle

MEMORIES = (250.0, 2_000.0, 16_000.0)
FADING = 0.999
"""What a row's loss counts after the next."""
MOST_FEATURES = 200
"""Where a row becomes more numbers than this, only the champion's scores are corrected."""
CHUNK = 50
LEAST = 1e-6


@dataclass(frozen=True)
class Learner:
    """The state of one learner. Learning gives a new one.

    Attributes
    ----------
    base : SHA-256 of the bundle whose scores it corrects.
    features : the graph from blocks to features, the first of them the base's scores.
    states : of each memory.
    losses : faded loss of each memory.
    rows : so many it has read.
    center, spread : a regression's target in its own unit is ``y * spread + center``.
    """

    base: str
    task: Task
    n_classes: int
    features: Fragment
    states: tuple[dict[str, Any], ...]
    losses: Doubles
    rows: int = 0
    center: float = 0.0
    spread: float = 1.0
    sessions: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def context(self) -> FitContext:
        return FitContext(self.task, self.n_classes, center=self.center, spread=self.spread)

    @property
    def best(self) -> int:
        """Which memory has lost least lately."""
        return int(np.argmin(self.losses))

    def encode(self, blocks: Blocks) -> Floats:
        """The features of rows, by the very graph that a bundle would hold."""
        import onnxruntime

        if "features" not in self.sessions:
            from artificer.bundle.model import session_options

            self.sessions["features"] = onnxruntime.InferenceSession(
                self.features.model, session_options(), providers=["CPUExecutionProvider"]
            )
        feed = {name: blocks.of(Kind(name)) for name in self.features.inputs}
        found: Floats = self.sessions["features"].run(None, feed)[0]
        return found

    def follow(self, X: Floats, y: Doubles) -> tuple[Learner, Doubles]:
        """Answer rows and learn them, chunk by chunk; returns the learner afterwards and the answers, given before."""
        if self.task is Task.REGRESSION:
            y = (y - self.center) / self.spread
        now, answers = self, []
        for begin in range(0, len(X), CHUNK):
            part = slice(begin, begin + CHUNK)
            told = [learner.model(state, self.context).predict(X[part]) for learner, state in now._pairs()]
            answers.append(told[now.best])
            kept = FADING ** len(X[part])
            lost = np.array([_loss(self.task, scores, y[part]) for scores in told])
            states = tuple(learner.learn(state, X[part], y[part], self.context) for learner, state in now._pairs())
            now = replace(now, states=states, losses=kept * now.losses + lost, rows=now.rows + len(X[part]))
        scores = np.concatenate(answers)
        return now, scores * self.spread + self.center if self.task is Task.REGRESSION else scores

    def fragment(self) -> Fragment:
        """The model of the best memory, features in and scores out."""
        graph = Graph()
        learner, state = list(self._pairs())[self.best]
        width = len(state["low"])
        scores = learner.model(state, self.context).emit(graph, graph.input("features", "float32", width))
        graph.output("scores", scores, "float32", self.n_classes)
        return graph.fragment()

    def _pairs(self) -> list[tuple[DynamicLinear, dict[str, Any]]]:
        return [(DynamicLinear(memory=m), s) for m, s in zip(MEMORIES, self.states, strict=True)]


def _loss(task: Task, scores: Doubles, y: Doubles) -> float:
    """Log loss or squared error, summed over rows."""
    if task is Task.REGRESSION:
        return float(((y - scores[:, 0]) ** 2).sum())
    return float(-np.log(np.maximum(scores[np.arange(len(y)), y.astype(np.int64)], LEAST)).sum())


def new_learner(base: Bundle, blocks: Blocks, y: Doubles) -> Learner:
    """A learner that begins by saying what `base` says.

    Parameters
    ----------
    blocks, y : labelled rows that the base was not fitted on: their features show where rows lie.
    """
    contract = base.contract
    task, width = contract.task, contract.width
    center, spread = 0.0, 1.0
    if task is Task.REGRESSION:
        center, spread = float(y.mean()), float(y.std()) or 1.0
    features, own = _features(base, blocks, y, center, spread)
    blank = Learner(base.sha256, task, width, features, (), np.zeros(len(MEMORIES)), 0, center, spread)
    X = blank.encode(blocks)
    start = np.zeros((X.shape[1] + 1, own))
    start[1 : own + 1] = np.eye(own)
    states = tuple(DynamicLinear(memory=memory).begin(X, blank.context, start) for memory in MEMORIES)
    return replace(blank, states=states)


def _features(base: Bundle, blocks: Blocks, y: Doubles, center: float, spread: float) -> tuple[Fragment, int]:
    """The graph of the base's raw scores, followed by the row's features for a linear model where they are few."""
    from artificer.features.planning import plan
    from artificer.features.representation import Representation, target_columns

    contract = base.contract
    task, width = contract.task, contract.width
    names = {kind: contract.names(kind) for kind in Kind}
    codes = y.astype(np.int64) if task.is_classification else y
    representation = Representation(plan("linear", blocks, names, task, width))
    made = representation.fit_transform(blocks, target_columns(codes, task, width), names, seed=0)
    row = representation.fragment() if made.shape[1] <= MOST_FEATURES else None
    graph = Graph()
    model = Fragment(base.model, tuple(kind.value for kind in base.inputs), ("scores",))
    used = {*model.inputs, *(row.inputs if row else ())}
    inputs: dict[str, str] = {
        kind.value: graph.input(kind.value, BLOCK_DTYPES[kind], len(contract.of(kind)))
        for kind in Kind
        if kind.value in used
    }
    scores = graph.inline(model, {name: inputs[name] for name in model.inputs})[0]
    raw, own = _raw(graph, scores, task, width, center, spread)
    parts = [raw]
    if row is not None and row.outputs:
        parts.append(graph.inline(row, {name: inputs[name] for name in row.inputs})[0])
    size = own + (made.shape[1] if row is not None and row.outputs else 0)
    graph.output("features", graph.concat(parts) if len(parts) > 1 else raw, "float32", size)
    return graph.fragment(), own


def _raw(graph: Graph, scores: str, task: Task, width: int, center: float, spread: float) -> tuple[str, int]:
    """Scores before the link, one column for two classes: what a linear model can pass on unchanged."""

    def number(value: float) -> str:
        return graph.constant(np.array([[value]], np.float32))

    if task is Task.REGRESSION:
        return graph.op("Div", graph.op("Sub", scores, number(center)), number(spread)), 1
    logs = graph.op("Log", graph.op("Max", scores, number(LEAST)))
    if task is Task.BINARY:
        return graph.op("Sub", graph.columns(logs, [1], 2), graph.columns(logs, [0], 2)), 1
    return logs, width


def write_learner(path: Path, learner: Learner, extra: Mapping[str, Any]) -> None:
    """Keep a learner, and arrays beside it, in one file that appears whole or not at all."""
    from artificer.bundle.files import write_atomically

    arrays: dict[str, Any] = {
        f"{place}/{key}": value for place, state in enumerate(learner.states) for key, value in state.items()
    }
    arrays |= {
        "base": np.array(learner.base),
        "task": np.array(learner.task.value),
        "features": np.frombuffer(learner.features.model, np.uint8),
        "inputs": np.array(learner.features.inputs),
        "losses": learner.losses,
        "numbers": np.array([learner.n_classes, learner.rows, learner.center, learner.spread]),
        **{f"extra/{key}": value for key, value in extra.items()},
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue(), "the learner's state")


def read_learner(path: Path) -> tuple[Learner, dict[str, Any]] | None:
    """The learner kept at `path` and the arrays beside it; None where there is none.

    Raises
    ------
    BundleDamagedError
        It cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {key: found[key] for key in found.files}
        states = tuple(
            {key.partition("/")[2]: value for key, value in arrays.items() if key.startswith(f"{place}/")}
            for place in range(len(MEMORIES))
        )
        n_classes, rows, center, spread = arrays["numbers"].tolist()
        features = Fragment(arrays["features"].tobytes(), tuple(map(str, arrays["inputs"])), ("features",))
        learner = Learner(
            str(arrays["base"]),
            Task(str(arrays["task"])),
            int(n_classes),
            features,
            states,
            arrays["losses"],
            int(rows),
            center,
            spread,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BundleDamagedError(
            f"the learner's state {path} is damaged ({error}); remove it, and the learner begins anew"
        ) from error
    return learner, {key.removeprefix("extra/"): value for key, value in arrays.items() if key.startswith("extra/")}
