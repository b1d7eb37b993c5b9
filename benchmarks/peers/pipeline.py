"""Train what the peers serve, in a peer's own environment: ``python pipeline.py ROWS.json FOLDER``.

ROWS.json holds ``rows`` and ``target``, the table that Artificer's champion was trained on. Writes ``model.joblib``, a
scikit-learn pipeline around LightGBM with as many rounds as the champion, and, where MLflow is installed, ``mlflow/``.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import joblib
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def main() -> None:
    """Train and write."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    document = json.loads(source.read_text())
    table, target = pd.DataFrame(document["rows"]), document["target"]
    texts = [name for name in table if name.startswith("c")]
    numbers = [name for name in table if name not in texts]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    prepare = ColumnTransformer([("numbers", "passthrough", numbers), ("texts", encoder, texts)])
    model = make_pipeline(prepare, LGBMClassifier(n_estimators=300, verbose=-1)).fit(table, target)
    joblib.dump(model, folder / "model.joblib")
    if importlib.util.find_spec("mlflow"):
        import mlflow
        import mlflow.sklearn

        signature = mlflow.models.infer_signature(table.head(500), model.predict_proba(table.head(500)))
        mlflow.sklearn.save_model(
            model,
            str(folder / "mlflow"),
            signature=signature,
            pyfunc_predict_fn="predict_proba",
            serialization_format="cloudpickle",
        )


if __name__ == "__main__":
    main()
