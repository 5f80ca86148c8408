"""What the stored rows of a height hold, as a hash: a dataset with another hash was scored by another version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from counterpoise.detectors.tracks import DETECTORS, PROMISES_YEARS
from counterpoise.estimates.drift import PAIRS
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.registry import SPECS
from counterpoise.metrics.sql_terms import SQL_TERMS, terms_of
from counterpoise.metrics.stored_integers import STORED_COLUMNS
from counterpoise.windows import DAILY_BUCKET_BLOCKS


def scoring_format(specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """12 hexadecimal digits over the stored columns, every metric's name and formula, the detectors and the pairs of a fit."""
    formulas = {name: spec.sql for name, spec in specs.items()}
    terms = {term: SQL_TERMS[term] for term in terms_of(formulas.values())}
    text = repr(
        (STORED_COLUMNS, sorted(formulas.items()), terms, DAILY_BUCKET_BLOCKS, DETECTORS, PROMISES_YEARS, PAIRS)
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]


SCORING_FORMAT: Final = scoring_format()
