import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artificer.bundle.format import load_bundle
from artificer.bundle.pointer import read_pointer
from artificer.clock import ManualClock
from artificer.errors import BundleDamagedError, BusyError, ConfigurationError, MissingError, RegistryError
from artificer.problem.lock import FileLock
from artificer.registry import registry as module
from artificer.registry import waiting
from artificer.registry.connection import Connection
from artificer.registry.registry import Registry
from artificer.testing.bundles import a_bundle


class Interrupted(BaseException):
    """Stands for a process that dies: nothing in the code may catch it."""


def add(registry: Registry, folder: Path, name: str, **more: object) -> int:
    path = folder / f"{name}.artificer"
    a_bundle(path, name)
    lineage = {"data": {"fingerprint": f"data-{name}"}, "recipe": "r1", "parent_version": None}
    return registry.register(path, {"roc_auc": 0.9, "empty": float("nan")}, lineage, {"seed": 0}, **more)  # type: ignore[arg-type]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home", None, "my shop: 1/2", clock=ManualClock())


@pytest.fixture
def three(registry: Registry, tmp_path: Path) -> Registry:
    for name in "abc":
        add(registry, tmp_path, name)
    return registry


def test_new_registry_is_empty(registry: Registry) -> None:
    assert registry.versions() == []
    assert registry.champion() is None
    assert registry.challenger() is None
    assert registry.rollback_target() is None
    assert registry.promotions() == []
    assert registry.reconcile() is None
    assert not registry.pointer_path.exists()
    with pytest.raises(MissingError, match="there is no champion"):
        registry.rollback("why not")
    with pytest.raises(MissingError, match="has no version 1; it has none yet"):
        registry.promote(1, "hope")


def test_registered_version_tells_its_origin(registry: Registry, tmp_path: Path) -> None:
    version = add(registry, tmp_path, "a", run_id="run-7", gate="PASS")
    assert version == 1
    found = registry.version(1)
    assert found == registry.versions()[0]
    assert found.metrics == {"roc_auc": 0.9}
    assert found.params == {"seed": "0"}
    assert found.lineage["data"] == {"fingerprint": "data-a"}
    assert found.bundle is not None
    bundle = load_bundle(found.bundle, sha256=found.sha256)
    assert bundle.name == "a"
    assert registry.version_of_run("run-7") == 1
    assert registry.version_of_run("run-8") is None
    assert json.loads(json.dumps(found.to_json()))["version"] == 1


def test_same_file_is_one_version(registry: Registry, tmp_path: Path) -> None:
    assert [add(registry, tmp_path, "a"), add(registry, tmp_path, "b"), add(registry, tmp_path, "a")] == [1, 2, 1]
    assert [v.version for v in registry.versions()] == [2, 1]


