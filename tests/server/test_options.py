"""Options and flags say the same."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from artificer.server.options import Options, add_flags, arguments_of, read_options
from artificer.serving.guards import GuardPlan


def test_every_option_passes_through_the_flags() -> None:
    """Workers are started by flags: an option that these do not carry would be lost on them."""
    given = {
        "pointer": Path("p.json"),
        "journal": Path("j.sqlite"),
        "host": "::1",
        "port": 9000,
        "workers": 3,
        "max_body_mb": 2.5,
        "tokens": Path("t.json"),
        "certificate": Path("c.pem"),
        "key": Path("k.pem"),
        "origins": ("https://a.example", "http://b.example"),
        "rate": 1.5,
        "audit": Path("a.jsonl"),
        "guards": GuardPlan(far_outside="override", default=1.5),
    }
    assert set(given) == {field.name for field in fields(Options)}
    options = Options(**given)  # type: ignore[arg-type]
    parser = argparse.ArgumentParser()
    add_flags(parser)
    assert read_options(parser.parse_args(arguments_of(options))) == options
