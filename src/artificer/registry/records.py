"""What the registry says of versions and promotions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from artificer.types import Json

Action = Literal["promote", "rollback", "reconcile"]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version.

    Attributes
    ----------
    version : from 1, in the order of registration.
    run_id : of the MLflow run that holds its metrics, parameters and the bundle.
    sha256 : of the bundle file.
    aliases : among ``champion``, ``challenger``, ``previous`` and those that others set.
    lineage : data fingerprint, recipe hash, code version, parent version.
    bundle : the local copy, or None where it has not been fetched yet.
    """

    version: int
    created: datetime
    run_id: str
    sha256: str
    aliases: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    lineage: Json = field(default_factory=dict)
    bundle: Path | None = None

    def to_json(self) -> Json:
        return {
            **asdict(self),
            "aliases": list(self.aliases),
            "created": self.created.isoformat(),
            "bundle": None if self.bundle is None else str(self.bundle),
        }


@dataclass(frozen=True, slots=True)
class Promotion:
    """A change of champion: who, why, on what evidence.

    Attributes
    ----------
    number : from 1, in order.
    action : ``reconcile`` where the registry's champion was found changed by other hands.
    version, previous : champion after and before; `previous` is None for the first one.
    """

    number: int
    action: Action
    version: int
    previous: int | None
    who: str
    why: str
    evidence: Json
    at: datetime

    def to_json(self) -> Json:
        return {**asdict(self), "at": self.at.isoformat()}

    def to_text(self) -> str:
        return json.dumps(self.to_json(), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> Promotion:
        data: dict[str, Any] = json.loads(text)
        return cls(**{**data, "at": datetime.fromisoformat(data["at"])})


def champions(promotions: Sequence[Promotion]) -> list[int]:
    """Line of champions that rollback walks back along, the present one last.

    A rollback goes back along the line; a promotion puts its version on the end. A champion found in the registry
    (``reconcile``) is a rollback where it was champion before, and a promotion where it was not.

    Examples
    --------
    >>> def made(number, action, version):
    ...     return Promotion(number, action, version, None, "me", "", {}, datetime(2026, 1, 1))
    >>> champions([made(1, "promote", 1), made(2, "promote", 2), made(3, "promote", 3)])
    [1, 2, 3]
    >>> champions([made(1, "promote", 1), made(2, "promote", 2), made(3, "rollback", 1), made(4, "promote", 3)])
    [1, 3]
    """
    line: list[int] = []
    for promotion in promotions:
        back = promotion.action == "rollback" or (promotion.action == "reconcile" and promotion.version in line)
        while back and line and line[-1] != promotion.version:
            line.pop()
        if not line or line[-1] != promotion.version:
            line.append(promotion.version)
    return line
