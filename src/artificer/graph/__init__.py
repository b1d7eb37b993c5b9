"""Pieces of ONNX: what encoders and algorithms write themselves into, and what the bundle assembles."""

from artificer.graph.builder import Fragment, Graph, GraphInput

__all__ = ["Fragment", "Graph", "GraphInput"]
