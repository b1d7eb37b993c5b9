"""The demo, a face: the whole loop on a real table, from training to a retrained champion."""

from artificer.demo.story import run_demo

__all__ = ["run_demo"]
