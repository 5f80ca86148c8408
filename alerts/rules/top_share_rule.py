"""`top_share`: the k largest pools hold more than a share of the window's blocks."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from alerts.rules.rule import SHARE_WANTED, Reading, Share, Unfit, exact
from alerts.rules.top_rule import TopRule
from alerts.signals.levels import LevelArray, levels
from alerts.signals.window_counts import WindowCounts
from counterpoise.formats import TEXT, counted
from counterpoise.metrics.beta_table import top_share_posterior
from counterpoise.metrics.counts import ratio


class TopShareRule(TopRule):
    """Over while c_k / n > `above`, strictly; clears below `clear_below`, strictly. Both in integers, on the lower bound.

    c_k counts the blocks of the k largest pools, unknown blocks are in n and never ranked: the share is a lower bound. Possible while
    the upper bound (c_k + unknown) / n alone is over the line. A window that is not full is not judged.
    """

    type: Literal["top_share"] = "top_share"
    above: Share = Field(default=0.75, description=SHARE_WANTED)
    clear_below: Share = Field(default=0.73, description=SHARE_WANTED)

    def unfit(self) -> tuple[Unfit, ...]:
        if self.clear_below <= self.above:
            return super().unfit()
        expected = f"a share not over `above` ({self.above:g})"
        return (Unfit("clear_below", self.clear_below, expected, ("above",)), *super().unfit())

    def condition(self) -> str:
        hold = f" for {counted(self.for_blocks, 'block')}" if self.for_blocks else ""
        return (
            f"{self.subject()} over {TEXT.share(self.above, None)}{hold}, "
            f"clear below {TEXT.share(self.clear_below, None)}"
        )

    def cleared(self) -> str:
        return f"below {self.format_line(self.clear_below)}"

    def statement(self, reading: Reading, n: int) -> str:
        interval = ""
        if reading.interval_low is not None and reading.interval_high is not None:
            interval = f" (95 % interval {TEXT.share_range(reading.interval_low, reading.interval_high)})"
        return (
            f"{self.who()} mined {self.format_value(reading.value)} of the last {n:,} {self.chain_word}blocks{interval}"
        )

    def format_value(self, value: float, *beside: float) -> str:
        return TEXT.share(value, lines=(*self.written_lines, *beside))

    def format_line(self, value: float) -> str:
        return TEXT.share(value, None)

    @property
    def lines(self) -> tuple[float, float | None]:
        return self.above, self.clear_below

    def values(self, series: WindowCounts) -> NDArray[np.float64]:
        return ratio(series.top(self.k), series.n)

    def levels(self, series: WindowCounts) -> LevelArray:
        line, low = exact(self.above), exact(self.clear_below)
        top, n = series.top(self.k), series.n
        over = top * line.denominator > line.numerator * n
        possible = (top + series.unknown) * line.denominator > line.numerator * n
        clear = top * low.denominator < low.numerator * n
        return levels(over, possible, clear, series.window_full & (n > 0))

    def reading(self, series: WindowCounts, at: int) -> Reading:
        n, top, unknown = int(series.n[at]), int(series.top(self.k)[at]), int(series.unknown[at])
        lo, hi, _ = top_share_posterior(n, top, int(series.pools_seen[at]), self.k, self.above).tolist()
        share = top / n
        return Reading(share, self.above, share, (top + unknown) / n, lo, hi)

    def value_sql(self) -> str:
        return f"({self.counts_sql()}) / n"
