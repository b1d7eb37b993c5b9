"""What the modules of this package share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

Watch: TypeAlias = Callable[[str, float | None, float | None], None]
"""Told what is being done, and how much of how much is done, where that is known."""


def silent(message: str, done: float | None, planned: float | None) -> None:
    """Nobody watches."""


def threads() -> int:
    """Threads that training may use, as the settings say; by default the cores this process may use."""
    from artificer.settings import load_settings

    return load_settings().threads


def new_run_id() -> str:
    """Sorts by time; the process id keeps two starts of one moment apart."""
    from datetime import UTC, datetime

    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid():x}"
