"""What a service is started with, and the flags that say it."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from artificer.errors import UsageError
from artificer.problem.places import Place, place_of, written
from artificer.serving.guards import GuardPlan
from artificer.serving.predictor import DEFAULT_PLAN

MOST_WORKERS: Final = 64


@dataclass(frozen=True, slots=True)
class Options:
    """What a service is started with.

    Attributes
    ----------
    pointer : the champion's pointer file; while it is absent, predictions are answered with 503.
    journal : the journal's file, made where absent, or its database.
    host, port : where to listen; port 0 takes a free one.
    workers : processes that serve the one address.
    max_body_mb : longest request body, megabytes of 10^6 bytes.
    tokens : the file of tokens; where it exists, each request needs one. An address that others reach needs the file.
    certificate, key : PEM files; with them the service speaks TLS.
    origins : of web pages that may ask, beside the service's own.
    rate : requests a second for each token, or for all together where no token is needed; None sets no limit.
    audit : the file that is told what was changed; None for none.
    guards : what is done about rows that the model should not be asked.
    """

    pointer: Path
    journal: Place
    host: str = "127.0.0.1"
    port: int = 8400
    workers: int = 1
    max_body_mb: float = 50.0
    tokens: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    origins: tuple[str, ...] = ()
    rate: float | None = None
    audit: Path | None = None
    guards: GuardPlan = DEFAULT_PLAN

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise UsageError(
                f"the port {self.port} does not exist; choose one between 1 and 65535, or 0 for any free one."
            )
        if not 1 <= self.workers <= MOST_WORKERS:
            raise UsageError(f"{self.workers} workers cannot be; choose 1 to {MOST_WORKERS}, one for a core at most.")
        if (self.certificate is None) != (self.key is None):
            raise UsageError("TLS takes both a certificate and its key; give the other PEM file too.")
        if self.rate is not None and not self.rate > 0:
            raise UsageError(f"a rate of {self.rate:g} requests a second lets nobody ask; give one above 0.")
        for origin in self.origins:
            scheme, _, host = origin.partition("://")
            if scheme not in ("http", "https") or not host or "/" in host:
                raise UsageError(f'"{origin}" is not the origin of a page; write one like https://app.example.')


def arguments_of(options: Options) -> list[str]:
    """The flags that :func:`read_options` reads `options` from."""
    given: list[str] = []
    for name, value in (
        ("pointer", options.pointer),
        ("journal", written(options.journal)),
        ("host", options.host),
        ("port", options.port),
        ("workers", options.workers),
        ("max-body-mb", options.max_body_mb),
        ("tokens", options.tokens),
        ("certificate", options.certificate),
        ("key", options.key),
        ("rate", options.rate),
        ("audit", options.audit),
        ("guards", json.dumps(options.guards.to_json())),
    ):
        if value is not None:
            given += [f"--{name}", str(value)]
    for origin in options.origins:
        given += ["--origin", origin]
    return given


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of the options."""
    add = parser.add_argument
    add("--pointer", type=Path, required=True, help="the champion's pointer file")
    add("--journal", type=place_of, required=True, help="the journal's file, or its database")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=8400, help="port, 0 for any free one (%(default)s)")
    add("--workers", type=int, default=1, help="processes that serve the address (%(default)s)")
    add("--max-body-mb", type=float, default=50, help="longest request body, megabytes of 10^6 bytes (%(default)s)")
    add("--tokens", type=Path, help="file of tokens; where it exists, each request needs one")
    add("--certificate", type=Path, help="PEM file of the certificate chain; with --key the service speaks TLS")
    add("--key", type=Path, help="PEM file of the certificate's key, without a passphrase")
    add("--origin", action="append", default=[], help="origin of a web page that may ask, such as https://app.example")
    add("--rate", type=float, help="requests a second for each token; default: no limit")
    add("--audit", type=Path, help="file that is told what was changed")
    add("--guards", type=_guards, default=DEFAULT_PLAN, help="what guards do, as one JSON object")


def _guards(text: str) -> GuardPlan:
    return GuardPlan(**json.loads(text))


def read_options(given: argparse.Namespace) -> Options:
    """The options that flags say.

    Raises
    ------
    UsageError
        They cannot be.
    """
    return Options(
        given.pointer,
        given.journal,
        given.host,
        given.port,
        given.workers,
        given.max_body_mb,
        given.tokens,
        given.certificate,
        given.key,
        tuple(given.origin),
        given.rate,
        given.audit,
        guards=given.guards,
    )
