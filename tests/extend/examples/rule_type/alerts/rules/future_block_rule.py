"""`future_block`: the tip's header time is ahead of the clock."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from alerts.rules.rule import DURATION_WANTED, DurationSeconds, Finding, TimerRule
from alerts.signals.timer_facts import TimerFacts
from counterpoise.spans import exact_span


class FutureBlockRule(TimerRule):
    """Fires while the scored tip's header time is more than `ahead` after now. Named by the height at which it began."""

    advice: ClassVar[str] = (
        "Compare this machine's clock with another: nodes refuse header times of over two hours ahead."
    )

    type: Literal["future_block"] = "future_block"
    ahead: DurationSeconds = Field(default=3_600, description=DURATION_WANTED)

    def condition(self) -> str:
        return f"the tip's block time over {exact_span(self.ahead)} ahead"

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        if facts.scored_height is None or facts.scored_time is None:
            return None
        lead = facts.scored_time - facts.now
        key = facts.scored_height if open_key is None else open_key
        over = "over" if lead > self.ahead else "no longer over"
        summary = f"The tip of {facts.chain}, height {facts.scored_height}, is {over} {exact_span(self.ahead)} ahead."
        return Finding(lead > self.ahead, key, int(facts.now), summary, lead, float(self.ahead))
