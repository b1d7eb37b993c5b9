"""Write a problem as ``artificer.toml``, every line explained."""

from __future__ import annotations

import contextlib
import json
import os
import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from artificer.errors import ArtificerError, UsageError
from artificer.problem.load import PROJECT_FILE
from artificer.problem.model import Problem, declared, plain, section_keys

_WIDTH = 110
_HEADER = (
    "What this project wants, and where its things are kept. A line that is commented out shows what could stand there."
)


def render_problem(problem: Problem, reasons: Mapping[str, str] | None = None) -> str:
    """Write a problem as TOML; reading the text back gives the same problem.

    Parameters
    ----------
    reasons : why a value is as it is, by dotted key ("data.target") or section ("data"); it follows the explanation.

    Raises
    ------
    KeyError
        A reason is given for a key that does not exist.

    Examples
    --------
    >>> from artificer.problem.load import parse_problem
    >>> text = render_problem(parse_problem('[data]\\ntarget = "y"'), {"data.target": "Named by --target."})
    >>> print("\\n".join(text.splitlines()[14:17]))
    # The column to predict.
    # Named by --target.
    target = "y"
    """
    reasons = dict(reasons or {})
    blocks = [_comment(_HEADER), _lines("", problem, reasons)]
    for name, section in problem.sections():
        note = _comment(section.__doc__ or "", reasons.pop(name, None))
        blocks.append(f"{note}\n[{name}]\n{_lines(name, section, reasons)}")
    if reasons:
        raise KeyError(f"there is no key {sorted(reasons)[0]!r} to give a reason for")
    return "\n\n".join(blocks) + "\n"


def write_problem(
    project_dir: Path | str,
    problem: Problem,
    reasons: Mapping[str, str] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a project's ``artificer.toml``, making its folder where needed; the file appears whole or not at all.

    Raises
    ------
    UsageError
        The file is there already and may not be overwritten.
    ArtificerError
        The folder cannot be written.
    """
    path = Path(project_dir) / PROJECT_FILE
    text = render_problem(problem, reasons)
    draft = path.with_name(f".{PROJECT_FILE}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            draft.replace(path)
        else:
            # Linking fails where the name is taken, so two processes cannot both think that they made it.
            os.link(draft, path)
    except FileExistsError:
        if not path.exists():
            raise UsageError(f"{path.parent} is not a folder; choose another place for the project") from None
        raise UsageError(f"{path} is there already; edit it, or remove it to start anew") from None
    except OSError as error:
        raise ArtificerError(
            f"{path} cannot be written ({error.strerror or error}); make room or choose a place"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return path


def _lines(table: str, values: object, reasons: dict[str, str]) -> str:
    """The keys of one table, each under its comment."""
    found = []
    for name, info in section_keys()[table].items():
        value = plain(getattr(values, name))
        note = _comment(info.description or "", reasons.pop(f"{table}.{name}".removeprefix("."), None))
        example = declared(info, "example")
        line = f"# {name} = {_toml(example)}" if value is None else f"{name} = {_toml(value)}"
        found.append(f"{note}\n{line}")
    return "\n".join(found)


def _comment(*texts: str | None) -> str:
    lines: list[str] = []
    for text in filter(None, texts):
        # What comes from data (a column's name in a reason) must not be able to end the comment.
        clean = "".join(character if character.isprintable() else " " for character in text)
        lines += textwrap.wrap(clean, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return _list([_toml(item) for item in value])
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_string(key)} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def _string(value: str) -> str:
    # JSON leaves DEL alone, which TOML forbids; its other escapes are TOML's.
    return re.sub("\x7f", r"\\u007F", json.dumps(value, ensure_ascii=False))


def _list(items: Iterable[str]) -> str:
    items = list(items)
    line = f"[{', '.join(items)}]"
    if len(line) <= _WIDTH:
        return line
    return "[\n" + "".join(f"  {item},\n" for item in items) + "]"
