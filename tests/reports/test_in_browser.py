"""The report in a real browser, which says more than a parser does."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artificer.reports.run import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs a browser: apt-get install -y chromium")


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_it_renders_without_a_word_on_the_console(
    tmp_path: Path, document: Callable[[str], dict[str, Any]], task: str
) -> None:
    made = document(task) | {"name": "<script>console.error('ran')</script>"}
    path = write_report(made, tmp_path / "report.html")
    found = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    console = [line for line in found.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
    assert "<h1>Predicting <em>status</em></h1>" in found.stdout
    # A browser closes what is left open, so the parts are all there only if none swallowed the next.
    assert len(re.findall("<section ", found.stdout)) == len(re.findall("<section ", path.read_text(encoding="utf-8")))
    assert found.stdout.count("</svg>") >= 4
