"""The contract every encoder passes, ours and those of other packages.

A package that adds an encoder runs, in its own tests (Hypothesis and pytest installed)::

    from artificer.testing.encoders import check_encoder

    def test_my_encoder_keeps_the_contract():
        check_encoder(MyEncoder)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from artificer.features.base import Encoder, encoders
from artificer.graph import Graph
from artificer.tables.words import token_text
from artificer.types import BLOCK_DTYPES, FLOAT32_MAX, MISSING_STRING, MISSING_TIME, Doubles, Floats, Kind

Block: TypeAlias = NDArray[Any]

DTYPES: dict[Kind, Any] = {Kind.NUMBERS: np.float32, Kind.STRINGS: object, Kind.TIMES: np.int64, Kind.TEXTS: object}
RELATIVE, ABSOLUTE = 1e-6, 1e-6
"""How far Python and the graph may be apart: the resolution of float32 and a few operations."""

EXTREMES: dict[Kind, tuple[Any, ...]] = {
    Kind.NUMBERS: (np.nan, 0.0, -0.0, 1.0, -1.0, FLOAT32_MAX, -FLOAT32_MAX, 1e-45, 1e-38, 3e7, -1e30),
    Kind.STRINGS: (
        MISSING_STRING,
        " ",
        "a",
        "A",
        "0:",
        "1:a",
        "a\x00b",
        "ß",
        "日本語",
        "e\u0301",
        "👍🏽",
        "nan",
        "x" * 999,
    ),
    Kind.TEXTS: tuple(
        token_text(text)
        for text in (
            "",
            "a",
            "A b, a B",
            " odd\t\u3000white  space \n",
            "a\x00b",
            "!?",
            "don\u2019t e\u0301 \ufb01ne ß",
            "東京都に行く",
            "👍🏽 good 👍",
            "हिन्दी में",
            "x" * 999,
            "the cat sat on the mat " * 200,
        )
    ),
    Kind.TIMES: (
        MISSING_TIME,
        0,
        -1,
        86_399,
        86_400,
        *(
            int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
            for moment in ("0001-01-01", "1900-02-28T23:59", "2000-02-29", "2024-12-31T23:59:59", "9999-12-31T23:59:59")
        ),
    ),
}
"""Cells that every block may hold and that break careless arithmetic."""


def cells(kind: Kind) -> st.SearchStrategy[Any]:
    """Any cell that a block of `kind` can hold, extremes and missing often."""
    ordinary: st.SearchStrategy[Any]
    if kind is Kind.NUMBERS:
        ordinary = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-5, 5).map(float)
    elif kind is Kind.TEXTS:
        known = st.sampled_from(["the", "cat", "sat", "on", "a", "red", "mat", "99", "né", "犬"])
        words = st.lists(known, max_size=6).map(" ".join)
        ordinary = (words | st.text(max_size=12)).map(token_text)
    elif kind is Kind.STRINGS:
        ordinary = st.text(max_size=8) | st.sampled_from(["red", "green", "blue"])
    else:
        ordinary = st.datetimes(timezones=st.just(UTC)).map(lambda moment: int(moment.timestamp()))
    return st.sampled_from(EXTREMES[kind]) | ordinary


@st.composite
def tables(draw: st.DrawFn, kind: Kind) -> tuple[Block, Block, Doubles]:
    """A training block (n, k), a block to encode (r, k) with values of training and unseen ones, a target (n, t)."""
    seen, unseen = draw(st.lists(cells(kind), min_size=1, max_size=12)), draw(st.lists(cells(kind), max_size=4))
    # The cells are Hypothesis' choice; where they stand is a seed's, which is much faster to draw.
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k, r = draw(st.integers(1, 60)), draw(st.integers(1, 4)), 6
    train = block_of(kind, [[seen[i] for i in row] for row in rng.integers(0, len(seen), (n, k))], k)
    pool = [*seen, *unseen, *EXTREMES[kind]]
    later = block_of(kind, [[pool[i] for i in row] for row in rng.integers(0, len(pool), (r, k))], k)
    scale, place = draw(st.sampled_from([(1.0, 0.0), (1e-3, 1e6), (1e30, 0.0)]))
    return train, later, place + scale * rng.normal(size=(n, draw(st.integers(1, 3))))


def block_of(kind: Kind, rows: Sequence[Sequence[Any]], k: int) -> Block:
    """Rows as a block (n, k) of the right element type."""
    block = np.empty((len(rows), k), dtype=DTYPES[kind])
    for i, row in enumerate(rows):
        block[i] = row
    return block


def run_graph(encoder: Encoder, block: Block) -> Floats:
    """Encode `block` through the encoder's ONNX form."""
    import onnxruntime

    graph = Graph()
    kind = encoder.tags.kind
    tensor = graph.input("block", BLOCK_DTYPES[kind], block.shape[1])
    graph.output("features", encoder.emit(graph, tensor), "float32", len(encoder.feature_names_))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.fragment().model, options, providers=["CPUExecutionProvider"])
    features: Floats = session.run(None, {"block": block})[0]
    return features


