"""A whole table as one feature matrix: the encoders that were chosen, fitted together and written as one graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from artificer.errors import TrainingError, nearest
from artificer.features.base import Encoder, encoders
from artificer.features.planning import plan
from artificer.features.selection import choose_features
from artificer.features.spec import PASSTHROUGH, EncoderStep, RepresentationSpec
from artificer.features.vocabulary import Codes, Vocabulary, VocabularyEncoder
from artificer.features.zeros import emit_zeros
from artificer.graph import Fragment, Graph
from artificer.types import BLOCK_DTYPES, Blocks, Doubles, Floats, Ints, Kind, Strings, Task

__all__ = ["EncoderStep", "Representation", "RepresentationSpec", "plan", "target_columns"]

AnyBlock = TypeVar("AnyBlock", Strings, Floats | Strings | Ints)


class Representation:
    """Encoders fitted side by side.

    Encoders of categories that want the same number of levels share one vocabulary: every text is looked up once.
    Encoders that end with no features on the training rows are dropped, and so are those of which selection keeps
    none; when none is left there is one feature that is always 0, so that every algorithm and every graph has
    something to stand on.

    Parameters
    ----------
    spec : which encoders, see :func:`plan`.

    Examples
    --------
    >>> blocks = Blocks(np.float32([[1], [2]]), np.array([["a"], ["b"]], dtype=object), np.zeros((2, 0), np.int64))
    >>> steps = (
    ...     EncoderStep("numeric_passthrough", {}, Kind.NUMBERS, (0,)),
    ...     EncoderStep("categorical_ordinal", {}, Kind.STRINGS, (0,)),
    ... )
    >>> names = {Kind.NUMBERS: ["size"], Kind.STRINGS: ["letter"], Kind.TIMES: []}
    >>> representation = Representation(RepresentationSpec("trees", steps))
    >>> representation.fit_transform(blocks, None, names, seed=0).tolist()
    [[1.0, 3.0], [2.0, 2.0]]
    >>> representation.fragment().inputs
    ('numbers', 'strings')
    """

    feature_names_: tuple[str, ...]
    encoders_: tuple[tuple[EncoderStep, Encoder], ...]
    widths_: Mapping[Kind, int]
    shared_: Mapping[int, tuple[tuple[int, ...], Vocabulary]]
    selected_: Ints | None
    """Places of the features to keep among those of the encoders; None keeps all."""

    def __init__(self, spec: RepresentationSpec) -> None:
        self.spec = spec

    def fit_transform(
        self,
        blocks: Blocks,
        Y: Doubles | None,
        names: Mapping[Kind, Sequence[str]],
        seed: int = 0,
        basis: Blocks | None = None,
        weight: Doubles | None = None,
        parts: Ints | None = None,
    ) -> Floats:
        """Fit on n rows and return their features (n, p), those of supervised encoders out of fold.

        Parameters
        ----------
        Y : the target in columns (n, t), see :func:`target_columns`; None when no step is supervised.
        names : column names of each block.
        basis : rows that encoders which do not look at the target are fitted on; None for `blocks`. Representations
            of parts of one table come out alike in all but the supervised encoders when they are given all of it.
        weight : (n,) how much each row counts in averages of the target, 1 on average; None where all count alike.
        parts : (n,) the folds of supervised encoders, numbered from 0; None for random ones.

        Raises
        ------
        TrainingError
            No block has a column, or a step names an encoder or a column that does not exist.
        """
        self.widths_ = {kind: blocks.of(kind).shape[1] for kind in Kind}
        if not any(self.widths_.values()):
            raise TrainingError("The table has no usable input column, so there is nothing to learn from; add columns.")
        made = [(step, self._make(step)) for step in self.spec.steps]
        basis_codes = self._learn_vocabularies(blocks if basis is None else basis, made)
        codes = basis_codes if basis is None else self._codes(blocks)
        kept: list[tuple[EncoderStep, Encoder]] = []
        made_features: list[Floats] = []
        told: dict[str, Ints] = {} if parts is None else {"parts": parts}
        for step, encoder in made:
            step_names = [names[step.kind][j] for j in step.columns] + [names[Kind.STRINGS][j] for j in step.by]
            apart = basis is not None and not encoder.tags.supervised
            if isinstance(encoder, VocabularyEncoder):
                places, vocabulary = self._shared_part(step.columns, encoder.max_levels)
                own = codes[encoder.max_levels][:, places]
                if apart:
                    encoder.fit_codes(vocabulary, basis_codes[encoder.max_levels][:, places], None, step_names)
                    part = encoder.transform_codes(own)
                else:
                    part = encoder.fit_transform_codes(vocabulary, own, Y, step_names, seed, weight, **told)
            else:
                block = self._block(blocks, step, encoder, codes)
                if basis is not None and apart:
                    encoder.fit(self._block(basis, step, encoder, basis_codes), None, step_names)
                    part = encoder.transform(block)
                else:
                    part = encoder.fit_transform(block, Y, step_names, seed, weight, **told)
            if encoder.feature_names_:
                kept.append((step, encoder))
                made_features.append(part)
        self.encoders_ = tuple(kept)
        self.feature_names_ = tuple(name for _, encoder in kept for name in encoder.feature_names_) or ("nothing",)
        self.selected_ = None
        features = _join(made_features, len(blocks))
        if not self.spec.selects or Y is None or not kept:
            return features
        chosen = choose_features(features, Y, seed)
        self._keep(set(chosen.tolist()))
        return features[:, chosen]

    def _keep(self, chosen: set[int]) -> None:
        """Leave out all features but some, and encoders with none of them."""
        self.feature_names_ = tuple(name for j, name in enumerate(self.feature_names_) if j in chosen)
        kept: list[tuple[EncoderStep, Encoder]] = []
        places: list[int] = []
        start = width = 0
        for step, encoder in self.encoders_:
            p = len(encoder.feature_names_)
            own = [width + j for j in range(p) if start + j in chosen]
            start += p
            if own:
                kept.append((step, encoder))
                places += own
                width += p
        self.encoders_ = tuple(kept)
        self.selected_ = np.array(places, dtype=np.int64)

    def transform(self, blocks: Blocks) -> Floats:
        """Features (n, p) of rows that fitting did not see."""
        codes = self._codes(blocks)
        parts = []
        for step, encoder in self.encoders_:
            if isinstance(encoder, VocabularyEncoder):
                places, _ = self._shared_part(step.columns, encoder.max_levels)
                parts.append(encoder.transform_codes(codes[encoder.max_levels][:, places]))
            else:
                parts.append(encoder.transform(self._block(blocks, step, encoder, codes)))
        features = _join(parts, len(blocks))
        return features if self.selected_ is None else features[:, self.selected_]

    def fragment(self) -> Fragment:
        """The same as ONNX: the blocks in use as inputs, ``features`` (n, p) as the output."""
        graph = Graph()
        used = {step.kind for step, _ in self.encoders_} | {Kind.STRINGS for step, _ in self.encoders_ if step.by}
        if not used:
            used = {next(kind for kind in Kind if self.widths_[kind])}
        inputs = {
            kind: graph.input(kind.value, BLOCK_DTYPES[kind], self.widths_[kind]) for kind in Kind if kind in used
        }
        codes = {}
        for max_levels, (columns, vocabulary) in self.shared_.items():
            if any(_level_cap(step, encoder) == max_levels for step, encoder in self.encoders_):
                picked = graph.columns(inputs[Kind.STRINGS], columns, self.widths_[Kind.STRINGS])
                codes[max_levels] = vocabulary.emit(graph, picked)
        parts = []
        for step, encoder in self.encoders_:
            if isinstance(encoder, VocabularyEncoder):
                parts.append(
                    encoder.emit_codes(graph, self._emit_codes(graph, codes, step.columns, encoder.max_levels))
                )
                continue
            block = graph.columns(inputs[step.kind], step.columns, self.widths_[step.kind])
            cap = _level_cap(step, encoder)
            if cap is not None:
                groups = graph.cast(self._emit_codes(graph, codes, step.by, cap), "float32")
                block = graph.concat([block, groups])
            parts.append(encoder.emit(graph, block))
        features = graph.concat(parts) if parts else emit_zeros(graph, next(iter(inputs.values())), 1)
        if self.selected_ is not None:
            width = sum(len(encoder.feature_names_) for _, encoder in self.encoders_)
            features = graph.columns(features, self.selected_.tolist(), width)
        graph.output("features", features, "float32", len(self.feature_names_))
        return graph.fragment()

    def monotone(self, directions: Sequence[int]) -> tuple[int, ...]:
        """Direction of each feature (p,), given those of the columns of numbers: 1, -1, or 0 for free.

        Only columns that pass through as they are have one; see :meth:`RepresentationSpec.sparing`.
        """
        found: list[int] = []
        for step, encoder in self.encoders_:
            own = [0] * len(encoder.feature_names_)
            found += [directions[j] for j in step.columns] if step.encoder == PASSTHROUGH else own
        found = found or [0]
        return tuple(found if self.selected_ is None else (found[j] for j in self.selected_))

    @property
    def portable(self) -> bool:
        """Whether every encoder in use has an ONNX form."""
        return all(encoder.tags.portable for _, encoder in self.encoders_)

    def _make(self, step: EncoderStep) -> Encoder:
        known = encoders()
        if step.encoder not in known:
            raise TrainingError(f'There is no encoder called "{step.encoder}"{nearest(step.encoder, known)}.')
        for kind, columns in ((step.kind, step.columns), (Kind.STRINGS, step.by)):
            if columns and max(columns) >= self.widths_[kind]:
                raise TrainingError(
                    f'Encoder "{step.encoder}" wants column {max(columns)} of a {kind.value} block that has '
                    f"{self.widths_[kind]}; plan the representation anew on this table."
                )
        return known[step.encoder](**step.params)

    def _codes(self, blocks: Blocks) -> dict[int, Codes]:
        return {
            max_levels: vocabulary.codes(_columns(blocks.strings, columns))
            for max_levels, (columns, vocabulary) in self.shared_.items()
        }

    def _learn_vocabularies(self, blocks: Blocks, made: Sequence[tuple[EncoderStep, Encoder]]) -> dict[int, Codes]:
        wanted: dict[int, set[int]] = {}
        for step, encoder in made:
            cap = _level_cap(step, encoder)
            if cap is not None:
                wanted.setdefault(cap, set()).update(step.by or step.columns)
        shared, codes = {}, {}
        for max_levels, chosen in wanted.items():
            columns = tuple(sorted(chosen))
            vocabulary, codes[max_levels] = Vocabulary.learn(_columns(blocks.strings, columns), max_levels)
            shared[max_levels] = (columns, vocabulary)
        self.shared_ = shared
        return codes

    def _shared_part(self, wanted: Sequence[int], max_levels: int) -> tuple[list[int], Vocabulary]:
        columns, vocabulary = self.shared_[max_levels]
        place_of = {column: place for place, column in enumerate(columns)}
        places = [place_of[column] for column in wanted]
        return places, vocabulary.take(places)

    def _block(
        self, blocks: Blocks, step: EncoderStep, encoder: Encoder, codes: Mapping[int, Codes]
    ) -> Floats | Strings | Ints:
        """What an encoder that looks up no texts takes: its columns, and behind them the codes they are grouped by."""
        block = _columns(blocks.of(step.kind), step.columns)
        cap = _level_cap(step, encoder)
        if cap is None:
            return block
        places, _ = self._shared_part(step.by, cap)
        grouped: Floats = np.concatenate([block, codes[cap][:, places].astype(np.float32)], axis=1)
        return grouped

    def _emit_codes(self, graph: Graph, codes: Mapping[int, str], wanted: Sequence[int], max_levels: int) -> str:
        places, _ = self._shared_part(wanted, max_levels)
        return graph.columns(codes[max_levels], places, len(self.shared_[max_levels][0]))


def target_columns(y: Ints | Doubles, task: Task, n_classes: int) -> Doubles:
    """The target as supervised encoders take it: (n, t).

    Binary: one column, 1 for class code 1. Multiclass: a 0/1 column per class. Regression: the value.

    Examples
    --------
    >>> target_columns(np.array([0, 2]), Task.MULTICLASS, 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    >>> target_columns(np.array([0, 1]), Task.BINARY, 2).tolist()
    [[0.0], [1.0]]
    """
    if task is Task.MULTICLASS:
        return np.asarray(y[:, None] == np.arange(n_classes), dtype=np.float64)
    return np.asarray(y, dtype=np.float64)[:, None]


def _level_cap(step: EncoderStep, encoder: Encoder) -> int | None:
    """How many levels of its categories an encoder wants; None for one that takes no categories."""
    return int(encoder.params()["max_levels"]) if step.by or isinstance(encoder, VocabularyEncoder) else None


def _columns(block: AnyBlock, columns: Sequence[int]) -> AnyBlock:
    return block if list(columns) == list(range(block.shape[1])) else block[:, list(columns)]


def _join(parts: Sequence[Floats], n: int) -> Floats:
    if not parts:
        return np.zeros((n, 1), dtype=np.float32)
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
