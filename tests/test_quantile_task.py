"""Quantiles end to end: asked for, trained, bundled, served and written beside the rows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest

import artificer
from artificer.api import Model
from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import Pointer, write_pointer
from artificer.errors import ConfigurationError, UsageError
from artificer.journal.writer import Journal
from artificer.loop.comparing import compare_unseen
from artificer.monitoring.monitor import monitor
from artificer.problem.load import parse_problem
from artificer.server.app import Service
from artificer.server.origin import Gate
from artificer.server.schema import components
from artificer.serving.champion import Champion
from artificer.training.score import score_file
from artificer.types import Task

LEVELS = (0.1, 0.5, 0.9)


def table(rows: int, seed: int) -> pl.DataFrame:
    """A value whose noise grows fivefold along one column."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, (2, rows))
    kind = rng.choice(["x", "y"], rows)
    y = 100.0 + 10.0 * a + 3.0 * (kind == "x") + (3.0 + 2.0 * b) * rng.normal(size=rows)
    return pl.DataFrame({"a": a, "b": b, "kind": kind, "price": y})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> artificer.Run:
    folder = tmp_path_factory.mktemp("run")
    return artificer.train(
        table(2500, 0), "price", task="quantile", budget="8 fits", requirements=["pinball_loss <= 2"], folder=folder
    )


@pytest.fixture(scope="module")
def model(run: artificer.Run) -> Model:
    return Model(load_bundle(Path(run.document["bundle"])))


def test_quantiles_are_in_order_and_cover_what_they_say(model: Model) -> None:
    rows = table(2000, 1)
    found, y = model.predict_quantiles(rows), rows["price"].to_numpy()
    assert model.levels == list(LEVELS)
    assert (np.diff(found, axis=1) >= 0).all()
    np.testing.assert_allclose((y[:, None] <= found).mean(axis=0), LEVELS, atol=0.06)
    width, noisy = found[:, 2] - found[:, 0], rows["b"].to_numpy() > 0
    assert width[noisy].mean() > 1.3 * width[~noisy].mean()
    np.testing.assert_array_equal(model.predict(rows), found[:, 1])


def test_the_run_tells_loss_and_coverage(run: artificer.Run) -> None:
    document = run.document
    assert (document["task"], document["metric"]) == ("quantile", "pinball_loss")
    by_name = {found["name"]: found for found in document["evaluation"]["metrics"]}
    assert set(by_name) == {"pinball_loss", "interval_coverage"}
    assert by_name["pinball_loss"]["advantage"]["low"] > 0
    assert by_name["interval_coverage"]["score"]["value"] == pytest.approx(0.8, abs=0.07)
    assert document["gate"] == "PASS"
    assert run.report().stat().st_size > 1000


def test_a_file_gets_a_column_for_each_level(model: Model, tmp_path: Path) -> None:
    rows = table(50, 2).drop("price")
    rows.write_csv(tmp_path / "rows.csv")
    score_file(model.bundle, str(tmp_path / "rows.csv"), tmp_path / "out.parquet")
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out.columns == [*rows.columns, "prediction", "price_q0.1", "price_q0.5", "price_q0.9"]
    assert out["prediction"].to_list() == out["price_q0.5"].to_list()


async def ask(service: Service, path: str, body: object) -> httpx.Response:
    transport = httpx.ASGITransport(service)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.post(path, json=body)


def test_the_service_answers_with_quantiles_and_what_it_journals_is_monitored(
    run: artificer.Run, model: Model, tmp_path: Path
) -> None:
    pointer = run.folder / "champion.json"
    write_pointer(
        pointer, Pointer("price", 1, Path(run.document["bundle"]).name, model.bundle.sha256, datetime.now(UTC))
    )
    rows = table(400, 4)
    champion = Champion(pointer)
    champion.start()
    with Journal(tmp_path / "journal.sqlite") as journal:
        service = Service(champion, journal, max_body=10**6, gate=Gate("127.0.0.1", local=True))
        try:
            given = asyncio.run(ask(service, "/v1/predict", {"rows": rows.drop("price").to_dicts()})).json()
            told = given["predictions"]
            asked = {"rows": rows.drop("price").head(1).to_dicts(), "coverage": 0.9}
            refused = asyncio.run(ask(service, "/v1/predict", asked))
            outcomes = [{"id": p["id"], "value": y} for p, y in zip(told, rows["price"].to_list(), strict=True)]
            kept = asyncio.run(ask(service, "/v1/outcomes", {"outcomes": outcomes}))
        finally:
            champion.stop()
            service.close()
    first = told[0]
    assert (
        list(first["quantiles"])
        == ["0.1", "0.5", "0.9"]
        == components(model.bundle.contract)["Prediction"]["properties"]["quantiles"]["required"]
    )
    assert list(first["quantiles"].values()) == sorted(first["quantiles"].values())
    assert first["prediction"] == first["quantiles"]["0.5"]
    np.testing.assert_allclose([list(p["quantiles"].values()) for p in told], model.predict_quantiles(rows), rtol=1e-6)
    assert refused.status_code == 422
    assert kept.status_code == 200
    found = model.bundle
    report = monitor(tmp_path / "journal.sqlite", found.contract, found.reference, found.metrics)
    assert report.performance is not None
    assert (report.performance.metric, report.performance.verdict) == ("pinball_loss", "as promised")
    assert report.drift.verdict == "stable"


