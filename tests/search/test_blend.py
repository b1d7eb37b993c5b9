"""What one more candidate brings to an average of those before it."""

from __future__ import annotations

import numpy as np
import pytest

from artificer.search.blend import Blend
from artificer.search.objective import Objective
from artificer.types import Task


@pytest.mark.parametrize(("weighted", "gains"), [(False, True), (True, False)])
def test_a_gain_on_rows_that_do_not_count_is_none(weighted: bool, gains: bool) -> None:
    rng = np.random.default_rng(0)
    y, counts = rng.normal(size=400), np.repeat([1.0, 0.0], 200)
    first = y + rng.normal(size=400)
    second = np.where(counts > 0, first, y)
    blend = Blend(Objective(None, Task.REGRESSION), [y], [counts] if weighted else None)
    blend.join([first[:, None]], least=0.01)
    assert blend.join([second[:, None]], least=0.01) is gains
