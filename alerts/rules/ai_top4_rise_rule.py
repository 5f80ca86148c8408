"""`ai_top4_rise`: the four largest owners of AI compute have clearly more than a year before."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alerts.rules.recency import ROUNDING, is_recent
from alerts.rules.rule import SHARE_WANTED, Finding, Share, TimerRule, Unfit, withdrawn
from alerts.rules.series_named import has_owners, names_of_series, unfit_series
from alerts.signals.release_facts import YearChange
from alerts.signals.timer_facts import TimerFacts
from counterpoise.contracts.base import Slug
from counterpoise.formats import TEXT, utc_day


class AiTop4RiseRule(TimerRule):
    """Fires on a release in which the top-4 share is at least `points` above that of a year before, of all *and* of the named.

    A line at a fixed share would never fire or always: of all it is 53 to 71 %, of the named 84 to 96 %. Both denominators
    must agree, or the change may be one of the unnamed rest. Only the newest current release is judged, while it is recent. A later
    one with the same result is sent too; one with another result resolves it. Named by the second of the release's publication.
    """

    advice: ClassVar[str] = (
        "Owners: `counterpoise sql --name owners_of_release --param period_end=…`. Check `method` and `parts` in "
        "`releases` first: a source that counts differently moves shares too."
    )

    OF_A_CHAIN: ClassVar[bool] = False

    type: Literal["ai_top4_rise"] = "ai_top4_rise"
    series: Slug = Field(
        default="epoch-ai-compute-owners",
        description="a series of owners",
        json_schema_extra=names_of_series(has_owners),
    )
    list_id: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="", description="an include-list of the series, or nothing for its first by name"
    )
    points: Share = Field(default=0.05, description=SHARE_WANTED)

    def unfit(self) -> tuple[Unfit, ...]:
        return (*super().unfit(), *unfit_series(self.series, self.list_id, fits=has_owners, wanted="a measured series"))

    def condition(self) -> str:
        return (
            f"top-4 share of {self.series} up {TEXT.points_line(self.points)} points in a year, of all and of the named"
        )

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        mine = [one for one in facts.market.top4 if one.series == self.series]
        list_id = self.list_id or min((one.list_id for one in mine), default="")
        changes = {one.treatment: one for one in mine if one.list_id == list_id}
        if not {"dropped", "one_owner"} <= changes.keys():
            return withdrawn(facts, open_key, f"The release of {self.series} that this rested on was withdrawn.")
        named, everything = changes["dropped"], changes["one_owner"]
        rises = [one.now - one.then for one in (named, everything)]
        risen = all(rise >= self.points - ROUNDING for rise in rises)
        key = named.published_at
        active = risen and (open_key is not None or is_recent(facts, self.series, key))
        everyone, of_named = (TEXT.points(rise, lines=[self.points]) for rise in (rises[1], rises[0]))
        points = f"{TEXT.points_line(self.points)} points"
        verdict = f"{points} or more on both" if risen else f"less than {points} on one of them or both"
        summary = (
            f"The four largest of {self.series} ({named.layer}) have {_share(everything)} of all at {named.period_end}, "
            f"{everyone} points since {named.base_period_end}. They have {_share(named)} of all with a named owner, "
            f"{of_named} points: {verdict}. Published {utc_day(key)}."
        )
        sql = (
            "SELECT n.treatment AS treatment, n.period_end AS period_end, n.top4 AS share, b.period_end "  # noqa: S608
            "AS base_period_end, b.top4 AS base_share, share - base_share AS value FROM dispersion_all AS n INNER JOIN "
            "dispersion_all AS b ON b.series = n.series AND b.list_id = n.list_id AND b.treatment = n.treatment WHERE "
            f"n.series = '{self.series}' AND n.list_id = '{named.list_id}' AND n.release_id = '{named.release_id}' AND "
            f"b.release_id = '{named.base_release_id}' AND n.treatment IN ('dropped', 'one_owner') ORDER BY value"
        )
        found = open_key if open_key is not None else key
        return Finding(active, found, key, summary, min(rises), self.points, sql, renews=True)


def _share(one: YearChange) -> str:
    interval = "" if one.low is None or one.high is None else f" (95 % {TEXT.share_range(one.low, one.high)})"
    return f"{TEXT.share(one.now)}{interval}"
