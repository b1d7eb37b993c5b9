"""Turn what the validator found into one sentence that names the line, the key and the nearest valid name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from artificer.errors import nearest
from artificer.problem.joins import Join
from artificer.problem.lines import KeyPath
from artificer.problem.model import declared, section_keys
from artificer.problem.places import mask

_UNKNOWN = "extra_forbidden"


def complaint(error: ValidationError, lines: Mapping[KeyPath, int], where: str) -> str:
    """Say what is wrong with a configuration.

    Parameters
    ----------
    lines : the line of each key, where it stands in a file.
    where : the file, or what else was given, as the sentence begins.
    """
    found = error.errors(include_url=False)
    # A misspelt key is also a missing one; the misspelling is the one to name.
    found.sort(key=lambda item: (item["type"] != _UNKNOWN, _line(item, lines) or 0))
    first = found[0]
    line = _line(first, lines)
    place = f"{where}, line {line}" if line else where
    more = f" ({len(found) - 1} more to correct after it)" if len(found) > 1 else ""
    return f"{place}: {_sentence(dict(first))}{more}"


def _path(item: Mapping[str, Any]) -> KeyPath:
    key = item.get("ctx", {}).get("key") if item["type"] == "conflict" else None
    return tuple(key.split(".")) if key else tuple(item["loc"])


def _line(item: Mapping[str, Any], lines: Mapping[KeyPath, int]) -> int | None:
    path = _path(item)
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _sentence(item: Mapping[str, Any]) -> str:
    path, kind = _path(item), item["type"]
    if kind == "conflict":
        return str(item["ctx"]["message"])
    if kind == _UNKNOWN:
        return _unknown(path, item["input"])
    if kind == "missing":
        return _missing(path)
    if len(path) == 1 and path[0] in section_keys():
        return f"{path[0]} must be a section that starts with the line [{path[0]}]"
    expected = str(item["ctx"]["error"]) if kind == "value_error" else _expects(path)
    return f"{dotted(path)} = {_shown(item['input'])} must be {expected}"


def _unknown(path: KeyPath, value: Any) -> str:
    if _in_join(path):
        known = list(Join.model_fields)
        return f'"{path[-1]}" is not a key of [[data.join]]' + (
            nearest(str(path[-1]), known) or "; its keys are " + ", ".join(known)
        )
    tables = section_keys()
    *parents, name = (str(part) for part in path)
    section = parents[0] if parents else ""
    if not section and isinstance(value, dict):
        names = [table for table in tables if table]
        return f"there is no section [{name}]" + (nearest(name, names) or "; the sections are " + ", ".join(names))
    inside = f"[{section}]" if section else "the top of the file"
    known = [*tables.get(section, {}), *([] if section else [table for table in tables if table])]
    owner = next((table for table, keys in tables.items() if name in keys), None)
    if owner is not None:
        home = f"[{owner}]" if owner else "the top of the file, above every section"
        return f'"{name}" does not belong to {inside}; move it to {home}'
    hint = nearest(name, known)
    if not hint:
        elsewhere = {key: table for table, keys in tables.items() for key in keys}
        hint = nearest(name, elsewhere)
        if hint:
            meant = hint.split('"')[1]
            hint = hint.removesuffix("?") + (f" of [{elsewhere[meant]}]?" if elsewhere[meant] else "?")
    return f'"{name}" is not a key of {inside}' + (hint or "; its keys are " + ", ".join(known))


def _missing(path: KeyPath) -> str:
    tables = section_keys()
    name = str(path[-1])
    if len(path) == 1 and name in tables:
        needed = next(key for key, info in tables[name].items() if info.is_required())
        return f'the section [{name}] is missing; add it with {needed} = "..."'
    section = "[[data.join]]" if _in_join(path) else f"[{path[0]}]"
    return f'{section} lacks {name}; add {name} = "...", {_expects(path)}'


def _in_join(path: KeyPath) -> bool:
    """Whether a path leads to a key of a [[data.join]]."""
    return path[:2] == ("data", "join") and len(path) > 3


def _expects(path: KeyPath) -> str:
    if path and isinstance(path[-1], int) and path[:2] != ("data", "join"):
        return "a text in quotes"
    return str(_declared(path, "expects"))


def _declared(path: KeyPath, what: str) -> Any:
    if _in_join(path):
        return declared(Join.model_fields[str(path[3])], what)
    section, name = (str(path[0]), str(path[1])) if len(path) > 1 else ("", str(path[0]))
    return declared(section_keys()[section][name], what)


def dotted(path: KeyPath) -> str:
    """The key as a person writes it.

    Examples
    --------
    >>> dotted(("data", "drop", 1))
    'data.drop[1]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        shown = json.dumps(mask(value), ensure_ascii=False)
        return shown if len(shown) <= 80 else shown[:76] + '..."'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "(a table)"
    if isinstance(value, list | tuple):
        return "(a list)"
    if isinstance(value, int) and abs(value) >= 2**64:  # printing a very long one is refused
        return "(a huge number)"
    return str(value)
