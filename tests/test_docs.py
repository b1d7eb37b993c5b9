"""The manual is tested as code: it names everything there is, nothing there is not, and its examples run."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pydantic_core
import pytest
import typer

from artificer import errors
from artificer.algorithms.base import Algorithm
from artificer.cli.app import app
from artificer.problem.model import plain, section_keys
from artificer.settings import SETTINGS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted(DOCS.glob("*.md"))


def _leaves(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Commands with their whole names: those of a family ("journal seal") each on its own."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, f"{before}{name} ")
        else:
            yield before + name, command


COMMANDS: dict[str, Any] = dict(_leaves(typer.main.get_command(app)))
EVERYWHERE = {"--project", "-p", "--json", "--debug"}
"""Options that the page explains once, for all commands."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def section(page: Path, heading: str) -> str:
    """What stands under a heading of the second level."""
    parts = re.split(r"^## ", text_of(page), flags=re.MULTILINE)
    found = [part for part in parts if part.splitlines()[0].strip() == heading]
    assert len(found) == 1, f"{name_of(page)} has {len(found)} sections called {heading!r}"
    return found[0]


def head(page: Path) -> str:
    return text_of(page).split("\n## ", 1)[0]


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Fenced blocks of a language, each with the line it starts at."""
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text_of(page), flags=re.MULTILINE | re.DOTALL):
        if match[1] == language:
            found.append((text_of(page).count("\n", 0, match.start()) + 2, match[2]))
    return found


def coded(text: str) -> set[str]:
    """Everything in the text that stands between backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


# The command line


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_documented(name: str) -> None:
    page = DOCS / "command-line.md"
    words = coded(section(page, name)) | {o for o in coded(head(page)) if o in EVERYWHERE}
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument":
            shown = parameter.name.upper()
            assert shown in words or f"{shown.lower()}" in words, f"{name}: argument {shown} is not documented"
        else:
            for option in parameter.opts:
                assert option in words, f"{name}: option {option} is not documented"
    assert COMMANDS[name].help, f"{name} has no help"


def test_no_command_is_documented_that_does_not_exist() -> None:
    headings = re.findall(r"^## (.+)$", text_of(DOCS / "command-line.md"), flags=re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS)


def test_exit_codes_are_documented() -> None:
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")}
    page = head(DOCS / "command-line.md")
    assert {f"| {code} |" for code in codes} <= set(re.findall(r"^\| \d+ \|", page, flags=re.MULTILINE))


def console_lines() -> Iterator[Any]:
    for page in PAGES:
        for line, block in blocks(page, "console"):
            for command in re.findall(r"^\$ (.+)$", block, flags=re.MULTILINE):
                yield pytest.param(command, id=f"{name_of(page)}:{line}: {command[:40]}")


@pytest.mark.parametrize("command", list(console_lines()))
def test_console_blocks_name_real_commands(command: str) -> None:
    program, *_ = command.split()
    program = program.rsplit("/", 1)[-1]
    if program == "artificer":
        _, name, *rest = shlex.split(command)
        if name.startswith("--"):
            assert name in {"--help", "--version"}
            return
        if name not in COMMANDS and rest:
            name, rest = f"{name} {rest[0]}", rest[1:]
        assert name in COMMANDS, f"there is no command {name}"
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
        given = {word.split("=")[0] for word in rest if word.startswith("-")}
        assert given <= known, f"{name} has no {sorted(given - known)}"
    elif program == "make":
        targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
        assert set(command.split()[1:]) <= targets
    else:
        assert program in {"curl", "pip", "python", "python3"}, f"the manual does not explain {program}"


