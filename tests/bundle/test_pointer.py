import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artificer import durable
from artificer.bundle.pointer import POINTER_FORMAT, Pointer, read_pointer, write_pointer
from artificer.errors import ArtificerError, BundleDamagedError, BundleFormatError, MissingError

POINTER = Pointer("shop", 3, "bundles/3.artificer", "ab" * 32, datetime(2026, 1, 2, tzinfo=UTC))


def test_comes_back_as_written_and_resolves_beside_itself(tmp_path: Path) -> None:
    path = tmp_path / "champion.json"
    write_pointer(path, POINTER)
    assert read_pointer(path) == POINTER
    assert read_pointer(path).bundle_path(path) == tmp_path / "bundles" / "3.artificer"
    assert [p.name for p in tmp_path.iterdir()] == ["champion.json"]


def test_absent_pointer_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="train and promote a model first"):
        read_pointer(tmp_path / "champion.json")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": POINTER_FORMAT + 1}, BundleFormatError),
        ({"format": "1"}, BundleDamagedError),
        ({"format": 0}, BundleDamagedError),
        ({"version": "three"}, BundleDamagedError),
        ({"bundle": "/etc/passwd"}, BundleDamagedError),
        ({"bundle": "a/../../b"}, BundleDamagedError),
        ({"bundle": ""}, BundleDamagedError),
        ({"at": "yesterday"}, BundleDamagedError),
    ],
)
def test_refuses_what_is_not_a_pointer(tmp_path: Path, change: dict[str, object], error: type[Exception]) -> None:
    path = tmp_path / "champion.json"
    write_pointer(path, POINTER)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error):
        read_pointer(path)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_refuses_what_is_not_json(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "champion.json"
    path.write_bytes(data)
    with pytest.raises(BundleDamagedError, match="promote a version again"):
        read_pointer(path)


def test_refuses_to_point_outside_its_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleDamagedError):
        write_pointer(tmp_path / "champion.json", Pointer("shop", 1, "../x", "", POINTER.at))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_the_old_pointer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "champion.json"
    write_pointer(path, POINTER)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(ArtificerError, match=r"no space left on device \(.* MB free\); make room"):
        write_pointer(path, Pointer("shop", 4, "bundles/4.artificer", "", POINTER.at))
    assert read_pointer(path) == POINTER
    assert [p.name for p in tmp_path.iterdir()] == ["champion.json"]
