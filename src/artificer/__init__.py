"""Artificer: the machine-learning engineer as self-running software.

>>> import artificer
>>> sorted(artificer.__all__)
['Classifier', 'Model', 'Regressor', 'Run', '__version__', 'load', 'train']
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from artificer.api import Model, Run, load, train
    from artificer.estimators import Classifier, Regressor

__all__ = ["Classifier", "Model", "Regressor", "Run", "__version__", "load", "train"]

_HOMES = {
    "Classifier": "artificer.estimators",
    "Model": "artificer.api",
    "Regressor": "artificer.estimators",
    "Run": "artificer.api",
    "load": "artificer.api",
    "train": "artificer.api",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import artificer`` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'artificer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
