"""The pointer is followed, and what cannot be trusted changes nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.bundle.pointer import read_pointer
from artificer.serving import champion as champion_module
from artificer.serving.champion import Champion, load


def version_of(champion: Champion) -> int | None:
    return None if champion.predictor is None else champion.predictor.version


def test_nothing_promoted_then_something(tmp_path: Path, promote: Callable[..., Path]) -> None:
    champion = Champion(tmp_path / "champion.json")
    assert not champion.refresh()
    assert champion.predictor is None
    assert "no champion" in (champion.state.problem or "")
    promote(1)
    assert champion.refresh()
    assert version_of(champion) == 1
    assert champion.state.problem is None
    assert not champion.refresh()


def test_the_new_version_takes_over_and_ids_keep_rising(promote: Callable[..., Path]) -> None:
    champion = Champion(promote(1))
    champion.refresh()
    old = champion.predictor
    assert old is not None
    promote(2)
    assert champion.refresh()
    assert version_of(champion) == 2
    assert champion.predictor is not None
    row = {"age": 1}
    assert old.answer([row], 0.0).entries[0].id < champion.predictor.answer([row], 0.0).entries[0].id
    assert champion.state.loads == 2


@pytest.mark.parametrize("damage", ["absent", "cut", "other", "pointer", "gone"])
def test_what_cannot_be_trusted_is_refused_and_the_old_keeps_answering(
    promote: Callable[..., Path], damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = promote(1)
    champion = Champion(pointer)
    champion.refresh()
    promote(2)
    bundle = read_pointer(pointer).bundle_path(pointer)
    whole = bundle.read_bytes()
    pointed = pointer.read_bytes()
    if damage == "absent":
        bundle.unlink()
    elif damage == "cut":
        bundle.write_bytes(whole[: len(whole) // 2])
    elif damage == "other":
        bundle.write_bytes((bundle.parent / "shop-1-binary.artificer").read_bytes())
    elif damage == "pointer":
        pointer.write_text('{"format": 1, "name"')
    else:
        pointer.unlink()
    assert not champion.refresh()
    assert version_of(champion) == 1
    problem = champion.state.problem
    assert problem
    # It is tried again after a while, without anybody writing the pointer anew.
    bundle.write_bytes(whole)
    if damage in ("pointer", "gone"):
        pointer.write_bytes(pointed)
    monkeypatch.setattr(champion_module, "RETRY_SECONDS", 0.0)
    assert champion.refresh()
    assert version_of(champion) == 2
    assert champion.state.problem is None


def test_a_loader_that_breaks_does_not_end_the_watch(promote: Callable[..., Path]) -> None:
    def breaks(path, pointer, ids):  # type: ignore[no-untyped-def]
        if pointer.version == 2:
            raise ZeroDivisionError("a fault nobody thought of")
        return load(path, pointer, ids)

    champion = Champion(promote(1), loader=breaks)
    champion.refresh()
    promote(2)
    assert not champion.refresh()
    assert "a fault nobody thought of" in (champion.state.problem or "")
    promote(3)
    assert champion.refresh()
    assert version_of(champion) == 3


def test_the_watcher_notices_by_itself(promote: Callable[..., Path]) -> None:
    taken = threading.Event()

    def loads(path, pointer, ids):  # type: ignore[no-untyped-def]
        predictor = load(path, pointer, ids)
        if pointer.version == 2:
            taken.set()
        return predictor

    pointer = promote(1)
    champion = Champion(pointer, poll=0.005, loader=loads)
    champion.start()
    try:
        assert version_of(champion) == 1
        promote(2)
        assert taken.wait(20)
    finally:
        champion.stop()
    champion.refresh()
    assert version_of(champion) == 2


def test_the_same_version_written_again_is_not_loaded_again(promote: Callable[..., Path]) -> None:
    pointer = promote(1)
    champion = Champion(pointer)
    champion.refresh()
    before = champion.predictor
    os.utime(pointer, ns=(1, 1))
    assert not champion.refresh()
    assert champion.predictor is before
