"""A project's paths, and its lock between processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artificer.clock import ManualClock
from artificer.errors import ArtificerError, BusyError, ConfigurationError, MissingError
from artificer.problem.load import PROJECT_FILE
from artificer.problem.lock import FileLock
from artificer.problem.project import Project, open_project


def make(folder: Path, more: str = "") -> Project:
    folder.mkdir(exist_ok=True)
    (folder / PROJECT_FILE).write_text(f'[data]\ntarget = "y"\n{more}', encoding="utf-8")
    return open_project(folder)


def test_paths_follow_from_the_folder(tmp_path: Path) -> None:
    shop = make(tmp_path / "shop", 'source = "../data/sales.csv"\n')
    home = tmp_path / "shop" / ".artificer"
    assert (shop.name, shop.home, shop.file) == ("shop", home, tmp_path / "shop" / PROJECT_FILE)
    assert shop.source == str(tmp_path / "shop" / "../data/sales.csv")
    places = [shop.bundles, shop.runs, shop.journal, shop.champion_file, shop.holdout_ledger, shop.lock_file]
    assert [place.parent for place in places] == [home] * 6
    assert len({place.name for place in places}) == 6
    assert not home.exists()
    assert (shop.store_url("registry"), shop.store_url("loop")) == (None, None)


def test_paths_that_were_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shop = make(
        tmp_path / "shop",
        'source = "s3://bucket/x.csv"\n[stores]\nhome = "~/kept"\njournal = "log/j.sqlite"\nloop = "postgresql://a:${PW}@h"',
    )
    assert shop.home == tmp_path / "kept"
    assert shop.journal == tmp_path / "shop/log/j.sqlite"
    assert shop.source == "s3://bucket/x.csv"
    monkeypatch.setenv("PW", "hunter2")
    assert shop.store_url("loop") == "postgresql://a:hunter2@h"
    assert "hunter2" not in repr(shop)
    monkeypatch.delenv("PW")
    with pytest.raises(ConfigurationError, match="PW, which is not set"):
        shop.store_url("loop")
    nobody = make(tmp_path / "other", '[stores]\nhome = "~nobody-of-this-name/x"')
    with pytest.raises(ConfigurationError, match="names a home folder that does not exist"):
        _ = nobody.home


def test_a_project_without_a_source_says_so_when_it_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'\[data\] lacks source; add source = "..."'):
        _ = make(tmp_path).source


def test_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make(tmp_path / "shop")
    assert open_project(tmp_path / "shop" / PROJECT_FILE) == shop
    monkeypatch.chdir(tmp_path / "shop")
    assert open_project() == shop
    assert open_project().dir.is_absolute()
    with pytest.raises(MissingError, match="`artificer init`"):
        open_project(tmp_path)
    with pytest.raises(MissingError, match="`artificer init`"):
        open_project(tmp_path / "nowhere" / PROJECT_FILE)


def test_prepare_makes_the_home_and_keeps_it_out_of_version_control(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.prepare()
    shop.prepare()
    assert shop.bundles.is_dir()
    assert shop.runs.is_dir()
    assert (shop.home / ".gitignore").read_text() == "*\n"
    blocked = make(tmp_path, '[stores]\nhome = "artificer.toml/x"')
    with pytest.raises(ArtificerError, match=r"cannot be made \(Not a directory\)"):
        blocked.prepare()
    with pytest.raises(ArtificerError, match="cannot be opened"), blocked.lock():
        pass


def test_the_name_is_the_files_or_the_folders(tmp_path: Path) -> None:
    assert make(tmp_path / "shop").name == "shop"
    (tmp_path / "shop" / PROJECT_FILE).write_text('name = "north"\n[data]\ntarget = "y"\n')
    assert open_project(tmp_path / "shop").name == "north"


def test_an_identity_is_drawn_once_and_moves_with_the_project(tmp_path: Path) -> None:
    here, there = make(tmp_path / "here"), make(tmp_path / "there")
    here.prepare()
    first = here.identity
    assert len(first) == 32
    assert first == here.identity_file.read_text().strip()
    here.prepare()
    assert here.identity == first
    assert there.identity != first
    assert (there.home / ".gitignore").exists()
    (tmp_path / "here").rename(tmp_path / "moved")
    assert open_project(tmp_path / "moved").identity == first
    assert [path.name for path in (tmp_path / "moved" / ".artificer").glob(".*")] == [".gitignore"]


def test_of_two_that_draw_an_identity_at_once_one_wins(tmp_path: Path) -> None:
    shop = make(tmp_path)
    shop.prepare()
    shop.identity_file.unlink()
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: open_project(tmp_path).identity, range(64)))
    assert found == {shop.identity}


def test_a_file_system_without_links_keeps_identities_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    shop = make(tmp_path)
    assert shop.identity == shop.identity


@pytest.mark.parametrize("content", [b"", b"0" * 32, b"0" * 33, b"0" * 32 + b"\n\n", b"\xff" * 32 + b"\n"])
def test_a_damaged_identity_is_named(tmp_path: Path, content: bytes) -> None:
    shop = make(tmp_path)
    shop.prepare()
    shop.identity_file.write_bytes(content)
    shop.prepare()
    assert shop.identity_file.read_bytes() == content
    with pytest.raises(ConfigurationError, match=r"identity is damaged, .*; restore it, or remove it"):
        _ = shop.identity


def test_a_second_holder_is_told_who_and_since_when(tmp_path: Path) -> None:
    shop = make(tmp_path)
    clock = ManualClock(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    said = rf"^process {os.getpid()} has been training in {tmp_path} since 2026-03-04 05:06:07 UTC; wait until it ends"
    with shop.lock("training", clock):
        with pytest.raises(BusyError, match=said), shop.lock("monitoring"):
            pass
        with pytest.raises(BusyError, match=said), shop.lock("monitoring"):  # a refusal does not let go of it
            pass
    with shop.lock("monitoring"):
        pass
    assert shop.lock_file.read_bytes() == b""


def test_a_lock_object_is_not_entered_twice(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with lock:
        with pytest.raises(BusyError, match="held by this very process"):
            lock.__enter__()
        with pytest.raises(BusyError), FileLock(tmp_path / "lock"):
            pass
    with lock:
        pass


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    shop = make(tmp_path)
    with pytest.raises(ZeroDivisionError), shop.lock():
        _ = 1 / 0
    with shop.lock():
        pass


@pytest.mark.parametrize(
    "signature", [b"", b"{", b"\xff", b"[]", b'{"pid": "x", "since": 3}', b'{"since": "yesterday"}']
)
def test_an_unreadable_signature_is_no_obstacle(tmp_path: Path, signature: bytes) -> None:
    with FileLock(tmp_path / "lock"):
        (tmp_path / "lock").write_bytes(signature)
        with pytest.raises(BusyError, match=r"another process has been working in .* for a moment"):
            FileLock(tmp_path / "lock").__enter__()
    with FileLock(tmp_path / "lock"):
        pass


HOLD = """
import sys
from artificer.problem.project import open_project
with open_project(sys.argv[1]).lock("training"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_holder_is_no_obstacle(tmp_path: Path) -> None:
    shop = make(tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"^process {holder.pid} has been training in "), shop.lock():
            pass
        # A child that the holder starts must not inherit the lock: descriptors are closed on exec.
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert b"training" in shop.lock_file.read_bytes()
        with shop.lock("training"):
            assert str(os.getpid()) in shop.lock_file.read_text()
    finally:
        holder.kill()
        holder.communicate()


def test_the_lock_is_not_inherited_by_programs_it_starts(tmp_path: Path) -> None:
    shop = make(tmp_path)
    with shop.lock():
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        with shop.lock():
            assert child.poll() is None
    finally:
        child.communicate()
