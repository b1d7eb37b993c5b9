"""An empty MLflow database, ready-made.

MLflow makes a new SQLite database by replaying every migration of its history, which takes 2 to 6 seconds. The outcome
is always the same, so it is kept here as SQL, made by those same migrations, and used when the installed MLflow is the
version it was made with; any other version replays its migrations. After an update of MLflow, renew it with
``python -m artificer.registry.template``.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from importlib.metadata import version
from pathlib import Path

SCHEMA = Path(__file__).with_name("schema.sql")
_HEADER = "-- MLflow "


def installed() -> str:
    """Version of MLflow that is installed."""
    return version("mlflow-skinny")


def make_database(path: Path) -> None:
    """Make an empty MLflow database at `path`, from the template or by MLflow's migrations."""
    header, _, sql = SCHEMA.read_text(encoding="utf-8").partition("\n")
    if header == _HEADER + installed():
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)
        return
    from mlflow.tracking import MlflowClient

    MlflowClient(tracking_uri=f"sqlite:///{path}", registry_uri=f"sqlite:///{path}").search_registered_models()


def migrate(path: Path) -> None:
    """Make the database by MLflow's migrations alone, without the default experiment that a first client adds."""
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine_with_retry

    engine = create_sqlalchemy_engine_with_retry(f"sqlite:///{path}")
    _initialize_tables(engine)
    engine.dispose()


def dump(path: Path) -> str:
    """Give the database at `path` as SQL."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        migrate(path)
        SCHEMA.write_text(f"{_HEADER}{installed()}\n{dump(path)}", encoding="utf-8")


if __name__ == "__main__":
    main()
