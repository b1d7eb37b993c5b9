"""The one door to MLflow: imported late, kept quiet, its errors turned into sentences."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from artificer.errors import ConfigurationError, RegistryError
from artificer.problem.lock import FileLock
from artificer.registry import runs
from artificer.registry.waiting import waited

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # its errors become one sentence; it would print their traces as well
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow's own seven retries keep a command waiting for minutes when a server is gone.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Set before MLflow is imported, unless the user has set them."""


_opening = threading.RLock()
"""Of all connections: two threads that import MLflow at once, each for its own, would see halves of its modules."""

DATABASE_PORTS = {"postgresql": 5432, "postgres": 5432, "mysql": 3306, "mssql": 1433}


class Connection:
    """A registry's MLflow client, made when first needed.

    Parameters
    ----------
    home : where the default database and its artifacts lie.
    uri : any MLflow tracking URI; None is the SQLite database ``<home>/mlflow.db``.
    """

    def __init__(self, home: Path, uri: str | None) -> None:
        self.home = Path(home).absolute()
        self.local = uri is None
        self.database = self.home / "mlflow.db"
        if uri is None and "?" in str(self.database):
            raise ConfigurationError(
                f"{self.database} cannot be a registry because of the question mark in its path; set stores.home "
                "to a path without one"
            )
        self.uri = uri or f"sqlite:///{self.database}"
        self._client: Any = None

    @property
    def artifacts(self) -> runs.ArtifactRoot:
        """Where runs keep their files: a server decides for itself, a bare database would take ``./mlruns``."""
        if urlsplit(self.uri).scheme.startswith(("http", "databricks")):
            return runs.ArtifactRoot(None, False)
        return runs.ArtifactRoot(self.home / "artifacts", self.local)

    @property
    def shown(self) -> str:
        """The URI as people may see it: without a password."""
        return _without_password(self.uri)

    def warm(self) -> threading.Thread:
        """Begin to import and connect in the background, so that a later call need not wait; errors wait for it."""

        def work() -> None:
            # Whatever is wrong is said by the call that needs the connection.
            with contextlib.suppress(RegistryError, ConfigurationError):
                _ = self.client

        # Not a daemon: a process that ended during an import of compiled modules would crash.
        thread = threading.Thread(target=work, name="artificer-registry")
        thread.start()
        return thread

    @property
    def client(self) -> Any:
        """The MLflow client.

        Raises
        ------
        RegistryError
            The registry is out of reach, or its database was made by another version of MLflow.
        """
        with _opening:
            if self._client is None:
                self._client = self._open()
            return self._client

    @contextlib.contextmanager
    def speaking(self, doing: str) -> Iterator[Any]:
        """Give the client for one piece of work, `doing` in words, and turn MLflow's errors into a RegistryError."""
        client = self.client
        with self._translated(doing):
            yield client

    def local_path(self, uri: str) -> Path | None:
        """The file behind an artifact URI, where that is a file of this machine."""
        parts = urlsplit(uri)
        if parts.scheme == "file":
            return Path(unquote(parts.path))
        return Path(uri) if parts.scheme == "" else None

    def _open(self) -> Any:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        with self._translated("open"):
            self._knock()
            if self.local and not self.database.exists():
                self._make_database()
            from mlflow.tracking import MlflowClient

            return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def _knock(self) -> None:
        """See whether a database server is there: MLflow alone would try for minutes."""
        parts = urlsplit(self.uri)
        port = DATABASE_PORTS.get(parts.scheme.partition("+")[0])
        if port is not None and parts.hostname:
            socket.create_connection((parts.hostname, parts.port or port), timeout=10).close()

    def _make_database(self) -> None:
        from artificer.registry.template import make_database

        self.home.mkdir(parents=True, exist_ok=True)
        with waited(FileLock(self.home / "registry.lock", "making the registry")):
            if self.database.exists():
                return
            # Made beside its place: a process killed halfway would otherwise leave a database MLflow cannot mend.
            draft = self.home / f".mlflow.db.{os.getpid()}.tmp"
            try:
                draft.unlink(missing_ok=True)
                make_database(draft)
                os.replace(draft, self.database)
            finally:
                draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError) as error:
            raise RegistryError(f"the registry {self.shown} could not {doing}: {self._cause(error)}") from error

    def _cause(self, error: Exception) -> str:
        text = _without_password(" ".join(str(error).split()))
        if "out-of-date database schema" in text:
            return f'its database is of another MLflow version; run "mlflow db upgrade {self.shown}" after a backup'
        if "Max retries exceeded" in text or isinstance(error, ConnectionError | socket.gaierror | TimeoutError):
            return "no answer from its server; check that it runs and that stores.registry is right"
        text = re.sub(r"^\([\w.]+Error\) ", "", text.partition(" [SQL: ")[0])
        first = text.partition(". ")[0][:300].rstrip(".")
        return f"{first}; check that it can be reached and written to, and run the command again"


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)
