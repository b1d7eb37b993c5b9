"""What an algorithm is: float32 features and a target in, a fitted model out that can write itself as ONNX."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

from artificer.clock import Deadline, SystemClock
from artificer.graph import Graph
from artificer.plugins import members
from artificer.types import Doubles, Floats, Params, Task

ALL_TASKS = frozenset({Task.BINARY, Task.MULTICLASS, Task.REGRESSION})
"""Every task that has one answer a row; quantiles are for the algorithms that say so."""


@dataclass(frozen=True, slots=True)
class AlgorithmTags:
    """What a planner may know of an algorithm without running it."""

    family: str
    """Candidates of one family are correlated: "constant", "linear", "forest", "boosting", ..."""
    representation: Literal["trees", "linear", "none"]
    """Which feature matrix it wants: NaN kept and codes for categories, or imputed, scaled and one-hot."""
    tasks: frozenset[Task] = ALL_TASKS
    missing_values: bool = False
    early_stopping: bool = False
    """Uses validation rows to choose its number of rounds."""
    categorical: bool = False
    """Handles categories itself, so that it wants their codes rather than indicators."""
    monotone_constraints: bool = False
    """Obeys ``FitContext.monotone``."""
    incremental: bool = False
    """A fitted model can be taken further with new rows."""
    portable: bool = True


@dataclass(frozen=True, slots=True)
class Dimension:
    """One axis of a search space; `choices` alone makes it categorical."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class FitContext:
    """What is common to every fit of a run.

    Attributes
    ----------
    n_classes : 1 for regression; for quantiles the number of levels.
    deadline : iterative learners stop adding rounds when it passes and keep what they have.
    monotone : (p,) 1 where the prediction may only rise with a feature, -1 where it may only fall, 0 elsewhere; empty
        where nothing is asked. Only algorithms whose tags say so are handed one that is not empty.
    levels : the quantiles that are wanted, rising, each between 0 and 1; empty for other tasks.
    center, spread : a regression's target in its own unit is ``y * spread + center``; 0 and 1 for other tasks.
    """

    task: Task
    n_classes: int
    seed: int = 0
    threads: int = 1
    deadline: Deadline = field(default_factory=lambda: Deadline(SystemClock()))
    monotone: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    center: float = 0.0
    spread: float = 1.0


class Fitted(ABC):
    """A fitted model. Immutable; safe to share between threads."""

    rounds: int | None = None
    """Boosting rounds or trees that were kept, for refitting without validation rows."""
    complete: bool = True
    """False where the deadline cut the fit short."""

    @abstractmethod
    def predict(self, X: Floats) -> Doubles:
        """Class probabilities (n, c), rows summing to 1; for regression the value (n, 1)."""

    @abstractmethod
    def emit(self, graph: Graph, features: str) -> str:
        """Write the model into `graph`; `features` names the (n, p) float32 input, the (n, c) output's name returns."""


class Algorithm(ABC):
    """One learner. Constructing it is free; the learner's library is imported in ``fit``.

    Class attributes
    ----------------
    defaults : every hyperparameter with its default.
    space : the axes a tuner may move.
    portfolio : the configurations tried before any tuning, best first, as changes to the defaults.
    max_rows : it is left out of portfolios for tables with more training rows than this.
    requires : top-level modules of an optional dependency; where one is absent the algorithm is left out of portfolios.
    install : what to install for them, as ``pip install`` takes it.
    """

    name: ClassVar[str]
    tags: ClassVar[AlgorithmTags]
    defaults: ClassVar[Params] = {}
    space: ClassVar[Mapping[str, Dimension]] = {}
    portfolio: ClassVar[tuple[Params, ...]] = ({},)
    max_rows: ClassVar[int | None] = None
    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar[str] = ""

    def __init__(self, **params: Any) -> None:
        unknown = sorted(set(params) - set(self.defaults))
        if unknown:
            raise TypeError(f"{self.name} has no hyperparameter {unknown[0]!r}; it has {sorted(self.defaults)}")
        self.params: Params = {**self.defaults, **params}

    @classmethod
    def absent(cls) -> tuple[str, ...]:
        """The modules it requires that are not installed; nothing is imported to find out."""
        return tuple(name for name in cls.requires if find_spec(name) is None)

    @classmethod
    def available(cls) -> bool:
        """Whether everything it requires is installed."""
        return not cls.absent()

    def suits(self, y: Doubles) -> bool:
        """Whether it can learn such a target (n,): class codes, or values in their own unit, not standardised.

        Portfolios leave out what does not suit.
        """
        return True

    @abstractmethod
    def fit(
        self,
        X: Floats,
        y: Doubles,
        context: FitContext,
        validation: tuple[Floats, Doubles] | None = None,
        weight: Doubles | None = None,
    ) -> Fitted:
        """Fit on X (n, p), y (n,): class codes 0..c-1, or the standardised target.

        With `validation`, early-stopping algorithms choose their rounds on it; without, they use ``params`` as they
        stand (the recipe's rounds go in there).
        """

    def seconds(self, rows: int, features: int, n_classes: int) -> float:
        """A prior guess of the seconds of one fit on two cores, before anything was measured."""
        return 1e-6 * rows * max(features, 1) * n_classes + 0.05


class Incremental(ABC):
    """What an algorithm tagged incremental can do besides: learn on, row by row, from a state that is plain arrays.

    ``fit`` is the same as to begin, learn and take the model. A state is never changed: learning gives a new one, so
    that a state which was kept on disk is one that really was.
    """

    @abstractmethod
    def begin(self, X: Floats, context: FitContext, start: Doubles | None = None) -> dict[str, Any]:
        """The state before any row was learned; X (n, p) shows where rows lie, `start` are raw coefficients (p + 1, t),
        intercepts first, that the model starts from."""

    @abstractmethod
    def learn(
        self, state: dict[str, Any], X: Floats, y: Doubles, context: FitContext, weight: Doubles | None = None
    ) -> dict[str, Any]:
        """The state after more rows, in their order."""

    @abstractmethod
    def model(self, state: dict[str, Any], context: FitContext) -> Fitted:
        """What the state would answer now."""


def algorithms() -> dict[str, type[Algorithm]]:
    """Every registered algorithm by name."""
    return members("artificer.algorithms", Algorithm, "artificer.algorithms")
