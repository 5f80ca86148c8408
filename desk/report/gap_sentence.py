"""Both sides and the gap between them, and what a desk would say aloud about it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from counterpoise.formats import TEXT


@dataclass(frozen=True, slots=True)
class GapRow:
    """Both sides at the end of a day, in effective numbers; L in doublings. `low` and `high` span treatments and error models.

    `at_tip` marks the row of the newest block, whose day is not over yet; `period_end` is the last day that the AI side speaks of.
    """

    day: date
    ai_dropped: float
    ai_one_owner: float
    ai_spread: float
    pools: float
    pools_low: float
    pools_high: float
    l_dropped: float
    l_one_owner: float
    l_spread: float
    low: float
    high: float
    level: str
    regime: str
    bucket_owners: int
    blocks: int
    hindsight: bool
    period_end: date | None = None
    at_tip: bool = False

    @property
    def l_min(self) -> float:
        """The smallest L of the three treatments."""
        return min(self.l_dropped, self.l_one_owner, self.l_spread)

    @property
    def l_max(self) -> float:
        """The largest L of the three treatments."""
        return max(self.l_dropped, self.l_one_owner, self.l_spread)

    @property
    def ends_year(self) -> bool:
        """Whether it is the row of a whole year's last day."""
        return (self.day.month, self.day.day) == (12, 31) and not self.at_tip


def year_ends(rows: Sequence[GapRow]) -> list[GapRow]:
    """Those of them that end a year, in their order."""
    return [row for row in rows if row.ends_year]


def sentence(rows: Sequence[GapRow]) -> str:
    """What a desk would say aloud about the newest row: what is compared, how far apart, how surely, and whether it is a call.

    `rows` are ends of years by day, of which the last one may be any other day. ValueError without a row.
    """
    if not rows:
        raise ValueError("there is no row to speak of")
    first, last = rows[0], rows[-1]
    ai = sorted((last.ai_dropped, last.ai_one_owner, last.ai_spread))
    when, figures = f"At the end of {last.day.year}", ""
    if not last.ends_year:
        when = f"On {last.day.day} {last.day:%B %Y}"
        figures = f" (figures of {last.period_end.day} {last.period_end:%B %Y})" if last.period_end else ""
    sides = (
        f"ownership of AI compute{figures} is worth {TEXT.number(ai[0], 1)} to {TEXT.number(ai[-1], 1)} equal owners, "
        f"depending on what hides in the unnamed rest, and operation of Bitcoin mining {TEXT.number(last.pools, 1)} equal pools"
    )
    span = f"between {TEXT.doublings(last.low)} and {TEXT.doublings(last.high)} doublings (95 %, every treatment)"
    change = (
        "and over the year the data call no direction"
        if last.regime == "no_call"
        else f"and over the year the two sides are {last.regime.replace('_', ' ')}"
    )
    known = " (in hindsight: the estimates came out later)" if last.hindsight else ""
    if last.level == "no_call":
        never = " as in every year since " + str(first.day.year) if all(row.level == "no_call" for row in rows) else ""
        return f"{when} {sides}: the gap is {span}, so which side is the more concentrated is no call{never}, {change}{known}."
    wider, narrower = ("AI", "mining") if last.level == "ai_more_dispersed" else ("mining", "AI")
    return f"{when} {sides}: {narrower} is in fewer hands than {wider}, by {span}, whatever the unnamed rest is, {change}{known}."
