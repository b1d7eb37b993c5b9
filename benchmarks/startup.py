"""How fast a person gets an answer: ``artificer --help``, and the first prediction of a service that was just started.

    python benchmarks/startup.py --out benchmarks/results/startup.json

Times are of whole processes from outside, medians of several starts, beside the bare interpreter's start in the same
run. The service is started by ``artificer serve`` on a project trained from the demo's table.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ARTIFICER = [sys.executable, "-m", "artificer"]
RUNS = 7


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def make_project(folder: Path) -> Path:
    from importlib import resources

    with resources.as_file(resources.files("artificer.demo") / "bike_sharing.parquet") as table:
        shutil.copy(table, folder / "bikes.parquet")
    project = folder / "bikes"
    make = ["init", str(folder / "bikes.parquet"), "--target", "cnt", "--project", str(project), "--time", "date"]
    subprocess.run([*ARTIFICER, *make, "--drop", "casual", "--drop", "registered"], check=True, capture_output=True)
    subprocess.run([*ARTIFICER, "train", "--project", str(project), "--budget", "20s"], check=True, capture_output=True)
    return project


def first_prediction(project: Path, row: dict[str, Any]) -> float:
    """Seconds from starting ``artificer serve`` to the first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    server = subprocess.Popen(
        [*ARTIFICER, "serve", "--project", str(project), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    body = json.dumps({"rows": [row]}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/predict", body, {"Content-Type": "application/json"})
    try:
        while True:
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    assert json.loads(answer.read())["predictions"]
                return time.perf_counter() - started
            except (urllib.error.URLError, ConnectionError):
                if time.perf_counter() - started > 30 or server.poll() is not None:
                    raise
                time.sleep(0.01)
    finally:
        server.terminate()
        server.wait(15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "startup.json")
    given = parser.parse_args()
    bare, shown = [], []
    for _ in range(RUNS):
        bare.append(timed([sys.executable, "-c", "pass"]))
        shown.append(timed([*ARTIFICER, "--help"]))
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder))
        row = {
            "date": "2012-06-01T08:00:00", "instant": 1, "holiday": 0, "weathersit": 1,
            "temp": 0.5, "atemp": 0.5, "hum": 0.4, "windspeed": 0.1,
        }  # fmt: skip
        starts = [first_prediction(project, row) for _ in range(RUNS)]
    result = {
        "interpreter_s": statistics.median(bare),
        "help_s": statistics.median(shown),
        "help_over_interpreter": statistics.median(a / b for a, b in zip(shown, bare, strict=True)),
        "serve_first_prediction_s": {"median": statistics.median(starts), "max": max(starts)},
    }
    print(json.dumps(result, indent=1))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
