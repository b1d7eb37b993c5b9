"""Cut a lock file down to some packages and what they need, hashes and all.

    python deploy/subset.py requirements.lock deploy/serving.txt > serving.lock

What needs what stands in the lock's own "via" comments.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def subset(lock: str, wanted: str) -> str:
    """Give the entries of `lock` that `wanted` names, and those that these need."""
    # A package may have several entries, for several versions of Python.
    entries = [
        (re.split(r"[\[=]", text, maxsplit=1)[0], text)
        for text in re.findall(r"^[A-Za-z0-9].*(?:\n[ \t]+.*)*", lock, flags=re.MULTILINE)
    ]
    needed_by: dict[str, set[str]] = {}
    for name, text in entries:
        needed_by.setdefault(name, set()).update(re.findall(r"[A-Za-z0-9._-]+", text.rpartition("# via")[2]))
    chosen = {line.strip() for line in wanted.splitlines() if line.strip() and not line.startswith("#")}
    absent = chosen - set(needed_by)
    if absent:
        raise SystemExit(f"the lock lacks {', '.join(sorted(absent))}; make the lock anew, or correct the list")
    while more := {name for name, by in needed_by.items() if by & chosen} - chosen:
        chosen |= more
    return "\n".join(text for name, text in entries if name in chosen) + "\n"


if __name__ == "__main__":
    sys.stdout.write(subset(*(Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3])))
