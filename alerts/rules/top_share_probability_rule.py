"""`top_share_probability`: it is likely that these k pools hold more than a share of the hashrate."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from alerts.rules.rule import SHARE_WANTED, Reading, Share, Unfit
from alerts.rules.top_rule import TopRule
from alerts.signals.levels import LevelArray, levels
from alerts.signals.window_counts import WindowCounts
from counterpoise.formats import TEXT, counted
from counterpoise.metrics.beta_table import BetaTable, top_share_posterior


@lru_cache(maxsize=8)
def _table(k: int, line: float) -> BetaTable:
    return BetaTable(k, line)


class TopShareProbabilityRule(TopRule):
    """Over while P(share of these k pools > `line`) > `above`; clears below `clear_below`. A window that is not full is not judged.

    The probability is that of the one model of uncertainty (a Dirichlet posterior of the window's counts, prior mass 1).
    It has no upper bound, so it is never possible. Lines other than 0.75, and other k than 4, are computed, not read.
    """

    type: Literal["top_share_probability"] = "top_share_probability"
    line: Share = Field(default=0.75, description=SHARE_WANTED)
    above: Share = Field(default=0.95, description=SHARE_WANTED)
    clear_below: Share = Field(default=0.5, description=SHARE_WANTED)

    def unfit(self) -> tuple[Unfit, ...]:
        if self.clear_below <= self.above:
            return super().unfit()
        expected = f"a probability not over `above` ({self.above:g})"
        return (Unfit("clear_below", self.clear_below, expected, ("above",)), *super().unfit())

    def condition(self) -> str:
        hold = f" for {counted(self.for_blocks, 'block')}" if self.for_blocks else ""
        return f"P({self.subject()} > {TEXT.share(self.line, None)}) over {self.above:g}{hold}, clear below {self.clear_below:g}"

    def cleared(self) -> str:
        return f"below {self.format_line(self.clear_below)}"

    def statement(self, reading: Reading, n: int) -> str:
        over = f"hold over {TEXT.share(self.line, None)} of the {self.chain_word}hashrate"
        return f"{self.who()} {over} with probability {self.format_value(reading.value)}"

    def format_value(self, value: float, *beside: float) -> str:
        return TEXT.probability(value, lines=(*self.written_lines, *beside))

    def format_line(self, value: float) -> str:
        return f"{value:g}"

    @property
    def lines(self) -> tuple[float, float | None]:
        return self.above, self.clear_below

    def values(self, series: WindowCounts) -> NDArray[np.float64]:
        if self.k == 4 and self.line == 0.75 and not bool(np.isnan(series.p_top4_above_75).any()):
            return series.p_top4_above_75
        found: NDArray[np.float64] = _table(self.k, self.line).lookup(series.n, series.top(self.k), series.pools_seen)[
            :, 2
        ]
        return found

    def levels(self, series: WindowCounts) -> LevelArray:
        p = self.values(series)
        never = np.zeros(len(series), np.bool_)
        return levels(p > self.above, never, p < self.clear_below, series.window_full & (series.n > 0))

    def reading(self, series: WindowCounts, at: int) -> Reading:
        n, top = int(series.n[at]), int(series.top(self.k)[at])
        p = float(top_share_posterior(n, top, int(series.pools_seen[at]), self.k, self.line)[2])
        return Reading(p, self.above)

    def value_sql(self) -> str:
        return "p_top4_above_75" if self.k == 4 and self.line == 0.75 else "NULL"
