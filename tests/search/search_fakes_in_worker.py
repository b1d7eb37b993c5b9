"""Imported by worker processes of the tests, to register the fakes there."""

from search_fakes import register

register()
