"""What the stored rows of a height hold, as a hash: a dataset with another hash was scored by another version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from counterpoise.detectors.tracks import (
    BLOCKS_PER_YEAR,
    DETECTORS,
    HHI_GROUP_BLOCKS,
    LEADERS_WINDOW_BLOCKS,
    PROMISES_YEARS,
)
from counterpoise.estimates.drift import DRIFT_HISTORY_BLOCKS, DRIFT_WINDOW_BLOCKS, SHIPPED_DRIFT, SHIPPED_WEIGHT
from counterpoise.estimates.forecast import FORECAST_BLOCKS, FORECAST_EVERY, FORECAST_LINE
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.sql_terms import SQL_TERMS, terms_of
from counterpoise.metrics.stored_integers import STORED_COLUMNS
from counterpoise.windows import DAILY_BUCKET_BLOCKS, SPANS_DAYS

SUMMARIES_VERSION: Final = 4
"""Of the formulas of detectors, drift, forecasts and windows of time.

Raise it where a change gives other rows for equal blocks and constants.
"""

_SUMMARIES: Final = (
    SUMMARIES_VERSION,
    (DETECTORS, PROMISES_YEARS, BLOCKS_PER_YEAR, LEADERS_WINDOW_BLOCKS, HHI_GROUP_BLOCKS),
    (sorted(SHIPPED_DRIFT.items()), SHIPPED_WEIGHT, DRIFT_WINDOW_BLOCKS, DRIFT_HISTORY_BLOCKS),
    (FORECAST_EVERY, FORECAST_BLOCKS, FORECAST_LINE),
    SPANS_DAYS,
)


def scoring_format(specs: Mapping[str, MetricSpec] = SPECS, summaries: object = _SUMMARIES) -> str:
    """12 hexadecimal digits over stored columns, metrics with their formulas, and what the summaries rest on."""
    formulas = {name: spec.sql for name, spec in specs.items()}
    terms = {term: SQL_TERMS[term] for term in terms_of(formulas.values())}
    text = repr((STORED_COLUMNS, sorted(formulas.items()), terms, DAILY_BUCKET_BLOCKS, summaries))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


SCORING_FORMAT: Final = scoring_format()
