"""How the command line starts, helps, and speaks of its own misuse."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from artificer.cli import output
from artificer.cli.progress import progress

COMMANDS = (
    *("init", "train", "predict", "serve", "monitor", "models", "promote", "rollback", "history", "export", "run"),
    *("demo", "explore"),
)
HEAVY = ("numpy", "polars", "duckdb", "sklearn", "mlflow", "dbos", "onnx", "onnxruntime", "msgspec")
LOADED = """
import sys
from artificer.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
print("LOADED", *sys.modules)
"""


@pytest.mark.parametrize("arguments", [("--help",), ("train", "--help"), ("run", "--help"), ("--version",)])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split("LOADED", 1)[1].split())
    assert "artificer.cli.app" in loaded
    assert loaded.isdisjoint(HEAVY)
    if arguments[0].startswith("--"):  # of a single command, Typer itself checks the arguments with Pydantic
        assert "pydantic" not in loaded


def test_help_names_every_command(artificer: Any) -> None:
    answer = artificer("--help")
    assert answer.code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in answer.out] == []
    assert artificer().out == answer.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_for_every_option(command: str, artificer: Any) -> None:
    answer = artificer(command, "--help")
    assert answer.code == 0
    assert answer.err == ""
    for option in ("--json", "--debug", "--help"):
        assert option in answer.out
    options = answer.out.split("Options:", 1)[1].splitlines()
    bare = [line for line in options if line.startswith("  -") and len(line.split()) < 3]
    # An option's text may stand on the line below it, but not be missing.
    following = [options[options.index(line) + 1] for line in bare]
    assert all(line.startswith("        ") for line in following), bare


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("trian",), "train"),
        (("train", "--projcet", "x"), "--project"),
        (("promote",), "version"),
        (("promote", "three"), "version"),
        (("init", "table.csv"), "--target"),
        (("predict", "table.csv"), "--output"),
        (("history", "--limit", "-1"), "--limit"),
        (("run", "--port", "x"), "--port"),
    ],
)
def test_misuse_is_one_sentence(arguments: tuple[str, ...], says: str, artificer: Any) -> None:
    assert says in artificer(*arguments, "--json").failed(2)
    plain = artificer(*arguments)
    assert says in plain.sentence
    assert plain.out == ""


def test_a_folder_without_a_project_is_a_usage_error(artificer: Any, tmp_path: Any) -> None:
    for command in ("train", "models", "monitor", "rollback", "history", "run", "serve"):
        sentence = artificer(command, "--project", tmp_path, "--json").failed(2)
        assert str(tmp_path) in sentence
        assert "artificer init" in sentence


def test_debug_shows_the_trace(artificer: Any, tmp_path: Any) -> None:
    answer = artificer("train", "--project", tmp_path, "--debug")
    assert answer.code == 2
    assert "Traceback (most recent call last)" in answer.err
    assert answer.err.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ZeroDivisionError("division\nby zero"), 1, "ZeroDivisionError: division by zero"),
        (OSError(28, "No space left on device", "/x/y"), 1, "/x/y"),
        (MemoryError(), 1, "memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_whatever_goes_wrong_is_one_sentence(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        output.guarded(work, as_json=True, debug=False)
    out, err = capsys.readouterr()
    assert end.value.code == code
    assert says in err
    assert err.count("\n") == 1
    assert json.loads(out)["error"]["exit_code"] == code


def test_a_document_is_strict_json(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    odd = {"nan": float("nan"), "inf": [np.inf], "half": np.float32(0.5), "codes": np.arange(2), "text": "é", 3: True}
    output.emit(odd, True, lambda document: None)
    out = capsys.readouterr().out
    assert json.loads(out) == {"nan": None, "inf": [None], "half": 0.5, "codes": [0, 1], "text": "é", "3": True}
    assert "é" in out


def test_a_reader_that_goes_away_is_no_error(artificer: Any) -> None:
    command = f"{sys.executable} -m artificer train --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_progress_is_plain_lines_on_stderr_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("train") as watch:
        watch("reading the data", None, None)
        watch("first fold", 1.2, 60.0)
        watch("first fold", 1.4, 60.0)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "train: reading the data\ntrain [1/60 s]: first fold\n"
