"""An alert's transition, as it is stored, and as it is delivered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from counterpoise.contracts.base import Contract, Slug, UnixMillis, UnixSeconds

AlertState = Literal["pending", "possible", "firing", "resolved", "retracted"]
"""`pending`: over the line, the hold still runs. `possible`: only the upper bound is over the line. `firing`, `resolved`: what they
say. `retracted`: it rested on a branch or a fact that was undone."""


class Evidence(Contract):
    """All that is needed to recompute a value without trusting us."""

    chain: Slug | None = None
    view: Slug | None = None
    window_blocks: int | None = None
    from_height: int | None = None
    height: int | None = None
    tip_hash: str | None = None
    attribution_id: str | None = None
    n: int | None = None
    unknown: int | None = None
    counts: Annotated[tuple[tuple[str, int], ...], Field(strict=False)] = ()
    sql: str = ""


class AlertTransition(Contract):
    """One step of one alert: (`alert_id`, `sequence`) identifies it and is its key everywhere.

    `alert_id` follows from the rule, its hash, the chain and the height where the episode began, so that a replay of the same
    blocks makes the same ids. `event_time` is the time of the block (or, for a dead-man rule, of the clock) that caused it.
    """

    v: Literal[1] = 1
    alert_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    sequence: Annotated[int, Field(ge=0, le=1_000_000)]
    rule_id: Slug
    rule_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    state: AlertState
    previous_state: AlertState | None = None
    event_time: UnixSeconds
    recorded_at_ms: UnixMillis
    value: float | None = None
    value_low: float | None = None
    value_high: float | None = None
    interval_low: float | None = None
    interval_high: float | None = None
    threshold: float | None = None
    summary: Annotated[str, Field(max_length=1_000)]
    evidence: Evidence = Evidence()
