"""`source_stale`: ingest cannot reach its source, or does not report any more."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from alerts.rules.rule import DURATION_WANTED, DurationSeconds, Finding, TimerRule
from alerts.signals.timer_facts import TimerFacts
from counterpoise.spans import exact_span


class SourceStaleRule(TimerRule):
    """Fires when ingest has waited for its source, or has not renewed its status, for over `after`. Named by the second it began.

    It reads the status file of `counterpoise run ingest` in the state directory; where ingest runs on another machine there is none
    and the rule judges nothing: `no_block` is what covers that.
    """

    advice: ClassVar[str] = (
        "Check in `counterpoise status` and `counterpoise doctor` whether the node or the web service answers "
        "(docs/sources.md). Missed blocks are fetched once it does."
    )

    OF_A_CHAIN: ClassVar[bool] = False

    type: Literal["source_stale"] = "source_stale"
    after: DurationSeconds = Field(default=600, description=DURATION_WANTED)

    def condition(self) -> str:
        return f"the source of blocks unavailable for {exact_span(self.after)}"

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        starts = [at for at in (facts.ingest_silent_since, facts.ingest_waiting_since) if at is not None]
        if not starts:
            if open_key is None:
                return None
            return Finding(False, open_key, int(facts.now), "Ingest reaches its source again.")
        since = open_key if open_key is not None else min(starts)
        away = facts.now - since
        why = facts.ingest_waiting_reason or "ingest does not renew its status"
        summary = f"Ingest has been without its source for more than {exact_span(self.after)}: {why}"[:500]
        return Finding(away > self.after, since, since + self.after, summary, away, float(self.after))
