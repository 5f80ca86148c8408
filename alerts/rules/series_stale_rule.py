"""`series_stale`: a market series has not been published for several times its cadence. The one market rule that a clock fires."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alerts.rules.rule import Finding, TimerRule, Unfit, withdrawn
from alerts.rules.series_named import is_any, names_of_series, unfit_series
from alerts.signals.release_facts import Freshness
from alerts.signals.timer_facts import TimerFacts
from counterpoise.formats import counted, utc_day
from counterpoise.spans import DAY_SECONDS


class SeriesStaleRule(TimerRule):
    """Fires when the newest release of a series was published more than `cadences` times its cadence, and its usual lag, ago.

    Without `series` it watches every series with a stored release and names the stale ones. A series without any release is not
    missed. Named by the second at which the first of them went stale; one that goes stale later renews the alert.
    """

    advice: ClassVar[str] = (
        "Check in `counterpoise status` (market) and `counterpoise sql --name series_age` whether fetching fails or the source "
        "does not publish any more (docs/market-sources.md). Scores that rest on the series continue with widening intervals."
    )

    OF_A_CHAIN: ClassVar[bool] = False
    READS_NEWEST: ClassVar[bool] = True

    type: Literal["series_stale"] = "series_stale"
    series: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="",
        description="a series, or nothing for every stored one",
        json_schema_extra=names_of_series(is_any, ""),
    )
    cadences: int = Field(default=3, strict=True, ge=1, le=100, description="a whole number, 1…100")

    def unfit(self) -> tuple[Unfit, ...]:
        return (*super().unfit(), *unfit_series(self.series, fits=is_any, wanted="a series of the catalogue"))

    def condition(self) -> str:
        return f"{self.series or 'a market series'} not published for {self._times} its cadence"

    @property
    def _times(self) -> str:
        return counted(self.cadences, "time")

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        series_here = [one for one in facts.market.freshness if self.series in ("", one.series)]
        if not series_here:
            return withdrawn(facts, open_key, "No release of the stale series is stored any more.")
        due = {
            one.series: one.published_at + (self.cadences * one.cadence_days + one.lag_days) * DAY_SECONDS
            for one in series_here
        }
        stale = sorted((at, name) for name, at in due.items() if at < facts.now)
        if not stale:
            return withdrawn(facts, open_key, f"Published again: {', '.join(sorted(due))}.")
        names = ", ".join(f"'{name}'" for _, name in stale)
        sql = (
            "SELECT series, newest_period_end, newest_published_at, cadence_days, lag_days, "  # noqa: S608
            f"dateDiff('second', newest_published_at, toDateTime({int(facts.now)}, 'UTC')) / {DAY_SECONDS} AS value "
            f"FROM series_freshness WHERE series IN ({names}) ORDER BY value DESC"
        )
        listed = "; ".join(_format_freshness(one) for _, name in stale for one in series_here if one.series == name)
        summary = f"Not published for more than {self._times} the cadence: {listed}."[:1_000]
        newest = stale[-1][0]
        key = stale[0][0] if open_key is None else open_key
        oldest_days = (
            max(int(facts.now) - one.published_at for one in series_here if due[one.series] < facts.now) / DAY_SECONDS
        )
        return Finding(True, key, newest, summary, oldest_days, sql=sql, renews=True)


def _format_freshness(one: Freshness) -> str:
    return f"{one.series}, last on {utc_day(one.published_at)}, expected every {counted(one.cadence_days, 'day')}"
