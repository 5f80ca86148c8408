"""The examples in the docstrings of the report, its plots and the formats of values hold."""

from __future__ import annotations

import doctest

import pytest

from counterpoise import formats, spans
from counterpoise.plots import marks as charts
from counterpoise.plots import scale
from desk.report import html_tables as tables


@pytest.mark.parametrize("module", [charts, scale, tables, formats, spans])
def test_examples(module: object) -> None:
    done = doctest.testmod(module)  # type: ignore[arg-type]
    assert done.attempted > 0
    assert done.failed == 0
