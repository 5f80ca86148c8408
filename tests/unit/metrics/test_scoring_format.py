"""The scoring format changes with everything that stored rows rest on, and with nothing else."""

from __future__ import annotations

import pytest

from counterpoise.metrics import scoring_format as module
from counterpoise.metrics.scoring_format import SCORING_FORMAT, scoring_format
from counterpoise.metrics.specs.registry import SPECS


def test_it_is_the_same_for_the_same() -> None:
    assert scoring_format() == scoring_format(dict(reversed(list(SPECS.items())))) == SCORING_FORMAT


def test_it_changes_with_a_metric() -> None:
    fewer = dict(SPECS)
    fewer.pop("hhi")
    assert scoring_format(fewer) != SCORING_FORMAT


@pytest.mark.parametrize("part", range(len(module._SUMMARIES)))
def test_it_changes_with_what_the_other_rows_rest_on(part: int) -> None:
    summaries = list(module._SUMMARIES)
    summaries[part] = (summaries[part], "other")
    assert scoring_format(summaries=tuple(summaries)) != SCORING_FORMAT
