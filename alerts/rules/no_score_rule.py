"""`no_score`: blocks are stored but not scored."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from alerts.rules.rule import DURATION_WANTED, DurationSeconds, Finding, TimerRule
from alerts.signals.timer_facts import TimerFacts
from counterpoise.spans import exact_span


class NoScoreRule(TimerRule):
    """Fires when a block has waited for its score for more than `after`; resolves when it is scored. Named by the waiting height."""

    advice: ClassVar[str] = (
        "Check in `counterpoise status` whether streams runs and what it waits for. docs/runbook.md lists the symptoms. Rules "
        "on concentration do not change until scores arrive again."
    )

    type: Literal["no_score"] = "no_score"
    after: DurationSeconds = Field(default=600, description=DURATION_WANTED)

    def condition(self) -> str:
        return f"a block without a score for {exact_span(self.after)}"

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        scored = facts.scored_height if facts.scored_height is not None else -1
        if open_key is not None and scored >= open_key:
            return Finding(False, open_key, int(facts.now), f"Scores arrive again: height {scored}.")
        since = facts.unscored_since
        if facts.block_height is None or since is None:
            return None
        waited = facts.now - since
        sql = (
            f"SELECT max(height) AS stored, (SELECT max(height) FROM latest_concentration WHERE chain = '{facts.chain}') AS scored "  # noqa: S608
            f"FROM blocks WHERE chain = '{facts.chain}'"
        )
        summary = (
            f"Block {scored + 1} on {facts.chain} is stored but not scored for more than {exact_span(self.after)}."
        )
        return Finding(waited > self.after, scored + 1, since + self.after, summary, waited, float(self.after), sql)
