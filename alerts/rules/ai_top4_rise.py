"""`ai_top4_rise`: the four largest owners of AI compute hold clearly more than a year before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from alerts.facts import Facts
from alerts.rules.base import SHARE_WANTED, Finding, Share, TimerRule
from alerts.rules.newness import ROUNDING, is_news
from counterpoise.contracts.base import Slug


class AiTop4RiseRule(TimerRule):
    """Fires on a release in which the top-4 share is at least `points` above that of a year before, of all *and* of the named.

    A line at a fixed share would never fire or always: of all it is 53 to 71 %, of the named 84 to 96 %. Both denominators have to
    say so, or the change may be one of the unnamed rest. Only the newest current release is judged, while it is news; it resolves
    with a release that says otherwise. Named by the second of the release's publication.
    """

    type: Literal["ai_top4_rise"] = "ai_top4_rise"
    series: Slug = Field(default="epoch-ai-compute-owners", description="a series of owners")
    list_id: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="", description="an include-list of the series, or nothing for its first by name"
    )
    points: Share = Field(default=0.05, description=SHARE_WANTED)

    def condition(self) -> str:
        return f"top-4 share of {self.series} up {100 * self.points:g} points in a year, of all and of the named"

    def judge(self, facts: Facts, open_key: int | None) -> Finding | None:
        mine = [one for one in facts.market.top4 if one.series == self.series]
        list_id = self.list_id or min((one.list_id for one in mine), default="")
        changes = {one.treatment: one for one in mine if one.list_id == list_id}
        if not {"dropped", "one_owner"} <= changes.keys():
            return None
        named, everything = changes["dropped"], changes["one_owner"]
        rises = [one.now - one.then for one in (named, everything)]
        risen = all(rise >= self.points - ROUNDING for rise in rises)
        key = named.published_at
        active = risen and (open_key is not None or is_news(facts, self.series, key))
        said = (
            f"Top-4 share of {self.series} (ownership) at {named.period_end}: {100 * everything.now:.1f} % of all "
            f"({100 * rises[1]:+.1f} points since {named.base_period_end}), {100 * named.now:.1f} % of the named "
            f"({100 * rises[0]:+.1f} points)."
        )
        sql = (
            "SELECT period_end, treatment, top4, d2 FROM dispersion "  # noqa: S608
            f"WHERE series = '{self.series}' AND list_id = '{named.list_id}' ORDER BY period_end, treatment"
        )
        return Finding(active, open_key if open_key is not None else key, key, said, min(rises), self.points, sql)
