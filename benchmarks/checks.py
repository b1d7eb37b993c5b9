"""What the checks find in public tables, and how long they take: every finding, to be looked at by a person.

    python benchmarks/checks.py DATA [--only NAME ...] [--output benchmarks/results/checks.md]

DATA is a folder with a `catalogue.json`: a list of `datasets`, each with `name`, `file`, and where known `target`,
`time_column` and `read` (how a raw file without a header is read). Peak memory is of one process over all tables.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

from artificer.api import check
from artificer.errors import ArtificerError


def table_of(data: Path, entry: dict[str, Any]) -> Any:
    """A path, or a frame where the file has no header."""
    path = data / entry["file"].split(" + ")[0]
    names = entry.get("read", {}).get("names")
    if not names:
        return path
    import polars as pl

    from artificer.sources.reading import read_source

    frame: pl.DataFrame = read_source(path).frame
    if frame.columns != names and len(names) == frame.width:
        frame.columns = names
    return frame


def findings_of(data: Path, entry: dict[str, Any]) -> dict[str, Any]:
    started = time.perf_counter()
    source, target, moment = table_of(data, entry), entry.get("target"), entry.get("time_column")
    try:
        found = check(source, target=target, time=moment)
    except ArtificerError:  # a time that lies in two columns, a target that is none
        found = check(source, target=target)
    return found | {"name": entry["name"], "seconds": time.perf_counter() - started}


def rendered(documents: list[dict[str, Any]], command: str) -> str:
    lines = [
        "# Findings of the checks in public tables",
        "",
        f"Made by `{command}`. Seconds are of reading and checking on one core; peak memory of the whole run "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB.",
        "",
        "| table | rows | columns | errors | warnings | infos | not done | seconds | slowest check |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for found in documents:
        counts, runs = found["counts"], found["checks"]
        slow = max(runs, key=lambda run: run["seconds"])
        undone = sum(run["state"] != "done" for run in runs)
        lines.append(
            f"| {found['name']} | {found['rows']['read']:,} | {found['columns']:,} | {counts['error']} | "
            f"{counts['warning']} | {counts['info']} | {undone} | {found['seconds']:.1f} | {slow['name']} "
            f"{slow['seconds']:.1f} s |"
        )
    for found in documents:
        lines += ["", f"## {found['name']}", ""]
        for finding in found["findings"]:
            column = f"`{finding['column']}`" if finding["column"] is not None else "table"
            text = finding["evidence"].replace("|", "\\|").replace("\n", " ")
            done = " *(done)*" if finding["applied"] else ""
            lines.append(f"- **{finding['severity']}** {finding['rule']} {column}: {text}{done}")
        if not found["findings"]:
            lines.append("Nothing.")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "checks.md")
    given = parser.parse_args()
    catalogue = json.loads((given.data / "catalogue.json").read_text())["datasets"]
    documents = []
    for entry in catalogue:
        if given.only and entry["name"] not in given.only:
            continue
        documents.append(findings_of(given.data, entry))
        print(f"{entry['name']}: {documents[-1]['seconds']:.1f} s", flush=True)
    given.output.write_text(
        rendered(
            documents, " ".join(["python benchmarks/checks.py DATA", *(["--only", *given.only] if given.only else [])])
        )
    )


if __name__ == "__main__":
    main()
