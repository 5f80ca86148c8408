"""Names of the scores for Prometheus. Pure."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "counterpoise_score_"
"""Before the name of a metric, so that no metric of the specs has the name of another family."""