def assert_same(left: Floats, right: Floats, what: str) -> None:
    """Equal shapes, NaN in the same cells, and numbers within the tolerance."""
    assert left.shape == right.shape, f"{what}: shapes {left.shape} and {right.shape}"
    np.testing.assert_allclose(left, right, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True, err_msg=what)


@dataclass(frozen=True)
class Case:
    """What a check gets: a way to make the encoder, a training block, a later block, a target, column names."""

    make: Callable[[], Encoder]
    train: Block
    later: Block
    y: Doubles
    names: tuple[str, ...]

    def fitted(self) -> Encoder:
        return self.make().fit(self.train, self.y, self.names)


def check_shape_and_dtype(case: Case) -> None:
    """float32 (n, p), p the number of feature names, names unique."""
    encoder = case.fitted()
    p = len(encoder.feature_names_)
    assert len(set(encoder.feature_names_)) == p, "feature names repeat"
    for block in (case.train, case.later, case.later[:0]):
        features = encoder.transform(block)
        assert features.dtype == np.float32, f"features are {features.dtype}"
        assert features.shape == (len(block), p)
    fresh = case.make()
    encoded = fresh.fit_transform(case.train, case.y, case.names, seed=3)
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(case.train), len(fresh.feature_names_))


def check_values(case: Case) -> None:
    """Never infinite; NaN only from encoders that keep missing values."""
    encoder = case.fitted()
    encoded = case.make().fit_transform(case.train, case.y, case.names, seed=3)
    for features in (encoder.transform(case.train), encoder.transform(case.later), encoded):
        assert not np.isinf(features).any(), "a feature is infinite"
        if not encoder.tags.keeps_missing:
            assert not np.isnan(features).any(), "a feature is NaN though the tags do not say keeps_missing"


def check_purity(case: Case) -> None:
    """Neither encoding nor emitting changes the encoder or its input, and fitting leaves the arguments as given."""
    train, later = case.train.copy(), case.later.copy()
    encoder = case.fitted()
    given_params = encoder.params()
    assert given_params == case.make().params(), "fitting changed a constructor argument"
    first = encoder.transform(case.later)
    encoder.transform(case.train)
    encoder.emit(graph := Graph(), graph.input("block", BLOCK_DTYPES[encoder.tags.kind], case.train.shape[1]))
    assert_same(encoder.transform(case.later), first, "transform differs the second time")
    np.testing.assert_array_equal(case.train, train)
    np.testing.assert_array_equal(case.later, later)


def check_params(case: Case) -> None:
    """``params()`` survives JSON and makes an unfitted copy that learns the same."""
    encoder = case.fitted()
    params = json.loads(json.dumps(encoder.params()))
    assert params == encoder.params()
    copy = type(encoder)(**params)
    assert not [name for name in vars(copy) if name.endswith("_")], "an unfitted encoder holds learned attributes"
    copy.fit(case.train, case.y, case.names)
    assert copy.feature_names_ == encoder.feature_names_
    assert_same(copy.transform(case.later), encoder.transform(case.later), "the copy encodes otherwise")


def check_graph(case: Case) -> None:
    """The graph gives what ``transform`` gives, for training rows, later rows, one row and no row."""
    encoder = case.fitted()
    if not encoder.tags.portable:
        return
    for block in (case.train, case.later, case.later[:1], case.later[:0]):
        assert_same(run_graph(encoder, block), encoder.transform(block), "the graph differs from Python")


