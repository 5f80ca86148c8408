"""`edge_share_fall`: clearly less of what has a place runs at the edge than a year before."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alerts.rules.recency import ROUNDING, is_recent
from alerts.rules.rule import SHARE_WANTED, Finding, Share, TimerRule, Unfit, withdrawn
from alerts.rules.series_named import has_edge_share, names_of_series, unfit_series
from alerts.signals.release_facts import YearChange
from alerts.signals.timer_facts import TimerFacts
from counterpoise.contracts.base import Slug
from counterpoise.formats import TEXT, utc_day


class EdgeShareFallRule(TimerRule):
    """Fires on a release whose edge share is at least `fall` lower, relative to that of a year before, by every include-list.

    The share depends on the list, so all lists of the series must agree, unless `list_id` names one. The message shows every
    list. Only the newest current release is judged, while it is recent. A later one with the same result is sent too; one with
    another result resolves it. Named by the second of the release's publication.
    """

    advice: ClassVar[str] = (
        "Every list, month by month: `counterpoise sql --name edge_share_by_list`. Check `missing` first: a package "
        "that left the source lowers the share too."
    )

    OF_A_CHAIN: ClassVar[bool] = False

    type: Literal["edge_share_fall"] = "edge_share_fall"
    series: Slug = Field(
        default="pypi-edge-share",
        description="a series with an edge share",
        json_schema_extra=names_of_series(has_edge_share),
    )
    list_id: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="", description="an include-list of the series, or nothing for all of them together"
    )
    fall: Share = Field(default=0.2, description=SHARE_WANTED)

    def unfit(self) -> tuple[Unfit, ...]:
        return (
            *super().unfit(),
            *unfit_series(self.series, self.list_id, fits=has_edge_share, wanted="a series with an edge share"),
        )

    def condition(self) -> str:
        by = f"list {self.list_id}" if self.list_id else "every list"
        return f"edge share of {self.series} down {TEXT.share(self.fall, None)} in a year, by {by}"

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        changes = [one for one in facts.market.edge if one.series == self.series]
        deciding = [one for one in changes if self.list_id in ("", one.list_id)]
        if not deciding:
            return withdrawn(facts, open_key, f"The release of {self.series} that this rested on was withdrawn.")
        first = deciding[0]
        fallen = all(one.now / one.then <= 1 - self.fall + ROUNDING for one in deciding)
        key = first.published_at
        active = fallen and (open_key is not None or is_recent(facts, self.series, key))
        verdict = f"{TEXT.share(self.fall, None)} or more by {'every list' if not self.list_id else self.list_id}"
        summary = (
            f"Edge share of {self.series} ({first.layer}), {first.base_period_end} to {first.period_end}: "
            f"{'; '.join(self._format_change(one) for one in changes)}. Down {verdict}: {'yes' if fallen else 'no'}. Published "
            f"{utc_day(key)}."
        )
        lists = ", ".join(f"'{one.list_id}'" for one in deciding)
        sql = (
            "SELECT n.list_id AS list_id, n.edge_share AS share, n.edge_share_lower AS share_lower, "  # noqa: S608
            "n.edge_share_upper AS share_upper, b.edge_share AS base_share, share / base_share - 1 AS value FROM "
            "placement_log AS n FINAL INNER JOIN placement_log AS b FINAL ON b.series = n.series AND b.list_id = "
            f"n.list_id AND b.catalogue_id = n.catalogue_id WHERE n.series = '{self.series}' AND n.list_id IN ({lists}) "
            f"AND n.release_id = '{first.release_id}' AND b.release_id = '{first.base_release_id}' AND (n.series, "
            "n.catalogue_id) IN (SELECT series, catalogue_id FROM series) ORDER BY value DESC"
        )
        worst = max(one.now / one.then - 1 for one in deciding)
        found = open_key if open_key is not None else key
        return Finding(active, found, key, summary, worst, -self.fall, sql, renews=True)

    def _format_change(self, one: YearChange) -> str:
        bounds = ""
        if one.low is not None and one.high is not None:
            bounds = f" (unknown and missing counted against and for: {TEXT.share_range(one.low, one.high, 2)})"
        change = f"{TEXT.points(one.now / one.then - 1, 0, lines=[-self.fall])} %"
        return f"by list {one.list_id} {TEXT.share_range(one.then, one.now, 2)}, {change}{bounds}"
