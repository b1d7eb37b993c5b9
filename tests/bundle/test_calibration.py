import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.bundle.calibration import Calibration
from artificer.errors import BundleDamagedError
from artificer.graph import Graph
from artificer.types import FLOAT32_MAX

EDGES = [0.0, 1.0, 0.5, 1e-30, 1e-7, 1 - 1e-7, 0.999]


def run(calibration: Calibration, scores: np.ndarray) -> np.ndarray:
    graph = Graph()
    x = graph.input("x", "float32", scores.shape[1])
    graph.output("y", calibration.emit(graph, x), "float32", scores.shape[1])
    return onnxruntime.InferenceSession(graph.fragment().model).run(None, {"x": scores.astype(np.float32)})[0]


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration.identity(),
        Calibration.temperature(0.05),
        Calibration.temperature(1.0),
        Calibration.temperature(20.0),
        Calibration.platt(1.0, 0.0),
        Calibration.platt(3.0, -2.0),
        Calibration.platt(-1.0, 40.0),
    ],
)
def test_graph_equals_numpy_on_probabilities(calibration: Calibration) -> None:
    p = np.array(EDGES)
    scores = np.column_stack([1 - p, p])
    emitted, applied = run(calibration, scores), calibration.apply(scores)
    np.testing.assert_allclose(emitted, applied, atol=3e-6)
    np.testing.assert_allclose(emitted.sum(axis=1), 1, atol=1e-6)
    assert np.isfinite(emitted).all()


def test_temperature_takes_many_classes_and_keeps_their_order() -> None:
    scores = np.random.default_rng(0).dirichlet(np.full(7, 0.2), 200)
    calibration = Calibration.temperature(2.5)
    applied = calibration.apply(scores)
    np.testing.assert_allclose(run(calibration, scores), applied, atol=3e-6)
    assert (applied.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert applied.max(axis=1).mean() < scores.max(axis=1).mean()


def test_platt_is_the_logistic_of_the_logit() -> None:
    p = np.linspace(0.01, 0.99, 50)
    applied = Calibration.platt(1.7, -0.4).apply(np.column_stack([1 - p, p]))
    expected = 1 / (1 + np.exp(-(1.7 * np.log(p / (1 - p)) - 0.4)))
    np.testing.assert_allclose(applied[:, 1], expected, rtol=1e-9)


def test_affine_stays_finite_at_the_extremes() -> None:
    scores = np.array([[0.0], [-1.5], [FLOAT32_MAX], [-FLOAT32_MAX]])
    calibration = Calibration.affine(1e6, 3.0)
    emitted = run(calibration, scores)
    assert np.isfinite(emitted).all()
    np.testing.assert_allclose(emitted, calibration.apply(scores).astype(np.float32), rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 20), st.floats(-10, 10), st.floats(0, 1))
def test_record_comes_back_equal_and_output_is_a_distribution(scale: float, offset: float, p: float) -> None:
    calibration = Calibration.platt(scale, offset)
    assert Calibration.from_json(calibration.to_json()) == calibration
    applied = calibration.apply(np.array([[1 - p, p]]))
    assert abs(applied.sum() - 1) < 1e-9
    assert (applied >= 0).all()


@pytest.mark.parametrize(
    "data", [{}, {"kind": "magic", "scale": 1, "offset": 0}, {"kind": "platt", "scale": "x", "offset": 0}, None]
)
def test_refuses_records_it_cannot_read(data: object) -> None:
    with pytest.raises(BundleDamagedError, match="train the model again"):
        Calibration.from_json(data)  # type: ignore[arg-type]


def test_refuses_numbers_that_mean_nothing() -> None:
    for make in (
        lambda: Calibration.temperature(0.0),
        lambda: Calibration.temperature(float("nan")),
        lambda: Calibration.platt(float("inf"), 0.0),
        lambda: Calibration.platt(1, 0).apply(np.ones((1, 3)) / 3),
    ):
        with pytest.raises(ValueError, match=r"temperature|finite|two classes"):
            make()
