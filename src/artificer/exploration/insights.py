"""What matters first: a few sentences, each with its number and what it could mean for a model in production."""

from __future__ import annotations

from collections.abc import Iterator

from artificer.exploration.explore import FILE, PART, Exploration
from artificer.types import Json, Task

LEAK = 0.95
STRONG = 0.3
RARE = 0.05
MOSTLY = 0.5
MOST = 12


def insights(found: Exploration) -> list[Json]:
    """Sentences as ``{tone, section, title, text}``, what endangers a model first."""
    order = {"bad": 0, "unsure": 1, "good": 2, "info": 3}
    every = [
        {"tone": tone, "section": section, "title": title, "text": text}
        for tone, section, title, text in (
            *_leaks(found),
            *_strengths(found),
            *_balance(found),
            *_moving(found),
            *_different(found),
            *_absent(found),
            *_repeats(found),
            *_joint(found),
            *_useless(found),
        )
    ]
    return sorted(every, key=lambda one: order[one["tone"]])[:MOST]


Line = tuple[str, str, str, str]


def _leaks(found: Exploration) -> Iterator[Line]:
    for one in found.associations[:3]:
        if one.found.low >= LEAK:
            yield (
                "bad",
                "target",
                f"{_q(one.column)} all but decides {_q(_name(found))}",
                f"Strength {one.found.strength:.2f} of 1. If it is known only after the outcome, or derived from it, a "
                "model will look perfect and fail in service: leave it out.",
            )


def _strengths(found: Exploration) -> Iterator[Line]:
    if found.target is None:
        return
    real = [one for one in found.associations if one.real]
    if not real:
        yield (
            "bad",
            "target",
            f"No column tells {_q(_name(found))} from chance",
            f"None of {len(found.associations):,} columns is related to it by itself in {len(found.target.codes):,} "
            "rows. Only a joint effect could help; more or other columns are more likely to.",
        )
        return
    strong = [one for one in real if one.found.strength >= STRONG and one.found.low < LEAK][:3]
    named = strong or [one for one in real if one.found.low < LEAK][:3]
    if named:
        yield (
            "good" if strong else "unsure",
            "target",
            f"{_and([one.column for one in named])} say most about {_q(_name(found))}"
            if len(named) > 1
            else f"{_q(named[0].column)} says most about {_q(_name(found))}",
            f"Strengths {', '.join(f'{one.found.strength:.2f}' for one in named)} of 1; {len(real):,} of "
            f"{len(found.associations):,} columns are related to it beyond chance. {named[0].sentence}",
        )


def _balance(found: Exploration) -> Iterator[Line]:
    target = found.target
    if target is None or target.task is not Task.BINARY or target.values is None:
        return
    share = float(target.values.mean())
    rare = min(share, 1 - share)
    if rare < RARE:
        yield (
            "unsure",
            "target",
            f"One class is rare: {rare:.2%} of the rows",
            f"That is {round(rare * len(target.codes)):,} of the {len(target.codes):,} rows looked at. Accuracy says "
            "nothing here; judge by ROC AUC, average precision or costs, and mind the width of intervals.",
        )


def _moving(found: Exploration) -> Iterator[Line]:
    where = f"over {found.clock.name}"
    if found.target is not None and found.courses:
        own = found.courses[0]
        if own.moves and own.strength >= 0.1:
            told = (
                f"Its level changes lastingly with {own.change} ({_n(own.before)} before, {_n(own.after)} after). "
                if (own.change)
                else ""
            )
            yield (
                "unsure",
                "time",
                f"The target moves {where}",
                f"Strength {own.strength:.2f} of 1. {told}A random split would promise too much: test on the "
                "newest rows.",
            )
    rest = found.courses[1:] if found.target is not None else found.courses
    moving = [one for one in rest if one.moves and one.strength >= STRONG]
    if moving:
        names = _and([one.column for one in moving[:3]])
        more = f" and {len(moving) - 3} more" if len(moving) > 3 else ""
        yield (
            "unsure",
            "time",
            f"{names}{more} move {where}" if len(moving) > 1 else f"{names} moves {where}",
            f"Strengths up to {moving[0].strength:.2f} of 1. A model that learns their level will meet levels it never "
            "saw.",
        )


