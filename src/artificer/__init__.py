"""Artificer: the machine-learning engineer as self-running software."""

__version__ = "0.1.0"