def check_rows_are_independent(case: Case) -> None:
    """A row alone is encoded as in company, and encoding follows the rows when they change places."""
    encoder = case.fitted()
    together = encoder.transform(case.later)
    for i in range(len(case.later)):
        assert_same(encoder.transform(case.later[i : i + 1]), together[i : i + 1], "a row alone is encoded otherwise")
    assert_same(encoder.transform(case.later[::-1]), together[::-1], "the order of rows matters")


def check_determinism(case: Case) -> None:
    """Equal seeds give equal features, in ``fit`` and in ``fit_transform``."""
    first, second = case.make(), case.make()
    left = first.fit_transform(case.train, case.y, case.names, seed=5)
    right = second.fit_transform(case.train, case.y, case.names, seed=5)
    np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(first.transform(case.later), second.transform(case.later))


def check_fit_and_fit_transform_agree(case: Case) -> None:
    """``fit_transform`` leaves the encoder as ``fit`` does; unless supervised, it also returns what transform gives."""
    encoder, other = case.fitted(), case.make()
    encoded = other.fit_transform(case.train, case.y, case.names, seed=5)
    assert other.feature_names_ == encoder.feature_names_
    assert_same(other.transform(case.later), encoder.transform(case.later), "fit_transform learns otherwise than fit")
    if not encoder.tags.supervised:
        assert_same(encoded, encoder.transform(case.train), "fit_transform differs from transform")


def check_target_use(case: Case) -> None:
    """What is not tagged supervised fits without a target, to the same effect."""
    encoder = case.fitted()
    if not encoder.tags.supervised:
        without = case.make().fit(case.train, None, case.names)
        assert_same(without.transform(case.later), encoder.transform(case.later), "the target matters")


CHECKS = (
    check_shape_and_dtype,
    check_values,
    check_purity,
    check_params,
    check_graph,
    check_rows_are_independent,
    check_determinism,
    check_fit_and_fit_transform_agree,
    check_target_use,
)


def check_zero_columns(make: Callable[[], Encoder]) -> None:
    """A block without columns becomes features without columns."""
    encoder = make()
    block = np.empty((3, 0), dtype=DTYPES[encoder.tags.kind])
    encoder.fit(block, np.zeros((3, 1)), ())
    assert encoder.feature_names_ == ()
    assert encoder.transform(block).shape == (3, 0)
    assert make().fit_transform(block, np.zeros((3, 1)), (), seed=0).shape == (3, 0)
    if encoder.tags.portable:
        assert run_graph(encoder, block).shape == (3, 0)


def check_registration(encoder_class: type[Encoder]) -> None:
    """The class has a name and tags of its own and a docstring, and its constructor needs no argument."""
    assert isinstance(encoder_class.__dict__.get("name"), str)
    assert encoder_class.tags.kind in Kind
    assert (encoder_class.__doc__ or "").strip()
    assert encoder_class().params() == encoder_class().params()
    registered = encoders().get(encoder_class.name)
    assert registered in (None, encoder_class), f"the name {encoder_class.name!r} is taken by {registered}"


def checks(encoder_class: type[Encoder], examples: int = 15, **params: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every check of the contract as (name, function without arguments), for one test each.

    Parameters
    ----------
    examples : generated tables per check. The tables are the same in every run.
    params : constructor arguments to hold the contract with.
    """

    def make() -> Encoder:
        return encoder_class(**params)

    def over_tables(check: Callable[[Case], None]) -> Callable[[], None]:
        @settings(
            max_examples=examples,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(tables(encoder_class.tags.kind))
        def run(table: tuple[Block, Block, Doubles]) -> None:
            train, later, y = table
            check(Case(make, train, later, y, tuple(f"column {j}" for j in range(train.shape[1]))))

        return run

    yield "check_registration", lambda: check_registration(encoder_class)
    yield "check_zero_columns", lambda: check_zero_columns(make)
    for check in CHECKS:
        yield check.__name__, over_tables(check)


def check_encoder(encoder_class: type[Encoder], examples: int = 15, **params: Any) -> None:
    """Hold an encoder class against the whole contract; the first breach raises AssertionError.

    Examples
    --------
    >>> from artificer.features.categorical_ordinal import CategoricalOrdinal
    >>> check_encoder(CategoricalOrdinal, examples=3, max_levels=2)
    """
    for _, check in checks(encoder_class, examples, **params):
        check()