def test_damaged_bundle_is_not_registered(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "x.artificer"
    a_bundle(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleDamagedError):
        registry.register(path, {}, {}, {})
    with pytest.raises(MissingError):
        registry.register(tmp_path / "absent.artificer", {}, {}, {})
    assert registry.versions() == []


def test_promotion_moves_aliases_record_and_pointer(three: Registry) -> None:
    three.set_challenger(2)
    three.promote(1, "the first", who="person")
    record = three.promote(2, "better by 0.02", who="loop", evidence={"p": 0.01})
    assert (record.number, record.version, record.previous) == (2, 2, 1)
    assert (record.who, record.why, record.evidence, record.at) == (
        "loop",
        "better by 0.02",
        {"p": 0.01},
        three.clock.now(),
    )
    champion = three.champion()
    assert champion is not None
    assert champion.aliases == ("champion",)
    assert three.version(1).aliases == ("previous",)
    assert three.challenger() is None
    pointer = read_pointer(three.pointer_path)
    assert (pointer.version, pointer.sha256) == (2, champion.sha256)
    assert load_bundle(pointer.bundle_path(three.pointer_path), sha256=pointer.sha256).name == "b"


def test_promoting_the_champion_again_changes_nothing_but_a_lost_pointer(three: Registry) -> None:
    first = three.promote(1, "one")
    three.pointer_path.unlink()
    assert three.promote(1, "again") == first
    assert three.promotions() == [first]
    assert read_pointer(three.pointer_path).version == 1


def test_rollback_walks_back(three: Registry) -> None:
    for version in (1, 2, 3):
        three.promote(version, f"number {version}")
    assert three.rollback_target() == 2
    assert three.rollback("worse", who="loop", evidence={"loss": 1.5}) == 2
    assert three.rollback("worse still") == 1
    with pytest.raises(MissingError, match="version 1 is the only champion yet"):
        three.rollback("and again")
    three.promote(3, "second chance")
    assert three.rollback("no") == 1
    actions = [(p.number, p.action, p.version, p.previous) for p in three.promotions()]
    assert actions == [
        (1, "promote", 1, None),
        (2, "promote", 2, 1),
        (3, "promote", 3, 2),
        (4, "rollback", 2, 3),
        (5, "rollback", 1, 2),
        (6, "promote", 3, 1),
        (7, "rollback", 1, 3),
    ]
    assert three.promotions()[3].evidence == {"loss": 1.5}
    assert read_pointer(three.pointer_path).version == 1


def test_rollback_of_an_expected_champion_happens_once(three: Registry) -> None:
    for version in (1, 2, 3):
        three.promote(version, "better")
    assert three.rollback("worse", expected=3) == 2
    assert three.rollback("worse", expected=3) == 2
    assert len(three.promotions()) == 4


def test_deleted_versions_are_stepped_over(three: Registry) -> None:
    for version in (1, 2, 3):
        three.promote(version, "better")
    three._connection.client.delete_model_version(three.name, "2")
    assert three.rollback("worse") == 1


def test_missing_version_names_those_there_are(three: Registry) -> None:
    with pytest.raises(MissingError, match=r"my-shop-1-2 has no version 9; it has 1, 2, 3"):
        three.promote(9, "typo")
    with pytest.raises(MissingError):
        three.set_challenger(9)
    with pytest.raises(MissingError):
        three.bundle_path(9)
    assert not three.pointer_path.exists()


def test_challenger_is_named_and_released(three: Registry) -> None:
    three.set_challenger(3)
    challenger = three.challenger()
    assert challenger is not None
    assert challenger.version == 3
    three.set_challenger(None)
    three.set_challenger(None)
    assert three.challenger() is None


@pytest.mark.parametrize("step", ["keep_record", "_name_previous", "_point"])
@pytest.mark.parametrize("healing", ["repeat", "reconcile"])
def test_promotion_that_dies_is_finished_by_repeating_or_reconciling(
    three: Registry, monkeypatch: pytest.MonkeyPatch, step: str, healing: str
) -> None:
    three.promote(1, "the first")

    def die(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(module.runs if step == "keep_record" else Registry, step, die)
        with pytest.raises(Interrupted):
            three.promote(2, "better")
    assert read_pointer(three.pointer_path).version == 1  # serving has seen nothing
    if healing == "repeat":
        three.promote(2, "better")
    else:
        three.reconcile()
    assert read_pointer(three.pointer_path).version == 2
    records = three.promotions()
    assert [(p.version, p.previous) for p in records] == [(1, None), (2, 1)]
    assert three.rollback("worse") == 1
    assert three.rollback_target() is None


@pytest.mark.parametrize("step", ["keep_record", "_point"])
def test_rollback_that_dies_is_finished_by_repeating(
    three: Registry, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for version in (1, 2, 3):
        three.promote(version, "better")

    def die(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(module.runs if step == "keep_record" else Registry, step, die)
        with pytest.raises(Interrupted):
            three.rollback("worse", expected=3)
    assert three.rollback("worse", expected=3) == 2
    assert read_pointer(three.pointer_path).version == 2
    assert three.rollback_target() == 1


def test_champion_set_in_mlflow_is_taken_up(three: Registry) -> None:
    three.promote(1, "the first")
    three._connection.client.set_registered_model_alias(three.name, "champion", "3")
    pointer = three.reconcile()
    assert pointer is not None
    assert pointer.version == 3
    assert three.promotions()[-1].action == "reconcile"
    assert three.rollback("a slip of the mouse") == 1
    # and where nobody reconciled before the rollback
    three._connection.client.set_registered_model_alias(three.name, "champion", "2")
    assert three.rollback("another slip") == 1
    assert read_pointer(three.pointer_path).version == 1


@pytest.mark.parametrize("damage", ["lost", "cut short", "another version's"])
def test_local_bundle_is_mended_from_the_registry(three: Registry, damage: str) -> None:
    path = three.bundle_path(2)
    good = path.read_bytes()
    path.unlink()
    if damage == "cut short":
        path.write_bytes(good[:-5])
    elif damage == "another version's":
        path.write_bytes(three.bundle_path(1).read_bytes())
    three.promote(2, "better")
    assert path.read_bytes() == good
    assert sorted(p.name for p in (three.home / "bundles").iterdir()) == ["1.artificer", "2.artificer", "3.artificer"]


def test_altered_artifact_is_never_promoted(three: Registry, tmp_path: Path) -> None:
    three.promote(1, "the first")
    artifact = next(p for p in (three.home / "artifacts").rglob("model.artificer") if p.samefile(three.bundle_path(2)))
    three.bundle_path(2).unlink()
    artifact.unlink()
    a_bundle(artifact, "an impostor")
    with pytest.raises(RegistryError, match="not the one that was registered"):
        three.promote(2, "better")
    artifact.write_bytes(b"?")
    with pytest.raises(RegistryError, match="is not a bundle"):
        three.promote(2, "better")
    champion = three.champion()
    assert champion is not None
    assert champion.version == 1
    assert read_pointer(three.pointer_path).version == 1


def test_moved_project_goes_on(three: Registry, tmp_path: Path) -> None:
    three.promote(2, "better")
    moved = tmp_path / "else where"
    three.home.rename(moved)
    again = Registry(moved, None, three.name)
    pointer = again.reconcile()
    assert pointer is not None
    assert load_bundle(pointer.bundle_path(again.pointer_path)).name == "b"
    assert add(again, tmp_path, "d") == 4
    again.promote(4, "after the move")
    assert again.rollback("worse") == 2
    assert not three.home.exists()


def test_two_projects_share_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/shared.db"
    here, there = Registry(tmp_path / "here", uri, "shop"), Registry(tmp_path / "there", uri, "shop")
    assert [add(here, tmp_path, "a"), add(there, tmp_path, "b")] == [1, 2]
    here.promote(2, "made there")
    pointer = there.reconcile()
    assert pointer is not None
    assert load_bundle(pointer.bundle_path(there.pointer_path)).name == "b"
    assert read_pointer(here.pointer_path).sha256 == pointer.sha256
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.artificer", "b.artificer", "here", "shared.db", "there"]


def test_long_evidence_is_kept_whole(three: Registry, tmp_path: Path) -> None:
    evidence = {"rows": list(range(5000))}
    three.promote(1, "x" * 3000, evidence=evidence)
    kept = three.promotions()[0]
    assert len(kept.why) == 2000
    run = three.version(1).run_id
    folder = three._connection.client.download_artifacts(run, kept.evidence["artifact"], str(tmp_path))
    assert json.loads(Path(folder).read_text())["evidence"] == evidence


def test_full_disk_makes_no_version(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.runs, "_log_file", full)
        with pytest.raises(RegistryError, match="No space left on device"):
            add(registry, tmp_path, "a")
    assert registry.versions() == []
    assert add(registry, tmp_path, "a") == 1


def test_registry_out_of_reach_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for home, uri in (
        (file / "below", None),
        (tmp_path, f"sqlite:///{file}/mlflow.db"),
        (tmp_path, "nonsense://user:secret@host"),
        (tmp_path, "postgresql://user:secret@127.0.0.1:9/mlflow"),
    ):
        with pytest.raises(RegistryError, match=r"^the registry .* could not open") as caught:
            Registry(home, uri, "shop").versions()
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_server_that_is_gone_is_said_quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match="no answer from its server"):
        Registry(tmp_path, "http://127.0.0.1:9", "shop").versions()


def test_path_that_a_database_url_cannot_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="question mark"):
        Registry(tmp_path / "a?b", None, "shop")
    odd = Registry(tmp_path / "50% of #1 ü", None, "shop")
    assert add(odd, tmp_path, "a") == 1
    assert (tmp_path / "50% of #1 ü" / "mlflow.db").exists()
    assert odd.promote(1, "only").version == 1


def test_change_waits_its_turn_and_gives_up(three: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    with (
        FileLock(three.home / "registry.lock", "promoting version 1"),
        pytest.raises(BusyError, match="promoting version 1"),
    ):
        three.promote(2, "better")
    assert three.promotions() == []
    assert three.promote(2, "better").number == 1


def test_warming_hides_errors_until_they_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    connection = Connection(tmp_path / "file", None)
    connection.warm().join()
    with pytest.raises(RegistryError):
        _ = connection.client


PROMOTER = """
import sys
from pathlib import Path
from artificer.registry.registry import Registry
registry = Registry(Path(sys.argv[1]), None, "shop")
for i in range(6):
    registry.promote(int(sys.argv[2]) if i % 2 else 1, "turn")
"""


@pytest.mark.slow
def test_two_processes_promote_in_turn(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home", None, "shop")
    for name in "abc":
        add(registry, tmp_path, name)
    command = [sys.executable, "-c", PROMOTER, str(registry.home)]
    processes = [
        subprocess.Popen([*command, version], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for version in ("2", "3")
    ]
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert (process.returncode, output) == (0, "")  # quiet, too
    records = registry.promotions()
    assert [p.number for p in records] == list(range(1, len(records) + 1))
    assert [p.previous for p in records[1:]] == [p.version for p in records[:-1]]  # no change is lost or torn
    champion = registry.champion()
    assert champion is not None
    assert champion.version == records[-1].version == read_pointer(registry.pointer_path).version


KILLED = """
import os, signal, sys
from pathlib import Path
from artificer.registry import registry as module
from artificer.registry.registry import Registry
module.write_pointer = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Registry(Path(sys.argv[1]), None, "shop").promote(2, "better")
"""


@pytest.mark.slow
def test_kill_between_registry_and_pointer_is_healed(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home", None, "shop")
    for name in "ab":
        add(registry, tmp_path, name)
    registry.promote(1, "the first")
    done = subprocess.run([sys.executable, "-c", KILLED, str(registry.home)], check=False, timeout=120)
    assert done.returncode == -9
    assert read_pointer(registry.pointer_path).version == 1
    pointer = registry.reconcile()
    assert pointer is not None
    assert pointer.version == 2
    assert [(p.action, p.why) for p in registry.promotions()] == [("promote", "the first"), ("promote", "better")]


FIRST = """
import sys
from pathlib import Path
from artificer.registry.registry import Registry
registry = Registry(Path(sys.argv[1]), None, "shop")
assert registry.register(Path(sys.argv[2]), {"auc": 1.0}, {}, {}) in (1, 2)
"""


@pytest.mark.slow
def test_two_processes_make_one_database(tmp_path: Path) -> None:
    processes = []
    for name in "ab":
        path = tmp_path / f"{name}.artificer"
        a_bundle(path, name)
        command = [sys.executable, "-c", FIRST, str(tmp_path / "home"), str(path)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert (process.returncode, output) == (0, "")
    registry = Registry(tmp_path / "home", None, "shop")
    assert [v.version for v in registry.versions()] == [2, 1]
    assert not [p for p in registry.home.iterdir() if p.name.endswith(".tmp")]


def test_environment_of_the_user_comes_first() -> None:
    code = (
        "import os, sys; from pathlib import Path; from artificer.registry.connection import Connection\n"
        "assert 'mlflow' not in sys.modules\n"
        "Connection(Path(sys.argv[1]), None)\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code, os.devnull], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
