"""A project on disk: its folder, its problem, and the place of everything it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from artificer.clock import Clock
from artificer.errors import ArtificerError, ConfigurationError
from artificer.problem.identity import make_identity, read_identity
from artificer.problem.load import PROJECT_FILE, load_problem
from artificer.problem.lock import FileLock
from artificer.problem.model import Problem
from artificer.problem.places import Place, place_of


@dataclass(frozen=True)
class Project:
    """A folder with an ``artificer.toml``, and the paths that follow from it. Opening one writes nothing.

    Attributes
    ----------
    dir : the folder, absolute.
    """

    dir: Path
    problem: Problem

    @property
    def name(self) -> str:
        """The project's and its model's name: the one in its file, else the folder's."""
        return self.problem.name or self.dir.name or "project"

    @property
    def identity(self) -> str:
        """What tells this project from another of the same name: drawn once, kept in the home, moves with it.

        Raises
        ------
        ConfigurationError
            The file that keeps it is damaged.
        ArtificerError
            It cannot be read, or there is none yet and the home cannot be made.
        """
        found = read_identity(self.identity_file)
        if found is None:
            self.prepare()
            found = read_identity(self.identity_file)
        if found is None:
            raise ArtificerError(f"{self.identity_file} was removed a moment ago; run the command again")
        return found

    @property
    def file(self) -> Path:
        return self.dir / PROJECT_FILE

    @property
    def home(self) -> Path:
        """The folder of everything that is kept."""
        return self.path(self.problem.stores.home)

    @property
    def bundles(self) -> Path:
        return self.home / "bundles"

    @property
    def runs(self) -> Path:
        """The folder of run records and reports, one folder a run."""
        return self.home / "runs"

    @property
    def champion_file(self) -> Path:
        """The pointer to the champion, all that serving reads of the registry."""
        return self.home / "champion.json"

    @property
    def journal(self) -> Place:
        """The journal's file, or its database."""
        place = self.problem.stores.journal
        if place is None:
            return self.home / "journal.sqlite"
        return place_of(place) if "://" in place else self.path(place)

    @property
    def tokens(self) -> Path:
        """The hashes of the tokens that the service asks for; where the file is absent it asks for none."""
        return self.home / "tokens.json"

    @property
    def audit(self) -> Path:
        """Who changed what of the service and its tokens, and when."""
        return self.home / "audit.jsonl"

    @property
    def holdout_ledger(self) -> Path:
        """Who read the test set, when and why."""
        return self.home / "holdout.jsonl"

    @property
    def lock_file(self) -> Path:
        return self.home / "lock"

    @property
    def identity_file(self) -> Path:
        return self.home / "identity"

    @property
    def source(self) -> str:
        """The table to learn from: a path made absolute, or a URL as it stands.

        Raises
        ------
        ConfigurationError
            The project names none.
        """
        place = self.problem.data.source
        if place is None:
            raise ConfigurationError(f'{self.file}: [data] lacks source; add source = "...", the path of the table')
        return place if "://" in place else str(self.path(place))

    def store_url(self, store: Literal["registry", "loop"]) -> str | None:
        """The URL of a store with its secrets read from the environment now; None where the home is used.

        Raises
        ------
        ConfigurationError
            It names an environment variable that is not set.
        """
        url = self.problem.stores.registry if store == "registry" else self.problem.stores.loop
        return url.resolve() if url else None

    def path(self, place: str) -> Path:
        """A path of the project file: relative ones start at the project's folder."""
        try:
            return self.dir / Path(place).expanduser()
        except RuntimeError:
            raise ConfigurationError(f"{self.file}: {place} names a home folder that does not exist") from None

    def prepare(self) -> None:
        """Make the folders that work writes to, keep them out of version control, and draw the project's identity.

        Raises
        ------
        ArtificerError
            They cannot be made.
        """
        try:
            for folder in (self.home, self.bundles, self.runs):
                folder.mkdir(parents=True, exist_ok=True)
            ignore = self.home / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            make_identity(self.identity_file)
        except OSError as error:
            raise ArtificerError(
                f"{self.home} cannot be made ({error.strerror or error}); make {self.dir} writable or set stores.home"
            ) from None

    def lock(self, purpose: str = "working", clock: Clock | None = None) -> FileLock:
        """Hold the project against other processes that change it: ``with project.lock("training"): ...``.

        Parameters
        ----------
        purpose : what the holder does, as the refused one reads it: "process 41 has been training in shop since ...".

        Raises
        ------
        BusyError
            On entering, where another process holds it.
        """
        return FileLock(self.lock_file, purpose, clock, place=str(self.dir))


def open_project(dir: Path | str = ".") -> Project:
    """Open the project of a folder (or of the ``artificer.toml`` in it).

    Raises
    ------
    MissingError
        There is no such folder, or no ``artificer.toml`` in it.
    ConfigurationError
        The file does not hold together; the sentence names the line.
    """
    folder = Path(dir).expanduser()
    if folder.name == PROJECT_FILE and not folder.is_dir():
        folder = folder.parent
    problem = load_problem(folder)
    return Project(folder.resolve(), problem)
