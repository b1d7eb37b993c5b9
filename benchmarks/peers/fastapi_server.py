"""What most people write by hand: FastAPI, pydantic, one data frame, ``predict_proba``. MODEL names the pipeline."""

from __future__ import annotations

import os
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, create_model

app, model = FastAPI(), joblib.load(os.environ["MODEL"])
names = {**{f"n{i}": (float | None, None) for i in range(8)}, **{f"c{i}": (str | None, None) for i in range(6)}}
Row: Any = create_model("Row", **names)


class Body(BaseModel):
    """Rows to score."""

    rows: list[Row]


@app.post("/predict")
def predict(body: Body) -> dict[str, list[float]]:
    """Score rows."""
    table = pd.DataFrame([row.model_dump() for row in body.rows])
    return {"p": model.predict_proba(table)[:, 1].tolist()}
