"""Every registered algorithm passes the contract suite."""

import pytest

from artificer.algorithms.base import algorithms
from artificer.testing.algorithms import checks

SLOW = {"check_deadline_ends_a_long_fit"}


def cases():
    for name, algorithm in algorithms().items():
        for check in checks():
            marks = [pytest.mark.slow] if check.__name__ in SLOW else []
            if not algorithm.available():
                marks.append(pytest.mark.skip(reason=f"{', '.join(algorithm.absent())} not installed"))
            yield pytest.param(algorithm, check, id=f"{name}-{check.__name__.removeprefix('check_')}", marks=marks)


@pytest.mark.parametrize(("algorithm", "check"), list(cases()))
def test_contract(algorithm, check):
    check(algorithm)
