"""The contract of an exporter, as a suite that other packages can run on theirs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from artificer.bundle.exporters.base import Exporter
from artificer.bundle.model import Bundle
from artificer.errors import ArtificerError


def check_exporter(exporter: type[Exporter], bundle: Bundle, folder: Path) -> None:
    """Hold `exporter` to its contract, with `bundle` and an empty `folder` to write to.

    Raises
    ------
    AssertionError
        It breaks the contract; the message says where.
    """
    assert exporter.name.isidentifier(), f"{exporter} needs a name of one word"
    assert exporter.suffix.startswith("."), f"{exporter} needs a suffix with a dot"
    before = _state(bundle)
    first = exporter().export(bundle, folder / "model")
    assert first.is_file(), f"{exporter} did not write the path it returned"
    assert first.suffix == exporter.suffix, f"{exporter} did not use its suffix"
    assert [p.name for p in folder.iterdir()] == [first.name], f"{exporter} left other files behind"
    second = exporter().export(bundle, folder / f"again{exporter.suffix}")
    assert second.name == f"again{exporter.suffix}", f"{exporter} doubled the suffix"
    assert first.read_bytes() == second.read_bytes(), f"{exporter} gives different bytes for one bundle"
    assert _state(bundle) == before, f"{exporter} changed the bundle"
    try:
        exporter().export(bundle, first / "below-a-file")
    except ArtificerError:
        pass
    else:
        raise AssertionError(f"{exporter} did not refuse a place that cannot be written to")


def _state(bundle: Bundle) -> dict[str, str]:
    return {f.name: repr(getattr(bundle, f.name)) for f in dataclasses.fields(bundle) if f.name != "session"}
