import re
from pathlib import Path

import pytest

from artificer.registry import template


def statements(sql: str) -> list[list[str]]:
    """Words of each statement, sorted: the order of indexes and of allowed values differs from run to run."""
    return sorted(sorted(re.findall(r"\w+", statement)) for statement in sql.split(";\n"))


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

    def tables(path: Path) -> list[list[str]]:
        return [words for words in statements(template.dump(path)) if "INSERT" not in words]

    assert tables(tmp_path / "other.db") == tables(tmp_path / "quick.db")
