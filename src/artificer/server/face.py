"""What is not hot and wants a schema: the model's card, the OpenAPI document and the page that shows it (FastAPI)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.responses import Response as StarletteResponse
from pydantic import BaseModel, Field

from artificer import __version__
from artificer.server import schema
from artificer.server.pages import docs_page
from artificer.server.problems import Refusal
from artificer.serving.champion import Champion
from artificer.serving.predictor import Predictor


class ColumnCard(BaseModel):
    name: str
    role: str
    reason: str = Field(description="Why the column has this role.")
    required: bool = Field(description="Whether a row must have a value.")
    categories: list[str] = Field(description="Known ones; others are accepted.")
    low: float | None
    high: float | None


class ModelCard(BaseModel):
    name: str
    version: int
    since: datetime = Field(description="When this version became champion.")
    created: datetime
    sha256: str = Field(description="Of the bundle file.")
    size_bytes: int
    artificer_version: str
    task: str
    target: str
    classes: list[str]
    positive: str | None
    columns: list[ColumnCard]
    metrics: dict[str, Any] = Field(description="What the test set said.")
    lineage: dict[str, Any] = Field(description="Data, recipe and code the model came from.")


def build(champion: Champion) -> FastAPI:
    """Make the application for what `champion` serves."""
    app = FastAPI(title="Artificer", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> StarletteResponse:
        response = refusal.response(request.url.path)
        return StarletteResponse(
            response.body, response.status, {name.decode(): value.decode() for name, value in response.headers}
        )

    @app.get("/v1/model", summary="What is serving", operation_id="model")
    async def model() -> ModelCard:
        if champion.predictor is None:
            why = champion.state.problem or "no version has been promoted yet"
            raise Refusal(503, "no-champion", why, headers=[(b"retry-after", b"2")])
        return card(champion.predictor)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return document(app, champion.predictor)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(document(app, champion.predictor)))

    return app


def card(predictor: Predictor) -> ModelCard:
    """Describe the model that answers."""
    bundle = predictor.bundle
    contract = bundle.contract
    return ModelCard(
        name=predictor.name,
        version=predictor.version,
        since=predictor.since,
        created=bundle.created,
        sha256=bundle.sha256,
        size_bytes=bundle.bytes,
        artificer_version=bundle.artificer_version,
        task=contract.task.value,
        target=contract.target,
        classes=list(contract.classes),
        positive=contract.positive,
        columns=[
            ColumnCard(
                name=column.name,
                role=column.role.value,
                reason=column.reason,
                required=column.kind is not None and not column.nullable,
                categories=list(column.categories),
                low=column.low,
                high=column.high,
            )
            for column in contract.columns
        ],
        metrics=bundle.metrics,
        lineage=bundle.lineage,
    )


def document(app: FastAPI, predictor: Predictor | None) -> dict[str, Any]:
    """Give the OpenAPI document of all routes, for the champion that answers now."""
    from fastapi.openapi.utils import get_openapi

    contract = None if predictor is None else predictor.bundle.contract
    about = (
        "No model is serving yet." if predictor is None else f"Serves version {predictor.version} of {predictor.name}."
    )
    made = get_openapi(title="Artificer", version=__version__, description=about, routes=app.routes)
    made["paths"] = schema.paths(contract) | made["paths"]
    made.setdefault("components", {}).setdefault("schemas", {}).update(schema.components(contract))
    return made
