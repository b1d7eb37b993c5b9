"""Run every benchmark one after the other, each in a process of its own; results go to ``benchmarks/results``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = (
    ("startup.py",),
    ("serving.py", "--peers", "none"),
    ("stream.py",),
    ("incremental.py",),
    ("train_tables.py",),
    ("automl.py", "--budget", "60"),
    ("large_table.py",),
    ("profile.py",),
)
"""The comparison with other frameworks makes their environments on first use, which downloads a few GB."""


def main() -> int:
    here = Path(__file__).parent
    failed = 0
    for name, *options in SCRIPTS:
        print(f"== {name}", flush=True)
        failed += bool(subprocess.run([sys.executable, str(here / name), *options], check=False).returncode)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
