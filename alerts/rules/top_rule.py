"""What rules on the k largest pools have in common: who they are, and the bounds of their share."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from alerts.rules.rule import LEADERS_ADVICE, HeightRule
from alerts.signals.window_counts import WindowPlace


class TopRule(HeightRule):
    """A rule on the k largest pools (or entities) of a window. Their share is a lower bound: unknown blocks may be theirs."""

    advice: ClassVar[str] = LEADERS_ADVICE

    k: int = Field(default=4, strict=True, ge=1, le=6, description="a whole number, 1…6")

    @property
    def leaders_named(self) -> int:
        return self.k

    def who(self) -> str:
        """The pools as the beginning of a sentence."""
        one, many = ("pool", "pools") if self.view == "raw" else ("entity", "entities")
        return f"the largest {one}" if self.k == 1 else f"the {self.k} largest {many}"

    def subject(self) -> str:
        """The share as a condition names it."""
        return f"top-{self.k} share of {WindowPlace(self.view, self.window_blocks).words}"

    def bounds_sql(self) -> str:
        counts = self.counts_sql()
        return f", ({counts}) / n AS share_low, ({counts} + unknown) / n AS share_high"

    def counts_sql(self) -> str:
        """Their blocks, from a row of `concentration_log`."""
        return " + ".join(f"c{rank}" for rank in range(1, self.k + 1))
