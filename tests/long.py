"""Cases of a test that `make test` leaves out, and `make test-long` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet


def long(*cases: object) -> list[ParameterSet]:
    """These cases of `pytest.mark.parametrize`, marked; a tuple is one case of several arguments."""
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long) for case in cases]
