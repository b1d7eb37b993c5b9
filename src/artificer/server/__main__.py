"""``python -m artificer.server``: the serving process, with nothing in it but what serving needs."""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
import threading
from pathlib import Path

from artificer.endings import tell
from artificer.errors import ArtificerError
from artificer.server.options import add_flags, read_options
from artificer.settings import apply_settings, load_settings


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m artificer.server", description="Serve the champion over HTTP.")
    add_flags(parser)
    parser.add_argument("--listener", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--slot", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--share", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="say the URL as one JSON document on standard output")
    parser.add_argument(
        "--until-eof", action="store_true", help="end when standard input closes, as it does when the starter dies"
    )
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def ready(url: str) -> None:
        if given.json:
            sys.stdout.write(json.dumps({"url": url}) + "\n")
        else:
            sys.stdout.write(f"serving at {url} (docs at {url}/docs, end with Ctrl-C)\n")
        sys.stdout.flush()

    try:
        apply_settings(load_settings())
        logging.getLogger("artificer").propagate = False
        options = read_options(given)
        stop = _at_eof() if given.until_eof else None
        if given.listener is None and options.workers > 1:
            from artificer.server.pool import run_pool

            run_pool(options, ready=ready, stop=stop)
        else:
            from artificer.server.run import run_server
            from artificer.server.sharing import Sharing

            handed = None if given.listener is None else socket.socket(fileno=given.listener)
            sharing = None if given.share is None else Sharing(given.share, given.slot)
            run_server(options, ready=ready, stop=stop, listener=handed, sharing=sharing)
    except ArtificerError as error:
        if given.debug:
            raise
        return tell(str(error), type(error).__name__, error.exit_code, given.json)
    return 0


def _at_eof() -> threading.Event:
    """An event that is set when standard input closes: whoever held its other end is gone, even by kill -9."""
    ended = threading.Event()

    def wait() -> None:
        # Not through sys.stdin: an interpreter that ends while a thread holds that buffer aborts.
        while os.read(0, 1024):
            pass
        ended.set()

    threading.Thread(target=wait, name="standard input", daemon=True).start()
    return ended


if __name__ == "__main__":
    sys.exit(main())
