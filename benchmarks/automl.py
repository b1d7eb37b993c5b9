"""Compare with other AutoML frameworks on real tables: same splits, same seeds, same budget, one after the other.

    python benchmarks/automl.py --environments FOLDER --budget 60 --frameworks artificer ag_best flaml

The harness (``bench/automl`` of the shared folder, or --harness) fits one framework on one table in a process of its
own. Each peer has an environment of its own under --environments; those that are missing are made, which downloads a
few GB for AutoGluon. The result file takes a line a run, so a run that was stopped goes on where it was; the tables are
printed and written beside it as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("ARTIFICER_SHARED", HERE.parents[1] / "shared"))
ENVIRONMENTS = {
    "baseline": ["scikit-learn lightgbm catboost xgboost-cpu skrub pyarrow psutil"],
    "flaml": ["flaml[automl] pyarrow psutil"],
    "mljar": ["mljar-supervised pyarrow psutil"],
    "h2o": ["h2o pandas pyarrow psutil scikit-learn"],
    "ag": ["torch==2.13.0", "autogluon.tabular[lightgbm,catboost,xgboost,fastai] psutil pyarrow"],
}
NEEDS = {
    "constant": "baseline",
    "lightgbm": "baseline",
    "catboost": "baseline",
    "flaml": "flaml",
    "mljar_compete": "mljar",
    "h2o": "h2o",
    "ag_best": "ag",
    "ag_medium": "ag",
}
TABLES = (
    "credit_data",
    "online_shoppers",
    "adult_raw",
    "mammography",
    "elec2",
    "penguins",
    "leaf_id_flavia",
    "keystroke",
    "marvel_characters",
    "diamonds",
    "employee_salaries",
    "ames",
    "bike_sharing",
    "beijing_pm25",
)
"""Tables of every task, 344 to 54,000 rows, five of them timed, two with text."""


def main() -> int:
    asked = arguments()
    environments = asked.environments.resolve()
    for framework in asked.frameworks:
        if framework in NEEDS:
            make_environment(environments, NEEDS[framework])
    own_environment(environments)
    with tempfile.TemporaryDirectory() as folder:
        harness = Path(folder) / "automl"
        shutil.copytree(asked.harness, harness)
        shutil.copy(HERE / "automl_adapter.py", harness / "adapters" / "artificer.py")
        catalogue = flat_catalogue(asked.data, Path(folder))
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "BENCH_VENVS": str(environments), "BENCH_LOGS": str(asked.logs or folder)}
        sweep = [sys.executable, str(harness / "sweep.py"), "--catalogue", str(catalogue), "--out", str(asked.out)]
        options = ["--frameworks", *asked.frameworks, "--datasets", *asked.tables]
        for seed in asked.seeds:
            numbers = ["--budget", str(asked.budget), "--seed", str(seed)]
            subprocess.run([*sweep, *options, *numbers], env=env, check=False)
        report(harness, asked.out)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=HERE / ".environments")
    parser.add_argument("--harness", type=Path, default=SHARED / "bench" / "automl")
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--frameworks", nargs="+", default=["constant", "lightgbm", "catboost", "artificer", *PEERS])
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--logs", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "automl.jsonl")
    return parser.parse_args()


PEERS = ("ag_best", "flaml", "mljar_compete", "h2o")


def make_environment(folder: Path, name: str) -> None:
    place = folder / name
    if (place / "bin" / "python").exists():
        return
    print(f"making the environment {place}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    for packages in ENVIRONMENTS[name]:
        subprocess.run([str(place / "bin" / "pip"), "install", "--quiet", *packages.split()], check=True)


def own_environment(folder: Path) -> None:
    """Artificer runs in the environment this script runs in."""
    python = folder / "artificer" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.unlink(missing_ok=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)


def flat_catalogue(data: Path, folder: Path) -> Path:
    """The harness takes a list of tables, and files beside it."""
    entries = json.loads((data / "catalogue.json").read_text())["datasets"]
    for entry in entries:
        entry["file"] = str((data / entry.get("file", "")).resolve())
    place = folder / "catalogue.json"
    place.write_text(json.dumps(entries))
    return place


def report(harness: Path, out: Path) -> None:
    tables = [sys.executable, str(harness / "table.py"), str(out)]
    done = subprocess.run(tables, capture_output=True, text=True, check=False)
    text = done.stdout or done.stderr
    runs = [json.loads(line) for line in out.read_text().splitlines()]
    versions = sorted({run["versions"] for run in runs if run.get("versions")})
    head = [
        "# AutoML frameworks side by side",
        "",
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}; " + "; ".join(versions),
        "",
    ]
    out.with_suffix(".md").write_text("\n".join(head) + text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
