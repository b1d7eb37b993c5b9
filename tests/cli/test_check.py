"""`artificer check`: what a person, a program and a pipeline get of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from artificer.cli.app import main


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])
    return int(str(ended.value.code))


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "sheet.csv"
    lines = [f"{i % 7}.5,{'yes' if i % 2 else 'no'},{'yes' if i % 2 else 'no'},same" for i in range(120)]
    path.write_text("\n".join(["size,told,sold,<b>made</b>", *lines]))
    return path


def test_the_document(sheet: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "findings.html"
    assert call(str(sheet), "--target", "sold", "--json", "--output", str(page)) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "artificer.check/1"
    rules = {(finding["rule"], finding["column"]) for finding in document["findings"]}
    assert {("leakage", "told"), ("constant", "<b>made</b>")} <= rules
    severities = [finding["severity"] for finding in document["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert document["rows"] == {"read": 120, "rejected": 0, "checked": 120}
    assert sum(document["counts"].values()) == len(document["findings"])
    assert {run["state"] for run in document["checks"]} == {"done"}
    text = page.read_text()
    assert "&lt;b&gt;made" in text
    assert "<script" not in text
    assert "<b>made" not in text


def test_a_person_reads_the_worst_first(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(str(sheet), "--target", "sold") == 0
    out = capsys.readouterr().out
    assert out.index("warning leakage") < out.index("info constant")
    assert "rows and 4 columns" in out


def test_a_pipeline_is_stopped(sheet: Path) -> None:
    assert call(str(sheet), "--target", "sold", "--fail-on", "warning") == 1
    assert call(str(sheet), "--target", "sold", "--fail-on", "error") == 0
    assert call(str(sheet), "--fail-on", "nonsense") == 2


def test_no_target_is_needed(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(str(sheet), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["target"] is None
    assert ("constant", "<b>made</b>") in {(f["rule"], f["column"]) for f in document["findings"]}


def test_what_cannot_be_checked_is_one_sentence(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 2
    assert call(str(sheet.parent / "none.csv")) == 1
    assert call(str(sheet), "--target", "sodl") == 1
    assert call(str(sheet), "--project", str(sheet.parent), "--target", "sold") == 2
    errors = capsys.readouterr().err
    assert "there is nothing to check" in errors
    assert "sold" in errors
    assert "Traceback" not in errors


def test_a_project_says_what_its_columns_are(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sheet.parent / "artificer.toml").write_text('[data]\nsource = "sheet.csv"\ntarget = "sold"\ndrop = ["told"]\n')
    assert call("--project", str(sheet.parent), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["target"] == "sold"
    assert "leakage" not in {finding["rule"] for finding in document["findings"]}


@pytest.mark.parametrize(("broken", "severity"), [(1, "warning"), (30, "error")])
def test_lines_that_cannot_be_read_are_a_finding(
    broken: int, severity: str, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet.write_text(sheet.read_text() + "\nbroken,line" * broken)
    assert call(str(sheet), "--json") == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    (found,) = [finding for finding in findings if finding["rule"] == "unreadable_lines"]
    assert found["severity"] == severity
    assert found["evidence"].startswith(f"{broken} lines")
