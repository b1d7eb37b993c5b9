"""Imported by worker processes of the tests, to register the fakes there.

The test process itself imports this file too, when it looks for doctests; there the fakes must not outlive their tests.
"""

import sys

from search_fakes import register

if "pytest" not in sys.modules:
    register()
