"""From ``artificer.toml``, or from values given in a call, to a `Problem`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from artificer.errors import ConfigurationError, MissingError, nearest
from artificer.problem.complaints import complaint
from artificer.problem.lines import KeyPath, key_lines
from artificer.problem.model import Problem, section_keys

PROJECT_FILE = "artificer.toml"
_LARGEST = 1_000_000
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def load_problem(project_dir: Path | str) -> Problem:
    """Read a project's ``artificer.toml``.

    Raises
    ------
    MissingError
        The folder or the file is not there.
    ConfigurationError
        The file cannot be read, is not TOML, or says something that does not hold; the sentence names the line.
    """
    path = Path(project_dir) / PROJECT_FILE
    return parse_problem(_read(path), where=str(path))


def parse_problem(text: str, where: str = PROJECT_FILE) -> Problem:
    """Read the text of an ``artificer.toml``.

    Examples
    --------
    >>> parse_problem('[data]\\ntarget = "returned"').data.target
    'returned'
    >>> parse_problem('[data]\\ntaget = "returned"')
    Traceback (most recent call last):
    ...
    artificer.errors.ConfigurationError: artificer.toml, line 2: "taget" is not a key of [data]; did you mean \
"target"? (1 more to correct after it)
    """
    try:
        values = tomllib.loads(text)
        lines = key_lines(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(_syntax(str(error), text, where)) from None
    except ValueError:  # Python refuses to read whole numbers of more than 4300 digits
        raise ConfigurationError(f"{where}: it holds a number of thousands of digits; correct it") from None
    except RecursionError:
        raise ConfigurationError(f"{where}: its values are nested too deeply; write it as sections of keys") from None
    return _validated(values, lines, where)


def build_problem(values: Mapping[str, Any], where: str = "the problem") -> Problem:
    """Make a problem from plain values, shaped as the file is.

    Raises
    ------
    ConfigurationError
        A value does not hold; the sentence names the key.

    Examples
    --------
    >>> build_problem({"data": {"target": "y"}, "training": {"budget": "40 fits"}}).training.budget.fits
    40
    """
    return _validated(values, {}, where)


def override(problem: Problem, changes: Mapping[str, Any], where: str = "the command line") -> Problem:
    """The problem with some keys set anew, as flags do; a change to None is none.

    Examples
    --------
    >>> problem = parse_problem('[data]\\ntarget = "y"')
    >>> override(problem, {"training.budget": "5m", "training.seed": None}).training.budget
    Budget(seconds=300.0, fits=None)
    """
    values: dict[str, Any] = {"name": problem.name, "requirements": list(problem.requirements)}
    for name, section in problem.sections():
        values[name] = {key: getattr(section, key) for key in type(section).model_fields}
    for key, value in changes.items():
        section_name, _, name = key.rpartition(".")
        if name not in section_keys().get(section_name, {}):
            known = [f"{table}.{each}".removeprefix(".") for table, keys in section_keys().items() for each in keys]
            raise ConfigurationError(f'{where}: there is no key "{key}"{nearest(key, known)}')
        if value is not None:
            (values[section_name] if section_name else values)[name] = value
    return _validated(values, {}, where)


def _validated(values: Mapping[str, Any], lines: Mapping[KeyPath, int], where: str) -> Problem:
    try:
        return Problem.model_validate(values)
    except ValidationError as error:
        # `from None`: the validator's own text may quote a URL with its password.
        raise ConfigurationError(complaint(error, lines, where)) from None


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigurationError(f"{path} is larger than 1 MB, which no project file is; restore the right one")
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _absent(path) from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path} is a folder where a file should be; move it away") from None
    except PermissionError:
        raise ConfigurationError(f"{path} may not be read by this user; change its permissions") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror or error})") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}, line {line}: byte 0x{raw[error.start]:02X} is not UTF-8; save the file as UTF-8"
        ) from None


def _absent(path: Path) -> MissingError:
    folder = path.parent
    if folder.is_file():
        return MissingError(f"{folder} is a file, and a project is a folder; give the folder that holds {path.name}")
    if not folder.exists():
        return MissingError(f"there is no folder {folder}; create a project in it with `artificer init`")
    return MissingError(f"there is no {path.name} in {folder}; create one with `artificer init`")


def _syntax(message: str, text: str, where: str) -> str:
    place = _PLACE.search(message)
    line = int(place[1]) if place and place[1] else text.count("\n") + 1 - text.endswith("\n")
    said = _PLACE.sub("", message)
    said += "; text stands in quotes" if said == "Invalid value" else ""
    return f"{where}, line {max(line, 1)}: this is not TOML ({said[:1].lower()}{said[1:]}); correct the line"
