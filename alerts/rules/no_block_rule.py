"""`no_block`: the chain, or our view of it, has stopped."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from alerts.rules.rule import ALL_CHAINS, DURATION_WANTED, DurationSeconds, Finding, TimerRule
from alerts.signals.timer_facts import TimerFacts
from counterpoise.chain.chain_registry import BITCOIN, CHAINS, no_block_seconds
from counterpoise.formats import utc_minute
from counterpoise.spans import exact_span

SETTLE_SECONDS = 300
"""A tip that changed within this time is being caught up: its age has no meaning yet."""


_BY_CHANCE = "; two hours without a block come by chance once in three to four years"


def _chains_time(fields: dict[str, Any]) -> int:
    return no_block_seconds(fields.get("chain", BITCOIN.name))


class NoBlockRule(TimerRule):
    """Fires when the tip's block time is more than `after` ago; resolves with the next block. Named by the tip's height.

    Without `after` it is the chain's own time, 12 block spacings and an hour at least. Header times run up to two hours fast or
    slow, so `after` below an hour would fire on honest chains. Blocks arrive as a Poisson process, on Bitcoin of one in ten
    minutes: two hours without one happen by chance once in three to four years.
    """

    advice: ClassVar[str] = (
        "Check `counterpoise status`: if ingest waits, its source is unavailable. If everything is healthy, compare with "
        f"another explorer: the chain itself may be slow{_BY_CHANCE}."
    )

    type: Literal["no_block"] = "no_block"
    after: DurationSeconds = Field(default_factory=_chains_time, description=DURATION_WANTED)

    def next_step(self) -> str:
        ten_minutes = no_block_seconds(self.chain) == no_block_seconds(BITCOIN.name)
        return super().next_step() if ten_minutes else super().next_step().replace(_BY_CHANCE, "")

    def on_chain(self, chain: str) -> Self:
        """With the chain's own time, where none was written."""
        own = {} if "after" in self.model_fields_set else {"after": no_block_seconds(chain)}
        return super().on_chain(chain).model_copy(update=own)

    def condition(self) -> str:
        if self.chain == ALL_CHAINS and "after" not in self.model_fields_set:
            times = ", ".join(f"{name} {exact_span(chain.no_block_seconds)}" for name, chain in CHAINS.items())
            return f"no block for the chain's time ({times})"
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
        summary = (
            f"No block on {facts.chain} for more than {exact_span(self.after)}: the last is height {height}, of "
            f"{utc_minute(time)} UTC."
        )
        return Finding(active, height, time + self.after, summary, age, float(self.after), sql)
