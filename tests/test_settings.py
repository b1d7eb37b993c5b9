"""Flags beat the environment, the environment beats the file, the file beats the default."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from artificer.errors import ConfigurationError
from artificer.settings import SETTINGS, Settings, available_cpus, load_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def settle(home: Path, text: str = "", flags: dict | None = None, **environment: str) -> Settings:
    (home / "settings.toml").write_text(text, encoding="utf-8")
    return load_settings(flags, {"ARTIFICER_HOME": str(home), **environment})


def test_each_source_beats_the_one_below(home: Path) -> None:
    assert settle(home).threads == available_cpus()
    assert settle(home, "threads = 3").threads == 3
    assert settle(home, "threads = 3", ARTIFICER_THREADS="4").threads == 4
    assert settle(home, "threads = 3", {"threads": 5}, ARTIFICER_THREADS="4").threads == 5
    assert settle(home, "threads = 3", {"threads": None}, ARTIFICER_THREADS="").threads == 3


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = load_settings({}, {})
    assert found.home == tmp_path / "artificer"
    assert found.log == "info"
    assert found.temp.is_dir()
    assert 1 <= found.threads <= 1024


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", "0"),
        ("threads", "x"),
        ("threads", "1.5"),
        ("threads", "9999"),
        ("log", "loud"),
        ("temp", "/nowhere/x"),
    ],
)
def test_a_wrong_value_is_named_with_its_origin(home: Path, name: str, value: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"^the environment variable ARTIFICER_{name.upper()} must be .*{value}"
    ):
        settle(home, **{f"ARTIFICER_{name.upper()}": value})
    with pytest.raises(ConfigurationError, match=f"^--{name} must be .*, not '{value}'"):
        settle(home, flags={name: value})
    with pytest.raises(ConfigurationError, match=rf"settings.toml: {name} must be .*{value}"):
        settle(home, f'{name} = "{value}"')


def test_numbers_of_the_wrong_kind(home: Path) -> None:
    for value in ("true", "2.0", "[2]"):
        with pytest.raises(ConfigurationError, match="threads must be a whole number from 1 to 1024"):
            settle(home, f"threads = {value}")


def test_a_file_that_does_not_hold(home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'"treads" is not a setting of this file; did you mean "threads"?'):
        settle(home, "treads = 3")
    with pytest.raises(ConfigurationError, match='"home" is not a setting of this file'):
        settle(home, 'home = "x"')
    with pytest.raises(ConfigurationError, match=r"is not TOML .*line 2"):
        settle(home, "threads = 1\nthreads = 2\nlog = 1")
    (home / "settings.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_settings({}, {"ARTIFICER_HOME": str(home)})
    (home / "settings.toml").unlink()
    (home / "settings.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings({}, {"ARTIFICER_HOME": str(home)})


def test_a_home_that_is_not_there_has_no_file(tmp_path: Path) -> None:
    assert load_settings({}, {"ARTIFICER_HOME": str(tmp_path / "x"), "ARTIFICER_LOG": "Debug"}).log == "debug"


def test_declarations_and_record_agree() -> None:
    assert [setting.name for setting in SETTINGS] == [field.name for field in fields(Settings)]
    for setting in SETTINGS:
        assert setting.variable == f"ARTIFICER_{setting.name.upper()}"
        assert setting.summary.endswith(".")
        assert "\n" not in setting.summary


def test_a_containers_quota_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    for text, cores in (("max 100000", 64), ("200000 100000", 2), ("10000 100000", 1), ("junk", 64)):
        monkeypatch.setattr(Path, "read_text", lambda self, text=text, **_: text)
        assert available_cpus() == cores


def test_settings_import_nothing_heavy() -> None:
    code = "import sys, artificer.settings; print(sorted({'numpy', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_process_follows_its_settings(tmp_path: Path) -> None:
    code = (
        "import logging, sys, tempfile\n"
        "from artificer.settings import apply_settings, load_settings\n"
        "apply_settings(load_settings())\n"
        "logging.getLogger('artificer.x').info('said'); logging.getLogger('artificer.x').debug('unsaid')\n"
        "print(tempfile.mkdtemp())"
    )
    environment = {**os.environ, "ARTIFICER_LOG": "info", "ARTIFICER_TEMP": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == tmp_path
    assert "said" in done.stderr
    assert "unsaid" not in done.stderr
