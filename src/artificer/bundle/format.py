"""The bundle file: writing it in one step, and reading it back only after an audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from artificer.types import Json

if TYPE_CHECKING:
    from artificer.tables.contract import Contract


@dataclass(frozen=True, slots=True)
class BundleContent:
    """What a bundle holds.

    Attributes
    ----------
    name : the model's name.
    model : the deployed ONNX graph, serialised.
    contract : what a row must be.
    reference : the training data's summary, for drift.
    metrics, recipe, lineage : JSON-ready records of the run.
    """

    name: str
    model: bytes
    contract: Contract
    reference: Json
    metrics: Json
    recipe: Json
    lineage: Json
