"""`dead_letters`: events arrive that cannot be processed."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from alerts.rules.rule import DURATION_WANTED, DurationSeconds, Finding, TimerRule, Unfit
from alerts.signals.timer_facts import TimerFacts
from counterpoise.formats import counted
from counterpoise.spans import DAY_SECONDS, exact_span

LETTERS_BACK_SECONDS: Final = 8 * DAY_SECONDS
"""How far back dead letters are read."""


class DeadLettersRule(TimerRule):
    """Fires when more than `more_than` dead letters arrive within `within`; resolves after `within` without a new one.

    The episode is named by the second of the first of the letters that took it over.
    """

    advice: ClassVar[str] = (
        "`counterpoise dlq list` shows reason and place, `counterpoise dlq show ID` one letter. Fix the cause, then "
        "send it again with `counterpoise dlq replay ID`."
    )

    OF_A_CHAIN: ClassVar[bool] = False

    type: Literal["dead_letters"] = "dead_letters"
    more_than: int = Field(default=0, strict=True, ge=0, le=1_000_000, description="a whole number, 0…1000000")
    within: DurationSeconds = Field(default=3_600, description=DURATION_WANTED)

    def unfit(self) -> tuple[Unfit, ...]:
        if self.within <= LETTERS_BACK_SECONDS:
            return super().unfit()
        expected = f"at most {LETTERS_BACK_SECONDS // DAY_SECONDS}d: dead letters are read no further back"
        return (*super().unfit(), Unfit("within", exact_span(self.within).replace(" ", ""), expected))

    def condition(self) -> str:
        return f"more than {counted(self.more_than, 'dead letter')} within {exact_span(self.within)}"

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        if open_key is not None:
            last = max((second for second, _ in facts.letters), default=open_key)
            if facts.now - last > self.within:
                return Finding(False, open_key, last + self.within, f"No dead letter for {exact_span(self.within)}.")
            return Finding(True, open_key, open_key, "")
        recent = [(second, count) for second, count in facts.letters if facts.now - second <= self.within]
        total = 0
        for second, count in recent:
            total += count
            if total > self.more_than:
                found = f"{counted(total, 'dead letter')} within {exact_span(self.within)}"
                summary = f"{found}: `counterpoise dlq list` shows the reasons."
                sql = (
                    "SELECT reason, count() FROM dead_letters "  # noqa: S608
                    f"WHERE seen_at >= toDateTime64({recent[0][0]}, 3, 'UTC') GROUP BY reason"
                )
                return Finding(True, recent[0][0], second, summary, float(total), float(self.more_than), sql)
        return None
