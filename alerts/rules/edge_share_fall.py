"""`edge_share_fall`: clearly less of what has a place runs at the edge than a year before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from alerts.facts import Facts
from alerts.rules.base import SHARE_WANTED, Finding, Share, TimerRule
from alerts.rules.newness import ROUNDING, is_news
from counterpoise.contracts.base import Slug


class EdgeShareFallRule(TimerRule):
    """Fires on a release whose edge share is at least `fall` lower, relative to that of a year before, by every include-list.

    What the share is hangs on the list, so all lists of the series have to agree, unless `list_id` names one; the message says what
    each of them shows. Only the newest current release is judged, while it is news. Named by the second of the release's publication.
    """

    type: Literal["edge_share_fall"] = "edge_share_fall"
    series: Slug = Field(default="pypi-edge-share", description="a series with an edge share")
    list_id: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="", description="an include-list of the series, or nothing for all of them together"
    )
    fall: Share = Field(default=0.2, description=SHARE_WANTED)

    def condition(self) -> str:
        by = f"list {self.list_id}" if self.list_id else "every list"
        return f"edge share of {self.series} down {100 * self.fall:g} % in a year, by {by}"

    def judge(self, facts: Facts, open_key: int | None) -> Finding | None:
        changes = [one for one in facts.market.edge if one.series == self.series]
        deciding = [one for one in changes if self.list_id in ("", one.list_id)]
        if not deciding:
            return None
        fallen = all(one.now / one.then <= 1 - self.fall + ROUNDING for one in deciding)
        key = deciding[0].published_at
        active = fallen and (open_key is not None or is_news(facts, self.series, key))
        told = "; ".join(
            f"{one.list_id} {100 * one.then:.2f} % to {100 * one.now:.2f} % ({100 * (one.now / one.then - 1):+.0f} %)"
            for one in changes
        )
        said = f"Edge share of {self.series}, {deciding[0].base_period_end} to {deciding[0].period_end}: {told}."
        sql = (
            "SELECT period_end, list_id, edge_share, edge_share_lower, edge_share_upper, other_lists FROM edge_share "  # noqa: S608
            f"WHERE series = '{self.series}' ORDER BY period_end, list_id"
        )
        worst = max(one.now / one.then - 1 for one in deciding)
        return Finding(active, open_key if open_key is not None else key, key, said, worst, -self.fall, sql)