def test_models_of_other_levels_answer_another_question(run: artificer.Run, model: Model, tmp_path: Path) -> None:
    (tmp_path / run.document["id"]).mkdir()
    (tmp_path / run.document["id"] / "test.parquet").write_bytes((run.folder / "test.parquet").read_bytes())
    same = compare_unseen(tmp_path, 2, model.bundle, run.document)
    assert same["difference"] == 0
    other = replace(model.bundle, contract=replace(model.bundle.contract, levels=(0.2, 0.5, 0.9)))
    found = compare_unseen(tmp_path, 2, other, run.document)
    assert found["verdict"] == "undecided"
    assert "quantile 0.2, 0.5, 0.9 of price, not quantile 0.1, 0.5, 0.9 of price" in found["reason"]


def test_a_regressor_of_quantiles() -> None:
    rows = table(300, 5)
    X, y = rows.drop("price"), rows["price"].to_numpy()
    fitted = artificer.Regressor("4 fits", quantiles=[0.25, 0.6]).fit(X, y)
    found = fitted.predict_quantiles(X)
    assert (found[:, 0] <= found[:, 1]).all()
    np.testing.assert_array_equal(fitted.predict(X), found[:, 1])
    assert fitted.validation_score_ < np.mean(np.abs(y - np.median(y)))
    with pytest.raises(ValueError, match="takes rising numbers"):
        artificer.Regressor("4 fits", quantiles=[0.6, 0.25]).fit(X, y)
    with pytest.raises(ValueError, match="fitted without quantiles"):
        artificer.Regressor("1 fits").fit(X, y).predict_quantiles(X)


def test_no_coverage_is_promised(model: Model) -> None:
    with pytest.raises(UsageError, match=r"predicts the quantiles 0\.1, 0\.5, 0\.9 and promises no coverage"):
        model.predict_interval(table(5, 3))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('[data]\ntarget = "y"\n[training]\nquantiles = [0.5]', r'training\.quantiles are for data\.task = "quantile"'),
        ('[data]\ntarget = "y"\ntask = "quantile"\n[training]\nquantiles = [0.5, 0.1]', "rising numbers above 0"),
        ('[data]\ntarget = "y"\ntask = "quantile"\n[training]\nquantiles = [0.0, 0.1]', "rising numbers above 0"),
        ('[data]\ntarget = "y"\ntask = "quantile"\n[training]\nquantiles = []', "rising numbers above 0"),
        ('[data]\ntarget = "y"\ntask = "quantile"\n[training]\nmetric = "rmse"', "rmse does not measure a quantile"),
        ('[data]\ntarget = "y"\ntask = "quantile"\n[training]\nmetric = "interval_coverage"', "is no aim"),
        ('[data]\ntarget = "y"\ntask = "quantile"\n[training]\nclass_weights = "balanced"', "are for classes"),
        ('[data]\ntarget = "y"\ntask = "quantile"\npositive = "a"', "is for binary tasks"),
        ('[data]\ntarget = "y"\ntask = "quantile"\n[data.monotone]\na = "increasing"', "is for values and two classes"),
    ],
)
def test_what_does_not_go_with_quantiles_is_refused(lines: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_problem(lines)


def test_the_usual_levels_hold_where_none_are_given() -> None:
    problem = parse_problem('[data]\ntarget = "y"\ntask = "quantile"')
    assert (problem.data.task, problem.levels) == (Task.QUANTILE, LEVELS)
