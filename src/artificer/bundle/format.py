"""The bundle file: written in one step, and read back only after an audit.

Format 1 holds ``manifest.json`` (format, name, created, artificer_version, and the SHA-256 and size of every other
entry), ``model.onnx``, and ``contract.json``, ``reference.json``, ``metrics.json``, ``recipe.json``, ``lineage.json``.
To change it: raise ``FORMAT``, keep the old reader in ``READERS`` and a small bundle of the old format in the tests.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from artificer import __version__
from artificer.bundle.audit import GraphFacts, audit_graph
from artificer.bundle.container import check_seal, pack, read_file, unpack, unpack_one
from artificer.bundle.files import write_atomically
from artificer.bundle.model import Bundle, open_session
from artificer.errors import ArtificerError, BundleDamagedError, BundleFormatError, ContractError
from artificer.tables.contract import Contract
from artificer.types import BLOCK_DTYPES, Json, Kind

FORMAT = 1
SUFFIX = ".artificer"
MANIFEST, MODEL = "manifest.json", "model.onnx"
RECORDS = ("contract", "reference", "metrics", "recipe", "lineage")
LIMITS = {MANIFEST: 1 << 20, MODEL: 1 << 30, **{f"{name}.json": 64 << 20 for name in RECORDS}}
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class BundleContent:
    """What a bundle holds.

    Attributes
    ----------
    name : the model's name.
    model : the deployed ONNX graph, serialised.
    contract : what a row must be.
    reference : the training data's summary, for drift.
    metrics, recipe, lineage : records of the run. NaN becomes null, NumPy values plain ones; infinity is refused.
    """

    name: str
    model: bytes
    contract: Contract
    reference: Json
    metrics: Json
    recipe: Json
    lineage: Json


def write_bundle(path: Path, content: BundleContent, created: datetime) -> str:
    """Write `content` to `path`, whole or not at all; the same content and time give the same bytes.

    Returns
    -------
    SHA-256 of the file, hex.

    Raises
    ------
    ArtificerError
        The file cannot be written (disk full, ...), or a record cannot be kept as JSON.
    BundleError
        The content would not pass its own audit.
    """
    facts = audit_graph(content.model)
    _check_edges(facts, content.contract, Path(path))
    records: dict[str, Any] = {"contract": content.contract.to_json()}
    records |= {name: getattr(content, name) for name in RECORDS[1:]}
    entries = {MODEL: content.model}
    entries |= {f"{name}.json": _encode(plain(record, name)) for name, record in records.items()}
    for name, data in entries.items():
        if len(data) > LIMITS[name]:
            raise ArtificerError(
                f"the bundle {path} cannot be written: {name} has {len(data)} bytes, {LIMITS[name]} are allowed; "
                "train with fewer columns or a smaller model"
            )
    manifest = {
        "format": FORMAT,
        "name": content.name,
        "created": created.astimezone(UTC).isoformat(),
        "artificer_version": __version__,
        "entries": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in entries.items()
        },
    }
    data = pack({MANIFEST: _encode(manifest), **entries})
    write_atomically(Path(path), data, "the bundle")
    return hashlib.sha256(data).hexdigest()


def load_bundle(path: Path, *, threads: int = 1, sha256: str | None = None) -> Bundle:
    """Audit the bundle at `path`, then make it ready to predict.

    Parameters
    ----------
    threads : of the session; 1 answers single rows fastest.
    sha256 : when given, the file must be this one.

    Raises
    ------
    MissingError
        There is no such file.
    BundleDamagedError
        It was cut short or altered, is no bundle, is another file than `sha256` says, or holds what is not allowed.
    BundleFormatError
        A newer Artificer wrote it.
    """
    path = Path(path)
    data = read_file(path)
    digest = check_seal(data, path)
    if sha256 is not None and digest != sha256:
        raise BundleDamagedError(
            f"{path} is not the bundle that was registered (SHA-256 {digest[:12]}…, expected {sha256[:12]}…); "
            "copy it again from the registry"
        )
    manifest, entries = _open(data, path)
    content = READERS[manifest["format"]](manifest, entries, path)
    facts = audit_graph(content.model)
    _check_edges(facts, content.contract, path)
    inputs = tuple(Kind(edge.name) for edge in facts.inputs)
    bundle = Bundle(
        **{name: getattr(content, name) for name in ("name", "model", *RECORDS)},
        sha256=digest,
        bytes=len(data),
        created=datetime.fromisoformat(manifest["created"]),
        artificer_version=manifest["artificer_version"],
        inputs=inputs,
        session=open_session(content.model, content.contract, inputs, threads, path),
    )
    _check_promises(bundle, path)
    return bundle


def plain(value: Any, where: str) -> Any:
    """Make `value` what JSON can hold; `where` names it in an error.

    Examples
    --------
    >>> plain({"score": np.float64("nan"), "rows": (np.int64(3),)}, "metrics")
    {'score': None, 'rows': [3]}
    >>> plain({"edges": [float("inf")]}, "reference")
    Traceback (most recent call last):
    artificer.errors.ArtificerError: reference.edges[0] is inf, which a bundle cannot hold; keep finite numbers or null
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, float):
        if math.isinf(value):
            raise ArtificerError(f"{where} is {value}, which a bundle cannot hold; keep finite numbers or null")
        return None if math.isnan(value) else value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, datetime):
        return value.isoformat()
    raise ArtificerError(f"{where} is a {type(value).__name__}, which a bundle cannot hold; keep plain JSON values")


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _open(data: bytes, path: Path) -> tuple[Json, dict[str, bytes]]:
    """Read the manifest first: a newer format may have entries this version does not know."""
    manifest = _decode(unpack_one(data, MANIFEST, LIMITS[MANIFEST], path), MANIFEST, path)
    number = manifest.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise BundleDamagedError(f"the bundle {path} has no format number; it is not a bundle")
    if number > FORMAT:
        raise BundleFormatError(
            f"the bundle {path} has format {number}, written by Artificer {manifest.get('artificer_version')}, and "
            f"this one ({__version__}) reads up to format {FORMAT}; update Artificer"
        )
    entries = unpack(data, LIMITS, path)
    _check_entries(manifest, entries, path)
    return manifest, entries


