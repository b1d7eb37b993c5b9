"""Versions, champion and challenger, in MLflow; and the pointer that serving follows."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from artificer.bundle.container import check_seal, read_file
from artificer.bundle.format import SUFFIX
from artificer.bundle.pointer import Pointer, read_pointer, write_pointer
from artificer.clock import Clock, SystemClock
from artificer.errors import BundleError, MissingError
from artificer.problem.lock import FileLock
from artificer.registry import runs
from artificer.registry.bundles import SHA_TAG, BundleFolder
from artificer.registry.connection import Connection
from artificer.registry.owner import Ownership
from artificer.registry.records import Action, ModelVersion, Promotion, champions
from artificer.registry.waiting import waited
from artificer.types import Json

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
BUNDLE_FILE = f"model{SUFFIX}"
_PROMOTION = "artificer.promotion."
_RUN, _LINEAGE, _GATE = "artificer.run", "artificer.lineage", "artificer.gate"


class Registry:
    """The versions of one model.

    The alias ``champion`` in MLflow is the truth. A promotion sets it first, then writes the record of who, why and
    on what evidence, then the pointer ``<home>/champion.json`` that serving reads. A process that dies in between
    leaves a registry that is ahead of its pointer; :meth:`reconcile`, called at every start, brings the pointer up.
    The same method takes up a champion that was set in MLflow's own interface.

    Every method may be called from several threads and processes at once; changes wait for one another. Calling one
    of them a second time after it succeeded changes nothing, so that durable workflows can repeat a step.

    Parameters
    ----------
    home : folder of the pointer, of ``bundles/``, and by default of MLflow's database and artifacts.
    tracking_uri : any MLflow tracking server; None is SQLite in `home`.
    name : of the model and of the experiment; characters MLflow does not allow become dashes.
    owner : identity of the project, which marks the model as its own; None works with whatever has the name.

    Raises
    ------
    RegistryError
        (every method) The registry is out of reach or refused, or the model is another project's.
    BusyError
        (every change) Another process has been changing it for a minute.
    """

    def __init__(
        self,
        home: Path,
        tracking_uri: str | None,
        name: str,
        *,
        owner: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.home = Path(home)
        self.name = re.sub(r"[/:'\"`\\%\s]+", "-", name).strip("-") or "model"
        self.pointer_path = self.home / "champion.json"
        self.clock = clock or SystemClock()
        self._connection = Connection(self.home, tracking_uri)
        self._ownership = Ownership(self.name, owner, self.home, local=self._connection.local)
        self._bundles = BundleFolder(self.home / "bundles", self.name, self._connection)

    def warm(self) -> None:
        """Begin to load MLflow in the background (it takes seconds); worth calling when training starts."""
        self._connection.warm()

    # Versions

    def register(
        self,
        bundle_path: Path,
        metrics: Mapping[str, float],
        lineage: Json,
        params: Mapping[str, Any],
        *,
        run_id: str | None = None,
        gate: str | None = None,
    ) -> int:
        """Make a bundle the next version: an MLflow run with its metrics, parameters and lineage, the file within.

        Parameters
        ----------
        run_id : of the training run, as Artificer calls it; see :meth:`version_of_run`.
        gate : the acceptance gate's verdict.

        Returns
        -------
        The version; the one it already has when this very file was registered before.

        Raises
        ------
        MissingError, BundleDamagedError
            The file is absent, or not an intact bundle.
        """
        bundle_path = Path(bundle_path)
        sha256 = check_seal(read_file(bundle_path), bundle_path)
        tags = {SHA_TAG: sha256, _LINEAGE: runs.compact(lineage), _RUN: run_id or "", _GATE: gate or ""}
        tags = {key: value for key, value in tags.items() if value}
        with self._changing("registering a model") as client:
            known = next((v for v in self._listed(client) if v.tags.get(SHA_TAG) == sha256), None)
            if known is None:
                self._ownership.take(client)
                known = runs.register(
                    client,
                    self.name,
                    bundle_path,
                    BUNDLE_FILE,
                    runs.RunContent(metrics, params, {**runs.flat(lineage), **tags}, tags),
                    self._connection.artifacts,
                )
            version = int(known.version)
            self._bundles.fetch(known)
        return version

    def version_of_run(self, run_id: str) -> int | None:
        """Version that a training run became, or None."""
        with self._speaking("list versions") as client:
            return next((int(v.version) for v in self._listed(client) if v.tags.get(_RUN) == run_id), None)

    def versions(self) -> list[ModelVersion]:
        """Every version, newest first."""
        with self._speaking("list versions") as client:
            listed = self._listed(client)
            aliases = self._aliases(client)
            found = runs.by_id(client, [v.run_id for v in listed if v.run_id])
        return [self._record(version, aliases, found.get(version.run_id)) for version in listed]

    def version(self, number: int) -> ModelVersion:
        """One version.

        Raises
        ------
        MissingError
            There is none of that number; the message names those there are.
        """
        with self._speaking(f"find version {number}") as client:
            version = self._find(client, number)
            found = runs.by_id(client, [version.run_id] if version.run_id else [])
            return self._record(version, self._aliases(client), found.get(version.run_id))

    def champion(self) -> ModelVersion | None:
        """The version that answers, or None before the first promotion."""
        return self._by_alias(CHAMPION)

    def challenger(self) -> ModelVersion | None:
        """The version held against the champion, or None."""
        return self._by_alias(CHALLENGER)

    def bundle_path(self, version: int) -> Path:
        """Local file of a version's bundle, fetched from the registry if need be.

        Raises
        ------
        MissingError
            There is no such version.
        RegistryError
            The registry does not give its bundle, or gives another file than was registered.
        """
        with self._speaking(f"fetch the bundle of version {version}") as client:
            return self._bundles.fetch(self._find(client, version))[0]

    # Champion and challenger

    def promote(self, version: int, reason: str, *, who: str = "person", evidence: Json | None = None) -> Promotion:
        """Make `version` champion; the one before becomes what a rollback returns to.

        The bundle is fetched and checked before anything changes. Promoting the champion again only mends the pointer.

        Returns
        -------
        The record of the change (the standing one where nothing changed).

        Raises
        ------
        MissingError
            There is no such version.
        """
        with self._changing(f"promoting version {version}") as client:
            return self._make_champion(client, version, "promote", reason, who, evidence or {})

    def rollback(
        self, reason: str, *, who: str = "person", evidence: Json | None = None, expected: int | None = None
    ) -> int:
        """Give the place back to the champion before; called again, to the one before that.

        Parameters
        ----------
        expected : the champion to be taken back; where it no longer is champion nothing changes, so that a workflow
            may repeat the step.

        Returns
        -------
        The version that is champion now.

        Raises
        ------
        MissingError
            There is no champion, or none before it.
        """
        with self._changing("rolling back") as client:
            champion = self._aliases(client).get(CHAMPION)
            target = self._target(client)
            records = self._promotions(client)
            recorded = records[-1].version if records else None
            begun = recorded == expected and champion == target  # this very rollback, by a process that died
            if champion is not None and expected not in (None, champion) and not begun:
                self._reconcile(client)
                return champion
            if champion is not None and champion not in (target, recorded):
                # Made champion by other hands, or by a promotion that died: the record before it is the way back.
                self._reconcile(client)
                target = self._target(client)
            if champion is None or target is None:
                only = "there is no champion" if champion is None else f"version {champion} is the only champion yet"
                raise MissingError(f"{self.name} cannot be rolled back: {only}; promote a version instead")
            return self._make_champion(client, target, "rollback", reason, who, evidence or {}).version

    def rollback_target(self) -> int | None:
        """Version that a rollback would return to, or None."""
        with self._speaking("find the champion before") as client:
            return self._target(client)

    def set_challenger(self, version: int | None) -> None:
        """Name the version that is held against the champion, or none.

        Raises
        ------
        MissingError
            There is no such version.
        """
        with self._changing("naming a challenger") as client:
            if version is None:
                if CHALLENGER in self._aliases(client):
                    client.delete_registered_model_alias(self.name, CHALLENGER)
            else:
                self._find(client, version)
                client.set_registered_model_alias(self.name, CHALLENGER, version)

    def promotions(self) -> list[Promotion]:
        """Every change of champion, oldest first."""
        with self._speaking("list promotions") as client:
            return self._promotions(client)

    def reconcile(self) -> Pointer | None:
        """Bring the pointer to the registry's champion; called at start.

        Returns
        -------
        The pointer as it stands now; None where the registry has no champion (a pointer that is there then stays).
        """
        with self._changing("reconciling") as client:
            return self._reconcile(client)

    # Inside: a client in hand, the lock held where something changes

    @contextlib.contextmanager
    def _speaking(self, doing: str) -> Iterator[Any]:
        with self._connection.speaking(doing) as client:
            self._ownership.check(client)
            yield client

    @contextlib.contextmanager
    def _changing(self, doing: str) -> Iterator[Any]:
        _ = self._connection.client  # connect first: making the database takes the same lock
        lock = FileLock(self.home / "registry.lock", doing, clock=self.clock)
        with waited(lock), self._connection.speaking(f"finish {doing}") as client:
            self._ownership.check(client, changing=True)
            yield client

    def _listed(self, client: Any) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = client.search_model_versions(f"name='{self.name}'", max_results=200, page_token=token)
            found += page
            token = page.token
            if not token:
                return sorted(found, key=lambda v: -int(v.version))

    def _model(self, client: Any) -> Any:
        models = client.search_registered_models(f"name='{self.name}'", max_results=1)
        return models[0] if models else None

    def _aliases(self, client: Any) -> dict[str, int]:
        model = self._model(client)
        return {} if model is None else {alias: int(version) for alias, version in model.aliases.items()}

    def _find(self, client: Any, number: int) -> Any:
        listed = self._listed(client)
        found = next((v for v in listed if int(v.version) == number), None)
        if found is None:
            have = ", ".join(str(v.version) for v in reversed(listed[:20])) or "none yet"
            raise MissingError(f"{self.name} has no version {number}; it has {have}")
        return found

    def _by_alias(self, alias: str) -> ModelVersion | None:
        with self._speaking(f"find the {alias}") as client:
            number = self._aliases(client).get(alias)
        return None if number is None else self.version(number)

    def _record(self, version: Any, aliases: Mapping[str, int], run: Any) -> ModelVersion:
        number = int(version.version)
        path = self._bundles.place(number)
        try:
            lineage = json.loads(version.tags.get(_LINEAGE, "{}"))
        except ValueError:
            lineage = {}
        return ModelVersion(
            version=number,
            created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
            run_id=version.run_id or "",
            sha256=version.tags.get(SHA_TAG, ""),
            aliases=tuple(sorted(alias for alias, holder in aliases.items() if holder == number)),
            metrics=dict(run.data.metrics) if run else {},
            params=dict(run.data.params) if run else {},
            lineage=lineage,
            bundle=path if path.exists() else None,
        )

    def _promotions(self, client: Any) -> list[Promotion]:
        model = self._model(client)
        tags = {} if model is None else model.tags
        return [Promotion.from_text(tags[key]) for key in sorted(tags) if key.startswith(_PROMOTION)]

    def _target(self, client: Any) -> int | None:
        there = {int(v.version) for v in self._listed(client)}
        line = champions(self._promotions(client))[:-1]
        return next((version for version in reversed(line) if version in there), None)

    def _make_champion(
        self, client: Any, version: int, action: Action, reason: str, who: str, evidence: Json
    ) -> Promotion:
        found = self._find(client, version)
        path, sha256 = self._bundles.fetch(found)
        aliases = self._aliases(client)
        before = aliases.get(CHAMPION)
        if before != version:
            client.set_registered_model_alias(self.name, CHAMPION, version)
        records = self._promotions(client)
        record = records[-1] if records else None
        if record is None or record.version != version:
            # The alias may already stand where an earlier attempt died: then the record before tells the previous one.
            previous = before if before != version else (record.version if record else None)
            number = record.number + 1 if record else 1
            record = Promotion(number, action, version, previous, who, reason, evidence, self.clock.now())
            runs.keep_record(client, self.name, f"{_PROMOTION}{number:06d}", record, found.run_id)
            self._name_previous(client)
        if aliases.get(CHALLENGER) == version:
            client.delete_registered_model_alias(self.name, CHALLENGER)
        self._point(version, path, sha256, record.at)
        return record

    def _name_previous(self, client: Any) -> None:
        target = self._target(client)
        if target is not None:
            client.set_registered_model_alias(self.name, PREVIOUS, target)
        elif PREVIOUS in self._aliases(client):
            client.delete_registered_model_alias(self.name, PREVIOUS)

    def _reconcile(self, client: Any) -> Pointer | None:
        champion = self._aliases(client).get(CHAMPION)
        if champion is None:
            return None
        reason = "found as champion in the registry: an interrupted promotion, or one made outside Artificer"
        self._make_champion(client, champion, "reconcile", reason, "artificer", {})
        return read_pointer(self.pointer_path)

    def _point(self, version: int, path: Path, sha256: str, at: datetime) -> None:
        bundle = path.relative_to(self.home).as_posix()
        pointer = Pointer(self.name, version, bundle, sha256, at)
        try:
            if read_pointer(self.pointer_path) == pointer:
                return
        except (BundleError, MissingError):
            pass  # absent or unreadable: written anew below
        write_pointer(self.pointer_path, pointer)