def _different(found: Exploration) -> Iterator[Line]:
    for one in found.comparisons:
        real = [column for column in one.columns if column.real]
        if real and (real[0].moved >= 0.2 or len(real) > len(one.columns) / 2):
            first = real[0]
            yield (
                "unsure",
                "differences",
                f"{one.name[0].upper()}{one.name[1:]} differ in {len(real)} of {len(one.columns)} columns",
                f"Most in {_q(first.column)}: {first.moved:.0%} of the rows would have to change to make both sides "
                f"alike ({first.change}). For a model: {first.meaning}.",
            )


def _absent(found: Exploration) -> Iterator[Line]:
    telling = [one for one in found.missingness.telling if one.real and one.found.strength >= 0.1]
    if telling:
        first = telling[0]
        means = (
            f" ({_level(found)} {_told(found, first.mean_missing)} where it is missing, "
            f"{_told(found, first.mean_known)} elsewhere)"
            if first.mean_missing is not None
            else ""
        )
        yield (
            "unsure",
            "missing",
            f"That {_q(first.column)} is missing says something about the target",
            f"Strength {first.found.strength:.2f} of 1{means}. Do not fill such cells silently, and make sure they "
            "go missing in service for the same reason.",
        )
    empty = [column.name for column in found.profile.columns if column.missing > MOSTLY * column.rows]
    if empty:
        yield (
            "info",
            "missing",
            f"{len(empty):,} {'column is' if len(empty) == 1 else 'columns are'} more than half empty",
            f"{_and(empty[:5])}{' and others' if len(empty) > 5 else ''}.",
        )


def _repeats(found: Exploration) -> Iterator[Line]:
    groups = found.pairs.groups
    if groups:
        largest = groups[0]
        yield (
            "info",
            "pairs",
            f"{sum(map(len, groups)):,} columns repeat each other in {_count(len(groups), 'group')}",
            f"The largest: {_and(list(largest[:5]))}{f' and {len(largest) - 5} more' if len(largest) > 5 else ''}. One "
            "of each group would do; explanations divide their weight among all.",
        )


def _joint(found: Exploration) -> Iterator[Line]:
    real = [one for one in found.interactions if one.real and one.explained >= 0.01]
    if real:
        first = real[0]
        yield (
            "info",
            "interactions",
            f"{_and(list(first.columns))} act together",
            f"Their interaction explains {first.explained:.1%} of the target's variance beyond their separate effects "
            f"({first.separate:.1%}). A model without interactions (a linear one, a scorecard) would miss it.",
        )


def _useless(found: Exploration) -> Iterator[Line]:
    constant = [
        column.name for column in found.profile.columns if column.is_constant and column.name not in (FILE, PART)
    ]
    if constant:
        yield (
            "info",
            "columns",
            f"{len(constant):,} {'column never varies' if len(constant) == 1 else 'columns never vary'}",
            f"{_and(constant[:5])}{' and others' if len(constant) > 5 else ''}: no model can learn from them.",
        )
    if found.unread:
        worst = max(found.unread.items(), key=lambda item: item[1])
        yield (
            "info",
            "columns",
            f"{sum(found.unread.values()):,} cells could not be read",
            f"In {len(found.unread):,} columns, most in {_q(worst[0])} ({worst[1]:,}). They count as missing here.",
        )


def _name(found: Exploration) -> str:
    return found.target.name if found.target else ""


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _q(name: str) -> str:
    return f'"{name if len(name) <= 40 else name[:39] + "…"}"'


def _and(names: list[str]) -> str:
    quoted = [_q(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _level(found: Exploration) -> str:
    named = found.target.positive if found.target else None
    return f"share of {_q(named)}" if named else "mean of the target"


def _told(found: Exploration, value: float | None) -> str:
    binary = found.target is not None and found.target.task is Task.BINARY
    return f"{value:.1%}" if binary and value is not None else _n(value)


def _n(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
