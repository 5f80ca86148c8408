"""`no_block`: the chain, or our view of it, has stopped."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from alerts.rules.rule import DURATION_WANTED, DurationSeconds, Finding, TimerRule
from alerts.signals.timer_facts import TimerFacts
from counterpoise.formats import utc_minute
from counterpoise.spans import exact_span

SETTLE_SECONDS = 300
"""A tip that changed within this time is being caught up: its age says nothing yet."""


class NoBlockRule(TimerRule):
    """Fires when the tip's block time is more than `after` ago; resolves with the next block. Named by the tip's height.

    Header times run up to two hours fast or slow, so `after` below an hour would fire on honest chains. Blocks arrive as a Poisson
    process of one in ten minutes: two hours without one happen by chance once in three to four years.
    """

    advice: ClassVar[str] = (
        "Look at `counterpoise status`: where ingest waits, its source is away. Where all is well, compare with another "
        "explorer: the chain itself may be slow; two hours without a block come by chance once in three to four years."
    )

    type: Literal["no_block"] = "no_block"
    after: DurationSeconds = Field(default=7_200, description=DURATION_WANTED)

    def condition(self) -> str:
        return f"no block for {exact_span(self.after)}"

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        height, time = facts.scored_height, facts.scored_time
        if height is None or time is None:
            return None
        sql = f"SELECT height, time FROM blocks WHERE chain = '{facts.chain}' AND height >= {height} ORDER BY height LIMIT 2"  # noqa: S608
        if open_key is not None and height > open_key:
            return Finding(False, open_key, time, f"Blocks arrive again: height {height}.", sql=sql)
        age = facts.now - time
        active = age > self.after and (open_key is not None or facts.now - facts.changed_at >= SETTLE_SECONDS)
        said = (
            f"No block on {facts.chain} for more than {exact_span(self.after)}: the last is height {height}, of "
            f"{utc_minute(time)} UTC."
        )
        return Finding(active, height, time + self.after, said, age, float(self.after), sql)
