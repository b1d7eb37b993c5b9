"""Files of a run: what is kept where there is room, and what is not where there is none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from artificer.search import scratch
from artificer.search.scratch import FolderStore
from artificer.search.tasks import Encoded


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no shared memory here")  # noqa: S108
def test_matrices_in_shared_memory_leave_memory_for_the_fits(monkeypatch):
    encoded = Encoded(np.ones((100, 10), np.float32), np.ones((20, 10), np.float32), None, 0.1)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        store = FolderStore(Path(folder))
        monkeypatch.setattr(scratch, "available_mb", lambda: 10.0)
        store.put("few", encoded)
        assert store.get("few") is None
        monkeypatch.setattr(scratch, "available_mb", lambda: 10_000.0)
        store.put("few", encoded)
        kept = store.get("few")
        assert kept is not None
        assert np.array_equal(kept.train, encoded.train)
