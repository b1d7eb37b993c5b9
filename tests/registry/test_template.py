import sqlite3
from pathlib import Path

import pytest

from artificer.registry import template


def statements(sql: str) -> list[str]:
    """In an order of their own: that of indexes differs from run to run."""
    return sorted(sql.split(";\n"))


@pytest.mark.slow
def test_template_is_what_migrations_make(tmp_path: Path) -> None:
    header, _, sql = template.SCHEMA.read_text(encoding="utf-8").partition("\n")
    assert header == f"-- MLflow {template.installed()}", "renew it with python -m artificer.registry.template"
    template.migrate(tmp_path / "migrated.db")
    assert statements(template.dump(tmp_path / "migrated.db")) == statements(sql)


@pytest.mark.slow
def test_other_mlflow_versions_migrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "installed", lambda: "0.0.0")
    template.make_database(tmp_path / "other.db")
    monkeypatch.undo()
    template.make_database(tmp_path / "quick.db")

    def tables(path: Path) -> list[str]:
        query = "select sql from sqlite_master where name not like 'sqlite_%' order by name"
        return [row[0] for row in sqlite3.connect(path).execute(query)]

    assert tables(tmp_path / "other.db") == tables(tmp_path / "quick.db")
