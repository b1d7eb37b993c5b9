"""Brokers' libraries are extras: where one is missing, a sentence says how to get it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from artificer.errors import ConfigurationError

if TYPE_CHECKING:
    from artificer.streams.base import Stream


def library(module: str, stream: Stream) -> Any:
    """Import a broker's library.

    Raises
    ------
    ConfigurationError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise ConfigurationError(
            f'stream.url is for {stream.name}, whose library is not installed; pip install "artificer[{stream.extra}]"'
        ) from None
