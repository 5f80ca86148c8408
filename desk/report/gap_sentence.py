"""Both sides and the gap between them, in sentences for the report and the terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from counterpoise.formats import TEXT, Formats

NOT_DETERMINED: Final = "not determined"
LEVELS: Final = {
    "no_call": NOT_DETERMINED,
    "ai_more_dispersed": "AI is more dispersed",
    "mining_more_dispersed": "mining is more dispersed",
}
"""The levels in words."""


@dataclass(frozen=True, slots=True)
class GapRow:
    """Both sides at the end of a day, in effective numbers; L in doublings. `low` and `high` span treatments and error models.

    `at_tip` marks the row of the newest block, whose day is not over yet; `period_end` is the last day of the AI side's figures.
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


def regime_words(regime: str) -> str:
    """A regime in words: `not determined` for `no_call`."""
    return NOT_DETERMINED if regime == "no_call" else regime.replace("_", " ")


def sentence(rows: Sequence[GapRow], formats: Formats = TEXT) -> str:
    """Sentences about the newest row: both sides, the gap with its interval, the level and the regime.

    `rows` are ends of years by day; the last one may be any other day. `formats` is the typography of where it stands.
    ValueError without a row.
    """
    if not rows:
        raise ValueError("the sentence needs at least one row")
    first, last = rows[0], rows[-1]
    ai = sorted((last.ai_dropped, last.ai_one_owner, last.ai_spread))
    when, figures = f"At the end of {last.day.year}", ""
    if not last.ends_year:
        when = f"On {last.day.day} {last.day:%B %Y}"
        figures = f" (figures of {last.period_end.day} {last.period_end:%B %Y})" if last.period_end else ""
    parts = [
        f"{when} ownership of AI compute{figures} is as concentrated as {formats.number(ai[0], 1)} to {formats.number(ai[-1], 1)} "
        "equal owners, depending on the unnamed rest.",
        f"Operation of Bitcoin mining is as concentrated as {formats.number(last.pools, 1)} equal pools.",
        f"The gap is between {formats.doublings(last.low)} and {formats.doublings(last.high)} doublings (95 %, every treatment).",
    ]
    if last.level == "no_call":
        never = f", as in every year since {first.day.year}" if all(row.level == "no_call" for row in rows) else ""
        parts.append(f"The data do not show which side is more concentrated{never}.")
    else:
        more, less = ("Mining", "AI") if last.level == "ai_more_dispersed" else ("AI", "mining")
        parts.append(f"{more} is more concentrated than {less}, whatever the unnamed rest is.")
    parts.append(
        "The data show no direction over the year."
        if last.regime == "no_call"
        else f"Over the year the two sides are {regime_words(last.regime)}."
    )
    if last.hindsight:
        parts.append("The estimates were published later (hindsight).")
    return " ".join(parts)
