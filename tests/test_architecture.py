"""Imports run one way: down the floors. Moving a room costs one edited row here and in ARCHITECTURE.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "artificer"

FLOORS = {
    "errors": 0,
    "endings": 0,
    "types": 0,
    "settings": 0,
    "clock": 0,
    "plugins": 0,
    "durable": 0,
    "access": 1,
    "graph": 1,
    "problem": 1,
    "tables": 1,
    "metrics": 1,
    "profile": 1,
    "sources": 2,
    "joins": 2,
    "quality": 2,
    "exploration": 2,
    "splits": 2,
    "features": 2,
    "algorithms": 2,
    "drift": 2,
    "journal": 2,
    "bundle": 2,
    "search": 3,
    "evaluation": 3,
    "training": 4,
    "registry": 4,
    "monitoring": 4,
    "serving": 5,
    "policies": 5,
    "loop": 6,
    "reports": 7,
    "api": 7,
    "estimators": 7,
    "cli": 7,
    "server": 7,
    "streams": 7,
    "demo": 7,
}
FACES = {room for room, floor in FLOORS.items() if floor == 7}
FACES_OPEN_TO_FACES = {"reports", "api", "demo"}
"""Faces that other faces may call: what writes a report, what Python programs call, and the demo's course."""
NEIGHBOURS = {("problem", "metrics"), ("settings", "errors")}
"""Rooms of one floor of which the first may import the second: a problem checks metric names, settings refuse."""
SERVING_MAY = {"bundle", "journal"}
"""Beside the two lowest floors; training code and MLflow must never reach the serving process."""


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Rooms that a file imports, anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} uses a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "artificer" and len(parts) > 1 and not parts[1].startswith("_"):
                yield parts[1], node.lineno


STREAMS_MAY = SERVING_MAY | {"serving"}


def allowed(room: str, imported: str) -> bool:
    if room == imported or (room, imported) in NEIGHBOURS:
        return True
    low = FLOORS[imported] <= 1 and FLOORS[imported] < FLOORS[room]
    if room == "serving":
        return low or imported in SERVING_MAY
    if room == "streams":
        return low or imported in STREAMS_MAY
    if room == "policies":
        return low
    if room in FACES and imported in FACES:
        return imported in FACES_OPEN_TO_FACES
    return FLOORS[imported] < FLOORS[room]


FILES = sorted(p for p in ROOT.rglob("*.py") if room_of(p) not in {"testing", "__init__", "__main__"})


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_the_floors(path: Path) -> None:
    room = room_of(path)
    wrong = [f"line {line}: {room} imports {name}" for name, line in imports(path) if not allowed(room, name)]
    assert not wrong, f"{path}: {wrong}; see the floors in ARCHITECTURE.md"


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(p) for p in FILES}
    assert rooms <= set(FLOORS), f"rooms without a floor: {sorted(rooms - set(FLOORS))}"


def test_the_rule_itself_refuses() -> None:
    assert not allowed("metrics", "search")
    assert not allowed("serving", "registry")
    assert not allowed("features", "algorithms")
    assert not allowed("cli", "server")
    assert not allowed("streams", "registry")
    assert allowed("cli", "reports")
    assert allowed("loop", "policies")
