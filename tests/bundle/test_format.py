import hashlib
import io
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artificer import durable
from artificer.bundle.conformal import Conformal
from artificer.bundle.container import SEAL, SEAL_BYTES, pack
from artificer.bundle.format import FORMAT, BundleContent, load_bundle, write_bundle
from artificer.errors import (
    ArtificerError,
    BundleDamagedError,
    BundleError,
    BundleFormatError,
    MissingError,
    UsageError,
)
from artificer.tables.contract import ColumnSpec
from artificer.testing.bundles import CREATED
from artificer.types import Role, Task

ROW = {"age": 30, "city": "Rome", "member": True, "seen": "2024-01-01T00:00:00Z"}


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(path: Path, change: Callable[[dict[str, bytes], dict], None], *, honest: bool = True) -> Path:
    """Write a sealed archive whose entries were changed; `honest` brings the manifest's checksums up to date."""
    entries = entries_of(path)
    manifest = json.loads(entries.pop("manifest.json"))
    change(entries, manifest)
    if honest:
        manifest["entries"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in entries.items()
        }
    out = path.with_name("changed.artificer")
    out.write_bytes(pack({"manifest.json": json.dumps(manifest).encode(), **entries}))
    return out


def test_comes_back_as_written(bundle_path: Path, content: BundleContent) -> None:
    bundle = load_bundle(bundle_path)
    for name in ("name", "model", "contract", "reference", "metrics", "recipe", "lineage"):
        assert getattr(bundle, name) == getattr(content, name)
    assert bundle.created == CREATED
    assert bundle.sha256 == hashlib.sha256(bundle_path.read_bytes()).hexdigest()
    assert bundle.bytes == bundle_path.stat().st_size


def test_same_content_gives_same_bytes_and_their_hash(tmp_path: Path, content: BundleContent) -> None:
    one, two = tmp_path / "1.artificer", tmp_path / "2.artificer"
    assert write_bundle(one, content, CREATED) == write_bundle(two, content, CREATED)
    assert one.read_bytes() == two.read_bytes()


def test_moved_bundle_predicts_the_same(bundle_path: Path, tmp_path: Path) -> None:
    before, _ = load_bundle(bundle_path).predict_rows([ROW, {}])
    moved = tmp_path / "else where" / "ü.artificer"
    moved.parent.mkdir()
    bundle_path.rename(moved)
    after, warnings = load_bundle(moved).predict_rows([ROW, {}])
    np.testing.assert_array_equal(before, after)
    assert warnings == ()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_altered_byte_is_refused(bundle_path: Path, where: float, flip: int) -> None:
    data = bytearray(bundle_path.read_bytes())
    data[int(where * len(data))] ^= flip
    damaged = bundle_path.with_name("damaged.artificer")
    damaged.write_bytes(data)
    with pytest.raises(BundleDamagedError, match=r"copy the bundle again|give the path|not a bundle"):
        load_bundle(damaged)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True))
def test_any_cut_is_refused(bundle_path: Path, where: float) -> None:
    data = bundle_path.read_bytes()
    damaged = bundle_path.with_name("damaged.artificer")
    damaged.write_bytes(data[: int(where * len(data))])
    with pytest.raises(BundleDamagedError):
        load_bundle(damaged)


def test_bytes_before_or_after_are_refused(bundle_path: Path) -> None:
    data = bundle_path.read_bytes()
    for altered in (b"#!/bin/sh\n" + data, data + b"\n", data + data):
        bundle_path.write_bytes(altered)
        with pytest.raises(BundleDamagedError):
            load_bundle(bundle_path)


def test_newer_format_says_who_wrote_it(bundle_path: Path) -> None:
    def newer(entries: dict[str, bytes], manifest: dict) -> None:
        manifest |= {"format": FORMAT + 1, "artificer_version": "9.9.9"}
        entries["something-new.bin"] = b"?"

    with pytest.raises(BundleFormatError, match=r"written by Artificer 9\.9\.9.*update Artificer"):
        load_bundle(repacked(bundle_path, newer))


@pytest.mark.parametrize("number", [0, -1, "1", None, True, 1.0])
def test_nonsense_format_is_refused(bundle_path: Path, number: object) -> None:
    with pytest.raises(BundleDamagedError, match="no format number"):
        load_bundle(repacked(bundle_path, lambda _, manifest: manifest.update(format=number)))


