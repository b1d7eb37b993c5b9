"""The deployed graph as a plain ONNX file, for any program with an ONNX runtime."""

from __future__ import annotations

from pathlib import Path

from artificer.bundle.exporters.base import Exporter
from artificer.bundle.model import Bundle


class OnnxExporter(Exporter):
    """One ``.onnx`` file; its metadata names the columns of each input, the target and the classes."""

    name = "onnx"
    suffix = ".onnx"

    def content(self, bundle: Bundle) -> bytes:
        return bundle.model


def export_onnx(bundle: Bundle, path: Path) -> Path:
    """Write the bundle's graph to `path`; see :class:`OnnxExporter`."""
    return OnnxExporter().export(bundle, path)
