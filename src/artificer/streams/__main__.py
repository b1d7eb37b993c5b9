"""``python -m artificer.streams``: the consuming process, with nothing in it but what scoring needs."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from artificer.endings import tell
from artificer.errors import ArtificerError
from artificer.settings import apply_settings, load_settings


def main(arguments: list[str] | None = None) -> int:
    """Consume until stopped; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m artificer.streams", description="Score a stream's events.")
    parser.add_argument("--project", type=Path, required=True, help="the project's folder")
    parser.add_argument("--json", action="store_true", help="say where metrics are as one JSON document")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def ready(url: str) -> None:
        line = json.dumps({"metrics": url}) if given.json else f"consuming; metrics at {url}, end with Ctrl-C"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        apply_settings(load_settings())
        logging.getLogger("artificer").propagate = False
        from artificer.problem.project import open_project
        from artificer.streams.plan import plan_of
        from artificer.streams.run import run_consumer

        run_consumer(plan_of(open_project(given.project)), ready=ready)
    except ArtificerError as error:
        if given.debug:
            raise
        return tell(str(error), type(error).__name__, error.exit_code, given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