CHANGES: dict[str, tuple[Callable[[dict[str, bytes], dict], object], str]] = {
    "an unknown entry": (lambda e, m: e.update({"run.py": b"1"}), "unknown entry"),
    "a path that climbs": (lambda e, m: e.update({"../../evil": b"1"}), "unknown entry"),
    "an entry less": (lambda e, m: e.pop("recipe.json"), "lacks recipe.json"),
    "an array for a record": (lambda e, m: e.update({"recipe.json": b"[]"}), "no object"),
    "text for a record": (lambda e, m: e.update({"recipe.json": b"\xff"}), "not JSON"),
    "a deep record": (lambda e, m: e.update({"recipe.json": b'{"a":' * 70 + b"1" + b"}" * 70}), "too deeply"),
    "an endless record": (lambda e, m: e.update({"recipe.json": b'{"a":' * 90_000}), "not JSON"),
    "no contract": (lambda e, m: e.update({"contract.json": b"{}"}), "no valid contract"),
    "a newer contract": (
        lambda e, m: e.update({"contract.json": e["contract.json"].replace(b'"format":1', b'"format":7')}),
        "no valid contract",
    ),
    "another contract": (
        lambda e, m: e.update({"contract.json": e["contract.json"].replace(b'"numeric"', b'"ignored"')}),
        "do not agree",
    ),
    "a graph of garbage": (lambda e, m: e.update({"model.onnx": b"not a graph at all"}), "graph"),
    "an empty graph": (lambda e, m: e.update({"model.onnx": b""}), "holds 0 graphs"),
    "a number for a name": (lambda e, m: m.update(name=3), "not text"),
    "no time": (lambda e, m: m.update(created="soon"), "manifest"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_resealed_archive_is_still_audited(bundle_path: Path, case: str) -> None:
    change, message = CHANGES[case]
    with pytest.raises(BundleDamagedError, match=message):
        load_bundle(repacked(bundle_path, change))  # type: ignore[arg-type]


def test_thresholds_of_coverage_come_back_and_are_audited(tmp_path: Path, content: BundleContent) -> None:
    record = Conformal(Task.BINARY, 20, False, False, (0.8, 0.9), (), ((0.6,), (None,)))
    path = tmp_path / "model.artificer"
    write_bundle(path, replace(content, metrics={"conformal": record.to_json()}), CREATED)
    assert load_bundle(path).conformal == record
    write_bundle(path, content, CREATED)
    assert load_bundle(path).conformal is None
    with pytest.raises(UsageError, match="the model shop keeps no record of its errors"):
        load_bundle(path).promise(0.9)
    for key, wrong in (("thresholds", [[0.6]]), ("thresholds", [[1.5], [0.1]]), ("levels", [0.9, 0.8]), ("rows", "20")):
        damaged = {**record.to_json(), key: wrong}
        write_bundle(path, replace(content, metrics={"conformal": damaged}), CREATED)
        with pytest.raises(BundleDamagedError, match=r"model\.artificer is damaged: the record of coverage"):
            load_bundle(path)


def test_manifest_that_disagrees_is_refused(bundle_path: Path) -> None:
    changed = repacked(bundle_path, lambda e, _: e.update({"recipe.json": b"{}"}), honest=False)
    with pytest.raises(BundleDamagedError, match=r"does not agree with its manifest in recipe\.json"):
        load_bundle(changed)


def sealed(data: bytes) -> bytes:
    """Seal any archive that was written with the placeholder comment."""
    body = data[:-SEAL_BYTES]
    return body + SEAL + hashlib.sha256(body).hexdigest().encode()


def test_compressed_or_double_entries_are_refused(bundle_path: Path) -> None:
    entries = entries_of(bundle_path)
    for method, double, message in (
        (zipfile.ZIP_DEFLATED, False, "compressed"),
        (zipfile.ZIP_STORED, True, "there twice"),
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in entries.items():
                packed = zipfile.ZIP_STORED if name == "manifest.json" else method
                archive.writestr(zipfile.ZipInfo(name), data, packed)
            if double:
                with pytest.warns(UserWarning, match="Duplicate name"):
                    archive.writestr("recipe.json", entries["recipe.json"])
            archive.comment = SEAL + b"0" * 64
        bundle_path.write_bytes(sealed(buffer.getvalue()))
        with pytest.raises(BundleDamagedError, match=message):
            load_bundle(bundle_path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.zip"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("manifest.json", "{}")
    for data, message in (
        (foreign.read_bytes(), "did not write"),
        (b"", "not a bundle"),
        (b"a,b\n1,2\n", "not a bundle"),
    ):
        foreign.write_bytes(data)
        with pytest.raises(BundleDamagedError, match=message):
            load_bundle(foreign)
    with pytest.raises(BundleDamagedError, match="cannot be read"):
        load_bundle(tmp_path)
    with pytest.raises(MissingError, match="no bundle at"):
        load_bundle(tmp_path / "absent.artificer")


def test_expected_hash_is_held(bundle_path: Path) -> None:
    digest = hashlib.sha256(bundle_path.read_bytes()).hexdigest()
    assert load_bundle(bundle_path, sha256=digest).sha256 == digest
    with pytest.raises(BundleDamagedError, match="not the bundle that was registered"):
        load_bundle(bundle_path, sha256="0" * 64)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, content: BundleContent, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, call, full)
    with pytest.raises(
        ArtificerError, match=r"the bundle could not be written to .*model\.artificer: no space .*make room"
    ):
        write_bundle(tmp_path / "model.artificer", content, CREATED)
    assert list(tmp_path.iterdir()) == []


def test_killed_writer_leaves_no_bundle(tmp_path: Path) -> None:
    path = tmp_path / "model.artificer"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from artificer import durable\n"
        "from artificer.testing.bundles import a_bundle\n"
        "durable.os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "a_bundle(Path(sys.argv[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -9
    assert not path.exists()
    assert list(tmp_path.glob("*.artificer")) == []


def test_overwriting_reader_sees_old_or_new(tmp_path: Path, content: BundleContent) -> None:
    path = tmp_path / "model.artificer"
    write_bundle(path, content, CREATED)
    stop = threading.Event()
    seen: set[str] = set()
    failures: list[BundleError] = []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add(load_bundle(path).name)
            except BundleError as error:
                failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for i in range(30):
        write_bundle(path, replace(content, name=f"shop{i % 2}"), CREATED)
    stop.set()
    thread.join()
    assert failures == []
    assert seen <= {"shop", "shop0", "shop1"}


def test_numbers_json_cannot_hold(tmp_path: Path, content: BundleContent) -> None:
    path = tmp_path / "model.artificer"
    write_bundle(path, replace(content, metrics={"auc": float("nan"), "n": np.int64(3)}), CREATED)
    assert load_bundle(path).metrics == {"auc": None, "n": 3}
    with pytest.raises(ArtificerError, match=r"reference\.edges\[1\] is inf"):
        write_bundle(path, replace(content, reference={"edges": [0.0, float("inf")]}), CREATED)
    with pytest.raises(ArtificerError, match=r"recipe\.x is a object"):
        write_bundle(path, replace(content, recipe={"x": object()}), CREATED)


def test_writing_refuses_what_loading_would_refuse(tmp_path: Path, content: BundleContent) -> None:
    other = replace(content.contract, columns=content.contract.columns[1:])
    with pytest.raises(BundleDamagedError, match="do not agree"):
        write_bundle(tmp_path / "x.artificer", replace(content, contract=other), CREATED)
    assert list(tmp_path.iterdir()) == []


def test_labels_come_in_their_own_type(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    scores = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float32)
    assert bundle.labels(scores) == [0, 1]
    assert all(type(label) is int for label in bundle.labels(scores))


def test_large_batches_are_cut_and_joined(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(bundle_path)
    rng = np.random.default_rng(0)
    rows = [ROW | {"age": float(age)} for age in rng.integers(0, 90, 1000)]
    whole, _ = bundle.predict_rows(rows)
    monkeypatch.setattr("artificer.bundle.model.ROWS_AT_ONCE", 300)
    cut, _ = bundle.predict_rows(rows)
    np.testing.assert_allclose(whole, cut, atol=1e-6)
    assert bundle.predict_rows([])[0].shape == (0, 2)


def test_threads_share_a_bundle(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    rows = [ROW | {"age": age} for age in range(50)]
    # one by one: a batch may take another code path of the CPU and differ in the last bit
    expected = [bundle.predict_rows([row])[0] for row in rows]
    wrong: list[int] = []

    def ask(i: int) -> None:
        for _ in range(40):
            if not np.array_equal(bundle.predict_rows([rows[i]])[0], expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_reading_needs_no_training_library(bundle_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from artificer.bundle.format import load_bundle\n"
        "from artificer.bundle.pointer import read_pointer\n"
        "print(load_bundle(Path(sys.argv[1])).predict_rows([{}])[0].shape)\n"
        "heavy = ['onnx', 'mlflow', 'pandas', 'polars', 'sklearn', 'duckdb', 'scipy', 'lightgbm', 'pydantic']\n"
        "assert not set(heavy) & set(sys.modules), set(heavy) & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(bundle_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(1, 2)\n", "")


def test_a_bundle_from_when_texts_fed_no_model_still_answers(tmp_path: Path, content: BundleContent) -> None:
    row = {"age": 41, "city": "Rome", "member": True, "seen": "2024-01-01", "story": "Went there, once"}
    write_bundle(tmp_path / "plain.artificer", content, CREATED)
    before, _ = load_bundle(tmp_path / "plain.artificer").predict_rows([row])
    story = ColumnSpec("story", Role.TEXT, "free text", "String")
    older = replace(content, contract=replace(content.contract, columns=(*content.contract.columns, story)))
    write_bundle(tmp_path / "older.artificer", older, CREATED)
    after, warnings = load_bundle(tmp_path / "older.artificer").predict_rows([row])
    assert warnings == ()
    np.testing.assert_array_equal(after, before)
