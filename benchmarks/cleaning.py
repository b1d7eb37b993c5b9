"""Wrong cells found and repaired without a label, on tables whose clean form is known.

    python benchmarks/cleaning.py --data ../shared/data --out benchmarks/results/cleaning.md

A table is a folder with ``dirty.csv`` and ``clean.csv`` of one shape; all such folders in ``--data`` are measured, or
those that ``--tables`` names. A cell is wrong where its two texts differ. It counts as detected where the account
names it, as rightly repaired where the mended text equals the clean one, or is the same number. The same table is
mended in its clean form too: every change there is a false alarm. One set of settings for all tables; no label is
shown to anything.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from artificer.quality.mending.mend import mend
from artificer.tables.formats import PLAIN, number_format

PUBLISHED = {
    "hospital": (".66", ".58", ".63"),
    "flights": (".84", ".63", ".48"),
    "beers": (".99", ".80", ".05"),
    "rayyan": (".83", ".30", ".01"),
}
"""F1 of detection by Raha (Mahdavi et al. 2019), of repair by Raha with Baran (Mahdavi and Abedjan 2020), and by
HoloClean (Rekatsinas et al. 2017) as Baran's authors measured it. The first two were shown 20 labelled rows."""


@dataclass(frozen=True)
class Measured:
    """Counts of one table, and the seconds that mending took."""

    name: str
    rows: int
    wrong: int
    told: int
    detected: int
    changed: int
    right: int
    alarms: int
    seconds: float


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def measure(folder: Path) -> Measured:
    dirty, clean = read(folder / "dirty.csv"), read(folder / "clean.csv")
    clean.columns = dirty.columns
    started = time.perf_counter()
    found = mend(dirty)
    seconds = time.perf_counter() - started
    before, after, truth = (table.fill_null("") for table in (dirty, found.frame, clean))
    told = set(zip(found.log["row"].to_list(), found.log["column"].to_list(), strict=True))
    wrong, changed, right = 0, 0, 0
    detected = 0
    for name in dirty.columns:
        cells = zip(before[name].to_list(), after[name].to_list(), truth[name].to_list(), strict=True)
        for row, (was, now, should) in enumerate(cells):
            wrong += was != should
            detected += was != should and (row, name) in told
            changed += was != now
            right += was != now and was != should and is_same(now, should)
    alarms = mend(clean).log.height
    return Measured(folder.name, dirty.height, wrong, len(told), detected, changed, right, alarms, seconds)


def is_same(text: str, other: str) -> bool:
    read = number_format(PLAIN).parse
    return text == other or (read(text) is not None and read(text) == read(other))


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def line(found: Measured) -> str:
    precision, recall = found.detected / max(found.told, 1), found.detected / max(found.wrong, 1)
    sure, whole = found.right / max(found.changed, 1), found.right / max(found.wrong, 1)
    raha, baran, holoclean = PUBLISHED.get(found.name, ("", "", ""))
    return (
        f"| {found.name} | {found.rows:,} | {found.wrong:,} | {precision:.3f} | {recall:.3f} | "
        f"**{f1(precision, recall):.3f}** | {raha} | {sure:.3f} | {whole:.3f} | **{f1(sure, whole):.3f}** | {baran} | "
        f"{holoclean} | {found.alarms:,} | {found.seconds:.1f} |"
    )


HEAD = """# Wrong cells found and repaired

Written by `python benchmarks/cleaning.py --data DATA --out benchmarks/results/cleaning.md`. No label is given, and the
settings are the same for every table. Raha and Baran were shown 20 labelled rows of each table; their figures and
HoloClean's are the published ones. "Alarms" are cells named in the clean form of the same table.

| table | rows | wrong cells | precision | recall | F1 found | Raha | precision | recall | F1 repaired | Baran | \
HoloClean | alarms | seconds |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tables", nargs="*", default=None)
    given = parser.parse_args()
    folders = sorted(path.parent for path in given.data.glob("*/dirty.csv") if (path.parent / "clean.csv").is_file())
    chosen = [folder for folder in folders if given.tables is None or folder.name in given.tables]
    text = HEAD + "".join(line(measure(folder)) + "\n" for folder in chosen)
    given.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
