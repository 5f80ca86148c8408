"""An alert's transition, as it is stored, and as it is delivered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from counterpoise.contracts.base import Contract, Slug, UnixMillis, UnixSeconds

AlertState = Literal["possible", "pending", "firing", "rebased", "error", "resolved", "inactive", "retracted"]
"""Open states: `possible`: only the upper bound is over the line. `pending`: over the line, the hold still runs. `firing`: the hold
ended over the line. `rebased`: the same, but first seen because the attribution changed: recorded, never announced.
`error`: the query of a rule fails, or gives nothing that can be judged; the rule's other alerts stay as they are.

Closed states: `resolved`: it fired and the value fell below the clearing line. `inactive`: it ended without having fired.
`retracted`: it rested on blocks that were undone. An alert can continue after a retraction: the next row has its state."""

OPEN_STATES: tuple[AlertState, ...] = ("possible", "pending", "firing", "rebased", "error")

ANNOUNCING_STATES: tuple[AlertState, ...] = ("firing", "error")
"""The states that an alert's own message begins with."""

AlertReason = Literal["observed", "reorg", "restated", "rebased", "rule-changed"]
"""Why a row was written. `observed`: the blocks (or the clock) made it so. `reorg`: a branch lost. `restated`: the state that
stands after a retraction. `rebased`: the attribution changed. `rule-changed`: its rule is gone, switched off or different now:
what no longer fires under it is `inactive`, for no block resolved it."""


Pairs = Annotated[tuple[tuple[str, int], ...], Field(strict=False)]
Parts = Annotated[tuple[tuple[str, float], ...], Field(strict=False)]


class ViewValue(Contract):
    """The metric of an alert under one view of the same window. `high`: were all unknown blocks made by those it is about; it and the
    interval are None where the metric has none."""

    view: Slug
    value: float
    high: float | None = None
    interval_low: float | None = None
    interval_high: float | None = None


class JoinedPools(Contract):
    """An entity with several pools in the window: (pool, blocks), most blocks first. `change`: that of the metric were this group
    alone counted as one; None for a metric that cannot be explained."""

    entity: Slug
    pools: Pairs
    change: float | None = None


class MovedBy(Contract):
    """The change of the metric `metric` since the window at `from_height`: `after - before` is the sum of `parts` and `others`.

    `parts` are (pool or entity, part), the largest first; `others` is the rest, of `others_count` pools.
    """

    metric: Slug
    from_height: int
    from_time: UnixSeconds
    before: float
    after: float
    parts: Parts
    others: float
    others_count: int


class AlertExplanation(Contract):
    """Why an alert has its value, as it was when it fired. Each part is absent where it could not be computed in time.

    `metric` is that of `views`: a signal, with the blocks of its change where that is judged.
    """

    metric: str
    views: Annotated[tuple[ViewValue, ...], Field(strict=False)] = ()
    joined: Annotated[tuple[JoinedPools, ...], Field(strict=False)] = ()
    """The groups with the largest changes, three at most."""
    moved: MovedBy | None = None


class AlertEvidence(Contract):
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
    pools_seen: int | None = None
    counts: Annotated[tuple[tuple[str, int], ...], Field(strict=False)] = ()
    instance: str | None = None
    """The key of the row, for a rule that has one alert per row of a query."""
    metric: str | None = None
    """The metric or signal that the value is one of, by its name; None for a rule with its own wording."""
    sql: str = ""
    title: str | None = None
    """The rule's name, and `condition` its condition in words, as they were then."""
    condition: str | None = None
    rule: dict[str, Any] | None = None
    """The rule's type and values as they were then: what its hash is of, with its severity, owner, runbook and labels."""
    explanation: AlertExplanation | None = None
    """Present for a firing, if it could be computed in time."""

    def as_json(self) -> str:
        """As it is stored: without the parts that it lacks."""
        names = ("instance", "metric", "title", "condition", "rule", "explanation")
        absent = {name for name in names if getattr(self, name) is None}
        return self.model_dump_json(exclude=absent or None)


class AlertTransition(Contract):
    """One step of one alert: (`alert_id`, `sequence`) identifies it and is its key everywhere.

    `alert_id` follows from the rule's id, the chain and the height where the episode began, so that a replay of the same blocks
    makes the same ids, and a rule that is edited keeps its open alert. `event_time` is the time of the block (or, for a dead-man
    rule, of the clock) that caused it.

    `value` is the rule's metric; where it is a share, `value_low` (the same: unknown blocks belong to others) and `value_high`
    (unknown blocks belong to the leaders) bound it, and `interval_low`, `interval_high` are its 95 % interval. `threshold` is the
    line of the rule. `start_height` is where the episode began. `undoes` lists the sequences that a retraction undoes.
    `notify` is false for what is recorded only: history before go-live, and states that are not sent.
    """

    v: Literal[1] = 1
    alert_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    sequence: Annotated[int, Field(ge=0, le=1_000_000)]
    rule_id: Slug
    rule_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    state: AlertState
    previous_state: AlertState | None = None
    reason: AlertReason = "observed"
    notify: bool = False
    undoes: Annotated[tuple[int, ...], Field(strict=False)] = ()
    event_time: UnixSeconds
    recorded_at_ms: UnixMillis
    start_height: int | None = None
    value: float | None = None
    value_low: float | None = None
    value_high: float | None = None
    interval_low: float | None = None
    interval_high: float | None = None
    threshold: float | None = None
    summary: Annotated[str, Field(max_length=1_000)]
    evidence: AlertEvidence = AlertEvidence()
