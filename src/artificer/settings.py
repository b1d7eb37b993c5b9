"""How this process runs, as against what a project wants: flags, then environment, then a file, then defaults.

A setting is declared once, in ``SETTINGS``; the manual, the flags and the errors read it from there.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artificer.errors import ConfigurationError, nearest

LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, each explained in ``SETTINGS``."""

    home: Path
    log: str
    threads: int
    temp: Path


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its key in the file (and the flag ``--key``), its variable, and what a value must be."""

    name: str
    variable: str
    summary: str
    default: str
    expects: str
    read: Callable[[Any], Any]
    value: Callable[[], Any]


def available_cpus() -> int:
    """Cores this process may use: what its affinity and its container's quota leave of the machine's."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, no quota ("max"), or another kind of control group
        return cores


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError
    return Path(value).expanduser().absolute()


def _folder(value: Any) -> Path:
    path = _path(value)
    if not path.is_dir():
        raise ValueError
    return path


def _level(value: Any) -> str:
    level = str(value).lower()
    if level not in LEVELS:
        raise ValueError
    return level


def _count(value: Any) -> int:
    if isinstance(value, bool | float):
        raise ValueError
    count = int(value)
    if not 1 <= count <= 1024:
        raise ValueError
    return count


def _user_home() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return _path(base) / "artificer"


SETTINGS = (
    Setting(
        "home",
        "ARTIFICER_HOME",
        "The user's folder: settings.toml is read from there.",
        "~/.config/artificer",
        "a path",
        _path,
        _user_home,
    ),
    Setting(
        "log",
        "ARTIFICER_LOG",
        "The least level that is logged, on stderr: debug, info, warning or error.",
        "info",
        "one of " + ", ".join(LEVELS),
        _level,
        lambda: "info",
    ),
    Setting(
        "threads",
        "ARTIFICER_THREADS",
        "Threads that training and predicting may use together.",
        "the cores this process may use",
        "a whole number from 1 to 1024",
        _count,
        available_cpus,
    ),
    Setting(
        "temp",
        "ARTIFICER_TEMP",
        "The folder for files that last as long as a run.",
        "the system's temporary folder",
        "a folder that exists",
        _folder,
        lambda: Path(tempfile.gettempdir()),
    ),
)


def load_settings(flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settle every setting: a flag beats the environment, which beats ``settings.toml``, which beats the default.

    Parameters
    ----------
    flags : by setting name; None is a flag that was not given.
    environment : the process's own by default. An empty variable counts as unset.

    Raises
    ------
    ConfigurationError
        A value cannot be used, or the file cannot be read or has an unknown key; the sentence says where it was set.

    Examples
    --------
    >>> load_settings({"threads": 2}, {"ARTIFICER_LOG": "DEBUG", "ARTIFICER_HOME": "/nowhere"}).log
    'debug'
    """
    flags = flags or {}
    environment = os.environ if environment is None else environment
    settled: dict[str, Any] = {}
    written: dict[str, Any] = {}
    for setting in SETTINGS:  # home comes first: the file stands in it
        given = flags.get(setting.name)
        variable = environment.get(setting.variable)
        if given is not None:
            settled[setting.name] = _settle(setting, given, f"--{setting.name}")
        elif variable:
            settled[setting.name] = _settle(setting, variable, f"the environment variable {setting.variable}")
        elif setting.name in written:
            place = f"{settled['home'] / 'settings.toml'}: {setting.name}"
            settled[setting.name] = _settle(setting, written[setting.name], place)
        else:
            settled[setting.name] = setting.value()
        if setting.name == "home":
            written = _file(settled["home"] / "settings.toml")
    return Settings(**settled)


def apply_settings(settings: Settings) -> None:
    """Let a process follow its settings: what is logged, and where temporary files go.

    Only Artificer's own loggers are set up: what libraries log is theirs to say. Processes that it starts inherit the
    folder through the environment.
    """
    import logging

    own = logging.getLogger("artificer")
    own.setLevel(settings.log.upper())
    if not own.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        own.addHandler(handler)
    tempfile.tempdir = str(settings.temp)
    os.environ["TMPDIR"] = str(settings.temp)


def _settle(setting: Setting, value: Any, place: str) -> Any:
    try:
        return setting.read(value)
    except (ValueError, TypeError, RuntimeError):
        raise ConfigurationError(f"{place} must be {setting.expects}, not {str(value)[:80]!r}") from None


def _file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML ({error}); correct that line") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror or error}); correct or remove it") from None
    names = [setting.name for setting in SETTINGS if setting.name != "home"]
    for key in values:
        if key not in names:
            hint = nearest(key, names) or "; it may set " + ", ".join(names)
            raise ConfigurationError(f'{path}: "{key}" is not a setting of this file{hint}')
    return values