def test_documents_have_the_fields_that_the_manual_names(tmp_path: Path, documents: dict[str, Any]) -> None:
    page = DOCS / "command-line.md"
    for command, document in documents.items():
        words = coded(section(page, command))
        assert document["schema"] in words, f"{command}: schema {document['schema']}"
        missing = set(document) - {"schema"} - words
        assert not missing, f"{command}: fields {sorted(missing)} are not documented"
        for listed in ("leaderboard", "requirements", "models", "records", "columns"):
            for row in document.get(listed, [])[:1]:
                assert set(row) <= words, f"{command}.{listed}: {sorted(set(row) - words)} are not documented"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from artificer import api

    folder = tmp_path_factory.mktemp("manual")
    rows = [f"{i % 13},{'red' if i % 3 else 'blue'},{2 * (i % 13) + i % 3}" for i in range(120)]
    (folder / "table.csv").write_text("size,hue,price\n" + "\n".join(rows) + "\n")
    project = folder / "shop"
    first = api.init(str(folder / "table.csv"), "price", project=project)
    return {
        "init": first,
        "train": api.train_project(project, budget="2 fits"),
        "predict": api.predict_file(str(folder / "table.csv"), folder / "scored.csv", project=project),
        "clean": api.clean(str(folder / "table.csv"), folder / "clean.csv"),
        "models": api.models(project),
        "monitor": api.monitor(project),
        "history": api.history(project),
        "export": api.export(project, folder / "shop.onnx"),
        "promote": api.promote(project, 1, reason="a look at the document"),
    }


test_documents_have_the_fields_that_the_manual_names = pytest.mark.slow(
    test_documents_have_the_fields_that_the_manual_names
)


# Keys and settings


@pytest.mark.parametrize("table", sorted(section_keys()))
def test_every_key_of_the_project_file_is_documented_with_its_default(table: str) -> None:
    text = section(DOCS / "artificer-toml.md", f"[{table}]" if table else "Top level")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, flags=re.MULTILINE))
    keys = section_keys()[table]
    assert [key for key in rows if key in keys] == list(keys)
    for key, info in keys.items():
        if info.default is pydantic_core.PydanticUndefined:
            expected = "required"
        else:
            expected = "unset" if info.default is None else f"`{json.dumps(plain(info.default))}`"
        assert rows[key] == expected, f"{table}.{key} has the default {expected}"
        assert str(info.description).replace("|", "\\|") in text, f"{table}.{key} is explained in other words"


def test_the_whole_project_file_of_the_manual_can_be_read() -> None:
    from artificer.problem.load import parse_problem

    [(_, text)] = [found for found in blocks(DOCS / "artificer-toml.md", "toml") if "[data]" in found[1]]
    assert parse_problem(text).data.target == "returned"


def test_every_setting_is_documented() -> None:
    rows = re.findall(
        r"^\| `(ARTIFICER_\w+)` \| (?:`(\w+)`)? ?\| `?(.+?)`? \| (.+) \|$", text_of(DOCS / "settings.md"), re.M
    )
    assert [row[0] for row in rows] == [setting.variable for setting in SETTINGS]
    for (_, key, default, meaning), setting in zip(rows, SETTINGS, strict=True):
        assert key == ("" if setting.name == "home" else setting.name)
        assert default == setting.default
        assert meaning.replace("`", "").startswith(setting.summary.rstrip("."))


# Architecture and service