def _check_entries(manifest: Json, entries: Mapping[str, bytes], path: Path) -> None:
    try:
        listed = {name: (entry["sha256"], entry["bytes"]) for name, entry in manifest["entries"].items()}
        strings = [manifest["name"], manifest["artificer_version"], manifest["created"]]
        datetime.fromisoformat(manifest["created"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BundleDamagedError(f"the manifest of {path} cannot be read ({error}); it is not a bundle") from error
    if not all(isinstance(text, str) for text in strings):
        raise BundleDamagedError(f"the manifest of {path} has a name or version that is not text; it is not a bundle")
    found = {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in entries.items() if name != MANIFEST}
    if found.keys() != LIMITS.keys() - {MANIFEST}:
        missing = sorted(LIMITS.keys() - {MANIFEST} - found.keys())
        raise BundleDamagedError(f"the bundle {path} lacks {', '.join(missing)}; copy it again from its source")
    if found != listed:
        wrong = sorted(name for name in found.keys() | listed.keys() if listed.get(name) != found.get(name))
        raise BundleDamagedError(
            f"the bundle {path} does not agree with its manifest in {', '.join(wrong)}; copy it again from its source"
        )


def _read_1(manifest: Json, entries: Mapping[str, bytes], path: Path) -> BundleContent:
    records = {name: _decode(entries[f"{name}.json"], f"{name}.json", path) for name in RECORDS}
    try:
        contract = Contract.from_json(records.pop("contract"))
    except ContractError as error:
        raise BundleDamagedError(f"the bundle {path} has no valid contract: {error}") from error
    return BundleContent(name=manifest["name"], model=entries[MODEL], contract=contract, **records)


READERS: dict[int, Callable[[Json, Mapping[str, bytes], Path], BundleContent]] = {1: _read_1}
"""A reader for every format ever written."""


def _decode(data: bytes, name: str, path: Path) -> Json:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleDamagedError(f"{name} in the bundle {path} is not JSON ({error}); it is not a bundle") from error
    if not isinstance(value, dict) or _deeper_than(value, MAX_DEPTH):
        raise BundleDamagedError(f"{name} in the bundle {path} is no object or nested too deeply; it is not a bundle")
    return value


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _check_promises(bundle: Bundle, path: Path) -> None:
    try:
        bundle.conformal  # noqa: B018 - read once and kept
    except BundleDamagedError as error:
        raise BundleDamagedError(f"the bundle {path} is damaged: {error}") from error


def _check_edges(facts: GraphFacts, contract: Contract, path: Path) -> None:
    def refuse(what: str) -> BundleDamagedError:
        return BundleDamagedError(f"the graph and the contract of {path} do not agree: {what}; train it again")

    widths = {kind.value: (BLOCK_DTYPES[kind], len(contract.of(kind))) for kind in Kind}
    names = [edge.name for edge in facts.inputs]
    if not names or len(set(names)) != len(names):
        raise refuse(f"its inputs are {names}")
    for edge in facts.inputs:
        if edge.name not in widths:
            raise refuse(f"it has an input {edge.name!r}")
        if (edge.dtype, edge.columns) != widths[edge.name]:
            dtype, columns = widths[edge.name]
            raise refuse(f"{edge.name} is {edge.dtype} ({edge.columns} columns), not {dtype} ({columns} columns)")
    outputs = [(edge.name, edge.dtype, edge.columns) for edge in facts.outputs]
    expected = ("scores", "float32", contract.width)
    if outputs != [expected]:
        raise refuse(f"its outputs are {outputs}, not {[expected]}")
