"""Whether a release is news: a rule that meets an old one for the first time (a first start, a backfill) is silent. Pure."""

from __future__ import annotations

from alerts.signals.timer_facts import TimerFacts
from counterpoise.spans import DAY_SECONDS

CADENCES = 2

ROUNDING = 1e-9
"""Shares are floating point: a change of exactly the line must count."""


def is_recent(facts: TimerFacts, series: str, published_at: int) -> bool:
    """Published within two cadences of its series and its usual lag."""
    fresh = next((one for one in facts.market.freshness if one.series == series), None)
    if fresh is None:
        return False
    return facts.now - published_at <= (CADENCES * fresh.cadence_days + fresh.lag_days) * DAY_SECONDS
