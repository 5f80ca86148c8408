"""`series_stale`: a market series has not been published for several times its cadence. The one market rule that a clock fires."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from alerts.facts import Facts
from alerts.rules.base import Finding, TimerRule
from alerts.rules.newness import DAY_SECONDS


class SeriesStaleRule(TimerRule):
    """Fires when the newest release of a series was published more than `cadences` times its cadence, and its usual lag, ago.

    Without `series` it watches every series of which a release is here and says which are stale; a series that was never here is not
    missed. Named by the second at which the first of them went stale.
    """

    type: Literal["series_stale"] = "series_stale"
    series: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="", description="a series, or nothing for every one that is here"
    )
    cadences: int = Field(default=3, strict=True, ge=1, le=100, description="a whole number, 1…100")

    def condition(self) -> str:
        return f"{self.series or 'a market series'} not published for {self.cadences} times its cadence"

    def judge(self, facts: Facts, open_key: int | None) -> Finding | None:
        watched = [one for one in facts.market.freshness if self.series in ("", one.series)]
        if not watched:
            return None
        due = {
            one.series: one.published_at + (self.cadences * one.cadence_days + one.lag_days) * DAY_SECONDS
            for one in watched
        }
        stale = sorted((at, name) for name, at in due.items() if at < facts.now)
        sql = "SELECT * FROM series_freshness ORDER BY series"
        if not stale:
            if open_key is None:
                return None
            return Finding(False, open_key, int(facts.now), "Every market series is published again.", sql=sql)
        days = {one.series: (facts.now - one.published_at) / DAY_SECONDS for one in watched}
        told = ", ".join(f"{name} ({days[name]:.0f} days)" for _, name in stale)
        said = f"Not published for more than {self.cadences} times the cadence: {told}."[:1_000]
        key = stale[0][0] if open_key is None else open_key
        return Finding(True, key, key, said, days[stale[0][1]], sql=sql)
