from pathlib import Path

import pytest

from artificer.bundle.format import BundleContent
from artificer.testing.bundles import a_bundle, a_content


@pytest.fixture
def content() -> BundleContent:
    return a_content()


@pytest.fixture
def bundle_path(tmp_path: Path) -> Path:
    path = tmp_path / "model.artificer"
    a_bundle(path)
    return path
