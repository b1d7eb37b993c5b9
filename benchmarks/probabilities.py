"""Do the success probabilities mean what they say? Races are replayed on measured results of the development pack.

    python benchmarks/prior_table.py measure --pack ../shared/data --out build/pack.jsonl
    python benchmarks/probabilities.py build/pack.jsonl --out benchmarks/results/probabilities.json

Every candidate was run on every fold of every table and scored on test rows that no fold touched. The race that search
runs is replayed on the folds; before it and after every fold each candidate's stated probability is held against what
the test rows say: whether it came within epsilon of the best candidate there. A table counts once, however many steps
its race took. The figure shows stated against observed frequency, with areas for how many statements there are.

ECE is the expected calibration error over ten bins of equal width, weighted by how many statements fall into each; the
Brier score is held against that of always stating the mean frequency.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

BINS = 10
HERE = Path(__file__).resolve().parent


def replay(table: pl.DataFrame, seed: int, without_experience: bool = False) -> list[tuple[str, float, bool]]:
    """Run the race on one table: (moment, stated probability, came true) of every step and candidate."""
    from artificer.search.candidates import BASELINE
    from artificer.search.priors import TableShape, priors
    from artificer.search.race import EPSILON, Race
    from artificer.search.records import Candidate
    from artificer.search.tasks import FitOutcome
    from artificer.types import Task

    whole = table.group_by("candidate", maintain_order=True).agg(
        pl.col("loss").is_not_null().all().alias("ran"),
        pl.col("loss"),
        pl.mean("test_loss"),
        pl.mean("seconds"),
        *(pl.first(name) for name in ("algorithm", "params", "representation")),
    )
    whole = whole.filter("ran", pl.col("loss").list.len() == pl.col("loss").list.len().max())
    rows = whole.to_dicts()
    base = next(row for row in rows if row["algorithm"] == "constant")
    rows = [base, *(row for row in rows if row["algorithm"] != "constant")]
    best = min(row["test_loss"] for row in rows)
    gap = base["test_loss"] - best
    if len(rows) < 3 or gap <= 0:
        return []
    about = table.row(0, named=True)
    task = None if without_experience else Task(about["task"])
    columns = about["numbers"] + about["strings"] + about["times"]
    shape = TableShape(about["rows"], columns, about["numbers"], about["strings"], task, about["classes"])
    candidates = [
        BASELINE
        if row is base
        else Candidate(row["candidate"], row["algorithm"], json.loads(row["params"]), row["representation"])
        for row in rows
    ]
    k = len(base["loss"])
    valid = about["rows"] // k
    race = Race(candidates, priors(candidates, shape), [valid] * k, [about["rows"] - valid] * k, seed)
    found: list[tuple[str, float, bool]] = []

    def state(moment: str) -> None:
        reach = max(EPSILON, race.epsilon)
        stated = race.probabilities()
        for row, probability in list(zip(rows, stated, strict=True))[1:]:
            found.append((moment, float(probability), (row["test_loss"] - best) / gap <= reach))

    done = FitOutcome(task=None, ok=True)  # type: ignore[arg-type]
    for fold in range(k):
        race.begin(0, fold)
        race.absorb(0, fold, done, base["loss"][fold])
    state("before")
    phases = ("explore", "compare", "complete")
    steps = sum(len(row["loss"]) for row in rows[1:])
    for step in range(steps):
        phase = phases[min(3 * step // steps, 2)]
        chosen = race.choose(lambda i: rows[i]["seconds"] + 0.1, lambda i: True, phase)  # type: ignore[arg-type]
        if chosen is None:
            break
        i, fold = chosen
        race.begin(i, fold)
        race.absorb(i, fold, done, rows[i]["loss"][fold])
        state("during")
    state("after")
    return found


def reliability(found: list[tuple[float, bool, float]]) -> dict[str, Any]:
    """Bins, expected calibration error and Brier score of weighted statements (probability, came true, weight)."""
    p, y, w = (np.array(column, dtype=float) for column in zip(*found, strict=True))
    w = w / w.sum()
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    bins = []
    for b in range(BINS):
        inside = place == b
        share = float(w[inside].sum())
        if share:
            stated = float(np.average(p[inside], weights=w[inside]))
            observed = float(np.average(y[inside], weights=w[inside]))
            bins.append({"share": round(share, 4), "stated": round(stated, 4), "observed": round(observed, 4)})
    ece = sum(b["share"] * abs(b["stated"] - b["observed"]) for b in bins)
    brier = float(w @ (p - y) ** 2)
    frequency = float(w @ y)
    mean_brier = frequency * (1 - frequency)
    return {"ece": round(ece, 4), "brier": round(brier, 4), "brier_of_the_mean": round(mean_brier, 4), "bins": bins}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--without-experience", action="store_true", help="beliefs by family alone, for comparison")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "probabilities.json")
    asked = parser.parse_args()
    measured = pl.read_ndjson(asked.measured, infer_schema_length=None)
    everything: dict[str, list[tuple[float, bool, float]]] = {}
    tables = 0
    for (_,), table in measured.group_by(["table"], maintain_order=True):
        said = [s for seed in range(asked.seeds) for s in replay(table, seed, asked.without_experience)]
        tables += bool(said)
        for moments in (("before",), ("during",), ("after",), ("before", "during", "after")):
            chosen = [(p, y) for moment, p, y in said if moment in moments]
            name = moments[0] if len(moments) == 1 else "all"
            everything.setdefault(name, []).extend((p, y, 1 / len(chosen)) for p, y in chosen)
    result: dict[str, Any] = {"tables": tables, "date": time.strftime("%Y-%m-%d"), "seeds": asked.seeds}
    result |= {name: reliability(found) for name, found in everything.items()}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=2) + "\n")
    figure(result, asked.out.with_suffix(".svg"))
    for name in everything:
        print(f"{name}: ECE {result[name]['ece']}, Brier {result[name]['brier']} ({result[name]['brier_of_the_mean']})")
    return 0


def figure(result: dict[str, Any], place: Path) -> None:
    import altair as alt
    import vl_convert

    rows = [{"moment": name, **b} for name in ("before", "during", "after") for b in result[name]["bins"]]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_circle(opacity=0.8)
        .encode(
            x=alt.X("stated:Q", title="stated probability of success", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("observed:Q", title="observed frequency", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("moment:N", sort=["before", "during", "after"], title="stated"),
            size=alt.Size("share:Q", title="share of statements", scale=alt.Scale(range=[10, 600])),
        )
    )
    line = alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])).mark_line(strokeDash=[4, 4], color="gray")
    both = (line.encode(x="x:Q", y="y:Q") + chart).properties(width=320, height=320)
    place.write_text(vl_convert.vegalite_to_svg(both.to_dict()))


if __name__ == "__main__":
    sys.exit(main())
