"""Projects of one name on one tracking server: the first has the name, the other is told so and changes nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import read_pointer
from artificer.errors import RegistryError
from artificer.registry.owner import OWNER, PLACE
from artificer.registry.registry import Registry
from artificer.registry.template import make_database
from artificer.testing.bundles import a_bundle

MINE, OTHERS = "a" * 32, "b" * 32


def add(registry: Registry, folder: Path, name: str) -> int:
    path = folder / f"{name}.artificer"
    a_bundle(path, name)
    return registry.register(path, {"roc_auc": 0.9}, {"recipe": "r1"}, {})


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Registry]:
    """Opens a registry on one database for all."""
    monkeypatch.chdir(tmp_path)
    make_database(tmp_path / "shared.db")

    def opened(folder: str, owner: str | None, name: str = "shop") -> Registry:
        return Registry(tmp_path / folder, f"sqlite:///{tmp_path}/shared.db", name, owner=owner)

    return opened


DEEDS: dict[str, Callable[[Registry, Path], object]] = {
    "register": lambda registry, folder: add(registry, folder, "c"),
    "promote": lambda registry, _: registry.promote(2, "better"),
    "rollback": lambda registry, _: registry.rollback("worse"),
    "reconcile": lambda registry, _: registry.reconcile(),
    "challenger": lambda registry, _: registry.set_challenger(2),
    "versions": lambda registry, _: registry.versions(),
    "champion": lambda registry, _: registry.champion(),
    "bundle": lambda registry, _: registry.bundle_path(1),
    "run": lambda registry, _: registry.version_of_run("x"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_another_projects_model_is_left_alone(shared: Callable[..., Registry], tmp_path: Path, deed: str) -> None:
    mine = shared("mine", MINE)
    assert [add(mine, tmp_path, name) for name in "ab"] == [1, 2]
    mine.promote(1, "first")
    with pytest.raises(RegistryError, match=rf'model "shop" belongs to another .*{tmp_path}/mine on .*name = "shop-2"'):
        DEEDS[deed](shared("others", OTHERS), tmp_path)
    assert not (tmp_path / "others" / "champion.json").exists()
    again = shared("mine", MINE)
    assert [(v.version, v.aliases) for v in again.versions()] == [(2, ()), (1, ("champion",))]
    assert len(again.promotions()) == 1


def test_another_name_is_the_way_out(shared: Callable[..., Registry], tmp_path: Path) -> None:
    mine, others = shared("mine", MINE), shared("others", OTHERS, "shop-2")
    assert [add(mine, tmp_path, "a"), add(others, tmp_path, "b")] == [1, 1]
    mine.promote(1, "a")
    others.promote(1, "b")
    for registry, name in ((mine, "a"), (others, "b")):
        pointer = registry.reconcile()
        assert pointer is not None
        assert load_bundle(pointer.bundle_path(registry.pointer_path)).name == name


def test_a_model_that_is_made_a_moment_before_is_refused(
    shared: Callable[..., Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = shared("others", OTHERS)
    create = type(others._connection.client).create_registered_model

    def overtaken(client: object, name: str, **more: object) -> object:
        create(client, name, tags={OWNER: MINE})
        return create(client, name, **more)

    monkeypatch.setattr(type(others._connection.client), "create_registered_model", overtaken)
    with pytest.raises(RegistryError, match="already exists"):
        add(others, tmp_path, "a")
    assert shared("mine", MINE).versions() == []


def test_a_model_of_nobody_is_taken_by_the_first_that_changes_it(
    shared: Callable[..., Registry], tmp_path: Path
) -> None:
    add(shared("old", None), tmp_path, "a")
    mine, others = shared("mine", MINE), shared("others", OTHERS)
    assert len(others.versions()) == 1
    mine.promote(1, "mine now")
    with pytest.raises(RegistryError, match="belongs to another project"):
        shared("others", OTHERS).reconcile()
    mine._connection.client.delete_registered_model_tag("shop", OWNER)
    assert shared("others", OTHERS).promote(1, "taken over as the sentence says").version == 1
    with pytest.raises(RegistryError, match="belongs to another project"):
        shared("mine", MINE).versions()


def test_a_project_that_moved_keeps_its_model_in_a_shared_registry(
    shared: Callable[..., Registry], tmp_path: Path
) -> None:
    mine = shared("mine", MINE)
    add(mine, tmp_path, "a")
    mine.promote(1, "first")
    (tmp_path / "mine").rename(tmp_path / "moved")
    moved = shared("moved", MINE)
    assert moved.reconcile() == read_pointer(tmp_path / "moved" / "champion.json")
    tags = moved._connection.client.get_registered_model("shop").tags
    assert tags[PLACE].startswith(f"{tmp_path}/moved on ")


def test_a_copy_under_a_new_name_says_what_it_needs(shared: Callable[..., Registry], tmp_path: Path) -> None:
    mine = shared("mine", MINE)
    add(mine, tmp_path, "a")
    mine.promote(1, "first")
    shutil.copytree(tmp_path / "mine", tmp_path / "copy")
    with pytest.raises(RegistryError, match=r'version 1 of the model "shop", .* called "store" now; set name = "shop"'):
        add(shared("copy", MINE, "store"), tmp_path, "b")
    shutil.rmtree(tmp_path / "copy")
    assert add(shared("copy", MINE, "store"), tmp_path, "b") == 1
    assert [v.aliases for v in shared("mine", MINE).versions()] == [("champion",)]


def test_with_its_own_database_a_copy_and_a_renamed_project_go_on(tmp_path: Path) -> None:
    first = Registry(tmp_path / "shop", None, "shop", owner=MINE)
    assert [add(first, tmp_path, name) for name in "ab"] == [1, 2]
    first.promote(2, "better")
    shutil.copytree(tmp_path / "shop", tmp_path / "copy")
    (tmp_path / "shop").rename(tmp_path / "store")
    for folder, name in (("store", "store"), ("copy", "copy of shop")):
        registry = Registry(tmp_path / folder, None, name, owner=MINE)
        assert [v.version for v in registry.versions()] == [2, 1]
        pointer = registry.reconcile()
        assert pointer is not None
        assert (pointer.name, pointer.version) == (registry.name, 2)
        assert add(registry, tmp_path, f"c-{folder}") == 3
        registry.promote(3, "newer")
        assert registry.rollback("worse") == 2


def test_a_lost_identity_does_not_shut_a_project_out_of_its_own_database(tmp_path: Path) -> None:
    add(Registry(tmp_path / "shop", None, "shop", owner=MINE), tmp_path, "a")
    again = Registry(tmp_path / "shop", None, "shop", owner=OTHERS)
    assert again.promote(1, "first").version == 1
    assert again._connection.client.get_registered_model("shop").tags[OWNER] == OTHERS
