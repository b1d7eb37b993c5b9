import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from artificer.bundle.exporters.base import exporters
from artificer.bundle.exporters.onnx import export_onnx
from artificer.bundle.format import load_bundle
from artificer.testing.exporters import check_exporter


@pytest.mark.parametrize("name", exporters())
def test_keeps_the_contract(name: str, bundle_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    check_exporter(exporters()[name], load_bundle(bundle_path), folder)


def test_onnx_alone_is_enough_to_predict(bundle_path: Path, tmp_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    path = export_onnx(bundle, tmp_path / "model.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path))
    names = {k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items() if v.startswith("[")}
    row = {"age": 41.0, "member": 1.0, "city": "Oslo", "seen": 1_700_000_000}
    feed = {
        "numbers": np.array([[row[name] for name in names["numbers"]]], dtype=np.float32),
        "strings": np.array([[row[name] for name in names["strings"]]], dtype=object),
        "times": np.array([[row[name] for name in names["times"]]], dtype=np.int64),
    }
    scores = session.run(["scores"], feed)[0]
    ours, _ = bundle.predict_rows([row])
    assert names["classes"] == ["0", "1"]
    np.testing.assert_allclose(scores, ours, atol=1e-6)
