"""BentoML around the same pipeline: ``bentoml serve bento_server:Scorer``. MODEL names the pipeline."""

import os

import bentoml


@bentoml.service(workers=1)
class Scorer:
    """Scores rows."""

    def __init__(self) -> None:
        import joblib
        import pandas

        self.model, self.pandas = joblib.load(os.environ["MODEL"]), pandas

    @bentoml.api
    def predict(self, rows: list[dict]) -> dict:
        """Score rows."""
        return {"p": self.model.predict_proba(self.pandas.DataFrame(rows))[:, 1].tolist()}
