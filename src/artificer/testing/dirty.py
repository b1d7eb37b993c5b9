"""Generated tables with errors put in: what stood there before is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from artificer.quality.mending.mend import mend

TOWNS = (
    "Almeda Harbour", "Brookfield", "Carrington", "Dunmore", "Eastwick", "Farnborough", "Glenrothes", "Haverhill",
    "Inverness", "Jarrow", "Kilmarnock", "Lowestoft", "Matlock", "Northwich", "Oakhampton", "Pickering",
    "Quarrington", "Ravenglass", "Shrewsbury", "Tewkesbury", "Uttoxeter", "Ventnor", "Wolverton", "Yarmouth",
    "Zennor", "Abergavenny", "Basingstoke", "Chesterfield", "Dorchester", "Exmouth",
)  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """Precision and recall of detected and of repaired cells."""

    found: float
    recall: float
    right: float
    repaired: float

    @property
    def detection(self) -> float:
        return 2 * self.found * self.recall / max(self.found + self.recall, 1e-9)

    @property
    def repair(self) -> float:
        return 2 * self.right * self.repaired / max(self.right + self.repaired, 1e-9)


def frame(columns: dict[str, list[str]]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).with_columns(pl.all().replace("", None))


def scores(dirty: pl.DataFrame, clean: pl.DataFrame) -> Scores:
    """Mend the dirty table and count cells."""
    found = mend(dirty)
    before, after, truth = (table.fill_null("") for table in (dirty, found.frame, clean))
    wrong, changed, right = set(), set(), set()
    for name in dirty.columns:
        cells = zip(before[name].to_list(), after[name].to_list(), truth[name].to_list(), strict=True)
        for row, (was, now, should) in enumerate(cells):
            if was != should:
                wrong.add((row, name))
            if was != now:
                changed.add((row, name))
                if now == should:
                    right.add((row, name))
    told = set(zip(found.log["row"].to_list(), found.log["column"].to_list(), strict=True))
    return Scores(
        len(told & wrong) / max(len(told), 1),
        len(told & wrong) / max(len(wrong), 1),
        len(right) / max(len(changed), 1),
        len(right) / max(len(wrong), 1),
    )


def misspelt(text: str, rng: np.random.Generator) -> str:
    """One keystroke wrong: a letter replaced, left out, doubled, or swapped with the next."""
    at = int(rng.integers(1, len(text) - 1))
    kind = int(rng.integers(4))
    letter = "abcdefghijklmnopqrstuvwxyz"[int(rng.integers(26))]
    if kind == 0:
        return text[:at] + ("q" if text[at] == letter else letter) + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + letter + text[at:]
    return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]


def clock(minutes: int) -> str:
    hour = minutes // 60 % 24
    return f"{hour % 12 or 12}:{minutes % 60:02d} {'a' if hour < 12 else 'p'}.m."


def many_sources(seed: int, things: int = 50, sources: int = 24) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sources that report the same things' times: some late, some in formats of their own, some not at all."""
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 1440, (things, 4))
    hard = rng.beta(2, 6, things)
    dirty: dict[str, list[str]] = {name: [] for name in ("source", "thing", "due", "left", "expected", "came")}
    clean: dict[str, list[str]] = {name: [] for name in dirty}
    for thing in range(things):
        for source in range(sources):
            for table in (dirty, clean):
                table["source"].append(f"site{source}")
                table["thing"].append(f"AX-{1000 + 7 * thing}")
            for k, name in enumerate(("due", "left", "expected", "came")):
                truth = clock(int(times[thing, k]))
                clean[name].append(truth)
                draw = rng.random()
                if draw < 0.1:
                    truth = ""
                elif draw < 0.1 + (hard[thing] if k % 2 else 0.05):
                    truth = clock(int(times[thing, k] + rng.integers(-15, 15)))
                elif source % 10 == 3:
                    truth = f"12/02/2011 {truth}"
                elif source % 10 == 7:
                    truth = f"{truth} (Dec 1)"
                dirty[name].append(truth)
    return frame(dirty), frame(clean)


def directory(seed: int, rows: int = 800, errors: float = 0.03) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Articles in journals: names, abbreviations and numbers of journals depend on each other and are damaged."""
    rng = np.random.default_rng(seed)
    many = 40
    names = [f"{TOWNS[j % 30]} {('Review', 'Letters')[j // 30]} of {TOWNS[(7 * j + 3) % 30]}" for j in range(many)]
    short = ["".join(word[:4] + ". " for word in name.split()).strip() for name in names]
    issn = [f"{rng.integers(1000, 9999)}-{rng.integers(1000, 9999)}" for _ in range(many)]
    which = rng.integers(0, many, rows)
    clean = {
        "article": [f"{j:05d}" for j in range(rows)],
        "journal": [names[j] for j in which],
        "short": [short[j] for j in which],
        "issn": [issn[j] for j in which],
        "pages": [f"{a}-{a + b}" for a, b in zip(rng.integers(1, 900, rows), rng.integers(2, 30, rows), strict=True)],
        "language": [("eng", "fre", "ger")[int(j > 8) + int(j > 9)] for j in rng.integers(0, 11, rows)],
    }
    dirty = {name: list(cells) for name, cells in clean.items()}
    for row in range(rows):
        for name, damage in (("journal", misspelt), ("short", misspelt), ("issn", None), ("pages", None)):
            if rng.random() < errors:
                text = dirty[name][row]
                if damage is not None:
                    dirty[name][row] = damage(text, rng)
                else:
                    dirty[name][row] = f"{('Jan', 'Jun', 'Nov')[row % 3]}-{text[-2:]}"
    return frame(dirty), frame(clean)


def shop(seed: int, rows: int = 1500) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sales: misspelt towns, units in some weights, prices in thousands, the country's code within the town."""
    rng = np.random.default_rng(seed)
    town = rng.integers(0, len(TOWNS), rows)
    clean = {
        "id": [f"{j}" for j in range(rows)],
        "town": [TOWNS[j] for j in town],
        "land": [("ENG", "SCO", "WAL")[j % 3] for j in town],
        "weight": [f"{5 + j % 40}" for j in rng.integers(0, 1000, rows)],
        "price": [f"{p:.0f}" for p in rng.lognormal(7, 0.4, rows)],
        "rating": [f"{r}" for r in rng.integers(1, 6, rows)],
    }
    dirty = {name: list(cells) for name, cells in clean.items()}
    for row in range(rows):
        draw = rng.random(5)
        if draw[0] < 0.03:
            dirty["town"][row] = misspelt(dirty["town"][row], rng)
        elif draw[0] < 0.06:
            dirty["town"][row] += " " + dirty["land"][row]
            dirty["land"][row] = ""
        if draw[1] < 0.3:
            dirty["weight"][row] += " kg"
        if draw[2] < 0.01:
            dirty["price"][row] = f"{float(dirty['price'][row]) / 1000:g}"
        if draw[3] < 0.1:
            clean["rating"][row], dirty["rating"][row] = "", "N/A"
    return frame(dirty), frame(clean)
