"""What dead-man rules judge by, gathered at one moment by the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alerts.signals.query_answer import QueryAnswer
from alerts.signals.release_facts import ReleaseFacts


@dataclass(frozen=True, slots=True)
class TimerFacts:
    """Times are UTC seconds. None: not known.

    `scored_height`, `scored_time`: the tip of concentration and its block's time. `changed_at`: when this process last saw that tip
    change, or when it started. `block_height`: the highest canonical block in ClickHouse; `unscored_since`: when the first
    canonical block above the scored tip was stored. `ingest_waiting_since`: since when ingest waits for its source, and
    `ingest_waiting_reason` why; `ingest_silent_since`: since when its status has not been renewed. `letters`: (seconds,
    count) of dead letters by second, ascending, for the time that rules ask about. `market`: facts of the AI side.
    `answers`: what queries of rules gave since the last look, by rule.
    """

    now: float
    changed_at: float
    chain: str = "bitcoin"
    scored_height: int | None = None
    scored_time: int | None = None
    block_height: int | None = None
    unscored_since: int | None = None
    ingest_waiting_since: int | None = None
    ingest_waiting_reason: str = ""
    ingest_silent_since: int | None = None
    letters: tuple[tuple[int, int], ...] = ()
    market: ReleaseFacts = field(default_factory=ReleaseFacts)
    answers: Mapping[str, QueryAnswer] = field(default_factory=dict)
