"""The scoring format changes with everything that stored rows rest on, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from counterpoise.detectors.tracks import DETECTORS
from counterpoise.metrics import scoring_format as module
from counterpoise.metrics.scoring_format import SCORING_FORMAT, scoring_format
from counterpoise.metrics.specs.metric_registry import SPECS


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


def test_words_about_a_detector_are_no_part_of_it() -> None:
    summaries = list(module._SUMMARIES)
    reworded = tuple(replace(one, about="other words", metric="other") for one in DETECTORS)
    summaries[1] = (reworded, *summaries[1][1:])  # type: ignore[index]
    assert scoring_format(summaries=tuple(summaries)) == SCORING_FORMAT
    moved = tuple(replace(one, line=one.line + 0.01) for one in DETECTORS)
    summaries[1] = (moved, *summaries[1][1:])  # type: ignore[index]
    assert scoring_format(summaries=tuple(summaries)) != SCORING_FORMAT