def floors() -> dict[str, int]:
    """FLOORS of test_architecture.py; tests do not import one another."""
    spec = importlib.util.spec_from_file_location("architecture", Path(__file__).with_name("test_architecture.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.FLOORS)


def test_rooms_and_floors_agree_with_the_import_test() -> None:
    rows = re.findall(r"^\| (\d) \| `(\w+)` \|", text_of(ROOT / "ARCHITECTURE.md"), flags=re.MULTILINE)
    assert {room: int(floor) for floor, room in rows} == floors()
    assert len(rows) == len(floors())


def test_routes_and_problems_of_the_service_are_documented() -> None:
    from artificer.server.app import DIALECTS, DOCUMENTED, EVENTS
    from artificer.server.problems import TITLES

    text = text_of(DOCS / "serving.md")
    source = text_of(ROOT / "src" / "artificer" / "server" / "app.py")
    routes = set(re.findall(r'^            "(/[\w/]*)": \(', source, flags=re.MULTILINE)) | DOCUMENTED
    routes |= {EVENTS, *(dialect.path for dialect in DIALECTS)}
    assert "/v1/predict" in routes
    documented = {match.split()[-1] for match in coded(text) if re.match(r"(GET|POST) /", match)}
    assert routes == documented
    assert set(TITLES) <= coded(text)


def test_metrics_of_the_service_are_documented() -> None:
    source = text_of(ROOT / "src" / "artificer" / "server" / "stats.py")
    names = set(re.findall(r'"(artificer_\w+)"', source))
    assert "artificer_ready" in names
    documented = {word.removesuffix("_total") for word in coded(text_of(DOCS / "serving.md"))}
    assert names <= documented


def test_every_kind_of_member_is_explained() -> None:
    groups: set[str] = set()
    for path in (ROOT / "src" / "artificer").rglob("*.py"):
        groups |= set(re.findall(r'members\([^)]*"(artificer\.\w+)"\)', text_of(path)))
    assert "artificer.algorithms" in groups
    assert groups <= coded(text_of(DOCS / "extend.md"))


# Examples and links


def programs() -> Iterator[Any]:
    for page in PAGES:
        if blocks(page, "python"):
            yield pytest.param(page, id=name_of(page), marks=pytest.mark.slow)


@pytest.mark.parametrize("page", list(programs()))
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page are one program, in the order in which they are read."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__manual__"}
    for line, code in blocks(page, "python"):
        exec(compile("\n" * (line - 1) + code, name_of(page), "exec"), names)  # noqa: S102 -- our own examples


def test_the_algorithm_of_the_manual_is_found_as_an_installed_package(tmp_path: Path) -> None:
    page = DOCS / "write-an-algorithm.md"
    (tmp_path / "artificer_centroid.py").write_text(blocks(page, "python")[0][1], encoding="utf-8")
    installed = tmp_path / "artificer_centroid-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: artificer-centroid\nVersion: 1.0\n")
    ((group, points),) = tomllib.loads(blocks(page, "toml")[0][1])["project"]["entry-points"].items()
    lines = "".join(f"{name} = {place}\n" for name, place in points.items())
    (installed / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    asked = (
        "from artificer.search.candidates import portfolio\nfrom artificer.types import Task\n"
        "print([c.algorithm for c in portfolio(Task.BINARY, 5000)])"
    )
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "centroid" in ast.literal_eval(told.stdout)


def test_attributes_of_an_algorithm_are_documented() -> None:
    words = coded(text_of(DOCS / "write-an-algorithm.md"))
    assert {name for name in get_type_hints(Algorithm) if name not in ("params", "tags")} <= words


def test_json_examples_are_json() -> None:
    found = [block for page in PAGES for _, block in blocks(page, "json")]
    assert found
    for block in found:
        json.loads(block)


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings are linked to."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text_of(page), flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", text_of(page), flags=re.M | re.S))
    for link in links:
        if link.startswith(("https://", "http://")):
            continue
        place, _, anchor = link.partition("#")
        goal = (page.parent / place).resolve() if place else page
        assert goal.exists(), f"{name_of(page)} links to {link}"
        assert not anchor or anchor in anchors(goal), f"{name_of(page)} links to {link}, which has no such heading"


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == DOCS], ids=name_of)
def test_every_page_is_reached_from_the_readme(page: Path) -> None:
    assert f"({name_of(page)})" in text_of(ROOT / "README.md")


@pytest.mark.parametrize("name", ["requirements.lock", "Makefile", "pyproject.toml"])
def test_installing_names_no_address(name: str) -> None:
    assert not re.findall(r"https?://\S+|--(?:extra-)?index-url(?!\w)", _without_flags(text_of(ROOT / name)))


def _without_flags(text: str) -> str:
    """The flags that keep addresses out of the lock name what they keep out."""
    return text.replace("--no-emit-index-url", "")


def test_pictures_are_small() -> None:
    assert all(os.path.getsize(path) <= 300_000 for path in (DOCS / "images").iterdir())
