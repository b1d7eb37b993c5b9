"""Whose a registered model is: projects of one name on one tracking server must not move each other's champion."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from artificer.bundle.pointer import read_pointer
from artificer.errors import BundleError, MissingError, RegistryError

OWNER, PLACE = "artificer.owner", "artificer.owner.place"
"""Tags of a registered model: the identity of the project it belongs to, and where that project was last seen."""


class Ownership:
    """Keeps a project to its own model.

    The database in the project's own home is nobody else's, so there nothing is refused, and a model whose project has
    a new name (its folder was renamed) follows it.

    Parameters
    ----------
    name : of the model.
    owner : identity of the project; None neither marks nor refuses.
    home : of the project, where its pointer is.
    local : the registry is the database in the home.
    """

    def __init__(self, name: str, owner: str | None, home: Path, *, local: bool) -> None:
        self.name = name
        self.owner = owner
        self._home = home.absolute()
        self._local = local
        self._ours = False

    def check(self, client: Any, *, changing: bool = False) -> None:
        """See that the model is this project's or nobody's; `changing` marks one that is nobody's.

        Raises
        ------
        RegistryError
            It is another project's, or this project's champion is a version of a model of another name.
        """
        if self.owner is None or self._ours:
            return
        model = self._model(client)
        if self._local:
            model = model or self._followed(client)
        else:
            self._check_pointer()
        if model is None:
            return
        holder = model.tags.get(OWNER)
        if holder not in (None, self.owner) and not self._local:
            where = model.tags.get(PLACE, "an unknown place")
            raise RegistryError(
                f'the registry\'s model "{self.name}" belongs to another project, which keeps its things in '
                f'{where}; set another name at the top of artificer.toml, like name = "{self.name}-2", or delete the '
                f"model's tag {OWNER} where that project is no more"
            )
        if changing:
            for key, value in self._tags().items():
                if model.tags.get(key) != value:
                    client.set_registered_model_tag(self.name, key, value)
            self._ours = True

    def take(self, client: Any) -> None:
        """Have the model, made and marked in one step where there is none.

        Raises
        ------
        RegistryError
            As :meth:`check`; or another project made it a moment ago.
        """
        self.check(client, changing=True)
        if self._model(client) is None:
            client.create_registered_model(self.name, tags=self._tags())

    def _model(self, client: Any) -> Any:
        models = client.search_registered_models(f"name='{self.name}'", max_results=1)
        return models[0] if models else None

    def _followed(self, client: Any) -> Any:
        """The model under the name that the project had before, renamed."""
        found = client.search_registered_models(f"tags.`{OWNER}` = '{self.owner}'", max_results=2)
        if len(found) != 1:
            return None
        client.rename_registered_model(found[0].name, self.name)
        return self._model(client)

    def _check_pointer(self) -> None:
        """In a shared registry a copy under a new name must neither take the model along nor mix its bundles in."""
        try:
            pointer = read_pointer(self._home / "champion.json")
        except (BundleError, MissingError):
            return
        if pointer.name != self.name:
            raise RegistryError(
                f'this project\'s champion is version {pointer.version} of the model "{pointer.name}", and the project '
                f'is called "{self.name}" now; set name = "{pointer.name}" at the top of artificer.toml to go on with '
                f"it, or move {self._home} away to begin anew"
            )

    def _tags(self) -> dict[str, str]:
        if self.owner is None:
            return {}
        return {OWNER: self.owner, PLACE: f"{self._home} on {socket.gethostname()}"[:500]}
