"""Explains alerts as they fire, from ClickHouse: over its own connection, within a few seconds for all of a batch.

A query that fails or takes too long leaves its part out. It never keeps an alert from being stored or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from alerts.explanation import Subject, in_view, joined, moved_by, subject_of, value_in
from alerts.rules.rule import HeightRule, Rule
from alerts.signals.query_answer import error_line
from alerts.store.concentration_log import ConcentrationLog
from alerts.store.pool_names_log import PoolNamesLog
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.cluster import CONSISTENT, cluster_name
from counterpoise.clickhouse.error_codes import DriverError
from counterpoise.clickhouse.explain_window import height_before, pair_of, read_set
from counterpoise.clickhouse.pool_blocks import PoolBlocks, read_pool_blocks
from counterpoise.clickhouse.read_only import connect_read_only
from counterpoise.contracts.alerts import AlertExplanation, AlertTransition, MovedBy, ViewValue
from counterpoise.errors import CounterpoiseError
from counterpoise.explain.explain import explain
from counterpoise.explain.views import groups_of
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.runtime.clock import Clock
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.spans import DAY_SECONDS
from counterpoise.windows import RAW, VIEWS

log = structlog.get_logger(__name__)

MAX_SECONDS: Final = 2.0
"""For all alerts of a batch: no query begins later than this after the first."""

QUERY_SECONDS: Final = 1
PAUSE_SECONDS: Final = 60.0
"""After a failure nothing is explained for this long: a slow database delays one batch, not each."""

SPAN_SECONDS: Final = 7 * DAY_SECONDS
"""As `counterpoise explain` has it. A rule on a change is explained over its blocks."""


class OutOfTimeError(Exception):
    """The batch has used its time."""


def connect_explainer(settings: Settings) -> ClickHouse:
    """A connection that only reads, whose queries are short."""
    target = replace(
        clickhouse_target(settings, read_only=True),
        connect_timeout_seconds=QUERY_SECONDS,
        query_timeout_seconds=QUERY_SECONDS + 1,
    )
    limits: Mapping[str, Any] = {"max_execution_time": QUERY_SECONDS}
    return connect_read_only(
        target,
        settings.dataset,
        {**(CONSISTENT if cluster_name(target.cluster) else {}), **limits},
        needs_limits=True,
    )


class AlertExplainer:
    """Not safe to share between threads. `connect` makes the connection when the first alert fires."""

    def __init__(
        self,
        rules: Sequence[Rule],
        connect: Callable[[], ClickHouse],
        clock: Clock,
        *,
        span_seconds: int = SPAN_SECONDS,
    ) -> None:
        """`span_seconds`: the time over which a change is explained."""
        self._rules = {(rule.id, rule.chain): rule for rule in rules if isinstance(rule, HeightRule)}
        self._connect = connect
        self._clock = clock
        self._span_seconds = span_seconds
        self._ch: ClickHouse | None = None
        self._scores: ConcentrationLog | None = None
        """Over this connection, with the names that it has read."""
        self._owners: dict[str, AttributionSet] = {}
        self._paused_until = float("-inf")
        self._deadline = 0.0

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._ch is not None:
            self._ch.close()
            self._ch = self._scores = None

    def explained(self, transitions: Sequence[AlertTransition]) -> list[AlertTransition]:
        """The same transitions; those that begin to fire and are sent have an explanation in their evidence, where there was time."""
        found = list(transitions)
        self._deadline = self._clock.monotonic() + MAX_SECONDS
        for at, transition in enumerate(found):
            subject = self._subject(transition)
            if subject is None or self._clock.monotonic() < self._paused_until:
                continue
            try:
                explanation = self._explain(*subject, transition)
            except Exception as error:  # whatever it is, the alert goes out without it
                self._failed(transition, error)
                continue
            if explanation is not None:
                evidence = transition.evidence.model_copy(update={"explanation": explanation})
                found[at] = transition.model_copy(update={"evidence": evidence})
        return found

    def _subject(self, transition: AlertTransition) -> tuple[HeightRule, Subject] | None:
        begins = transition.state == "firing" != transition.previous_state
        if not (begins and transition.notify) or transition.evidence.height is None:
            return None
        rule = self._rules.get((transition.rule_id, transition.evidence.chain or BITCOIN.name))
        subject = subject_of(rule) if rule is not None else None
        return None if rule is None or subject is None else (rule, subject)

    def _explain(self, rule: HeightRule, subject: Subject, transition: AlertTransition) -> AlertExplanation | None:
        evidence, window = transition.evidence, subject.place.window_blocks
        after = read_pool_blocks(self._connection(), rule.chain, window, evidence.height)
        if (after.attribution_id, after.tip_hash) != (evidence.attribution_id, evidence.tip_hash):
            return None  # of another branch or attribution than the alert
        owners = self._set(after.attribution_id)
        seconds = int(after.time.timestamp())
        metric = "" if subject.change_blocks else subject.additive or ""
        groups = groups_of(
            after.raw, {pool: owners.entity_of(pool, seconds) for pool in after.raw}, after.views[RAW].unknown, metric
        )
        views = self._views(rule, subject, after)
        moved = None
        try:
            moved = self._moved(subject, after, owners)
        except Exception as error:
            self._failed(transition, error)
        return AlertExplanation(
            metric=subject.metric,
            views=views if len(views) == len(VIEWS) else (),
            joined=joined(groups),
            moved=moved,
        )

    def _failed(self, transition: AlertTransition, error: Exception) -> None:
        if not isinstance(error, (CounterpoiseError, DriverError, OutOfTimeError)):
            log.exception("an alert cannot be explained", alert_id=transition.alert_id, exc_info=error)
            return
        log.warning("an alert is not explained", alert_id=transition.alert_id, reason=error_line(error))
        self._paused_until = self._clock.monotonic() + PAUSE_SECONDS
        self.close()

    def _views(self, rule: HeightRule, subject: Subject, after: PoolBlocks) -> tuple[ViewValue, ...]:
        ch = self._connection()
        if self._scores is None:
            self._scores = ConcentrationLog(ch, PoolNamesLog(ch))
        scores = self._scores
        found = []
        for view in VIEWS:
            self._connection()
            series = scores.series(
                rule.chain,
                after.attribution_id,
                view,
                subject.place.window_blocks,
                low=after.height - subject.change_blocks,
                high=after.height,
                further=rule.further_columns,
            )
            whole = len(series) and int(series.height[-1]) == after.height and series.tip_hash[-1] == after.tip_hash
            value = value_in(view, in_view(rule, view), series) if whole else None
            found += [value] if value else []
        return tuple(found)

    def _moved(self, subject: Subject, after: PoolBlocks, owners: AttributionSet) -> MovedBy | None:
        if subject.additive is None:
            return None
        earlier = after.height - subject.change_blocks
        if not subject.change_blocks:
            earlier = height_before(self._connection(), after, self._span_seconds, everywhere=False)
        if earlier <= 0:
            return None
        before = read_pool_blocks(self._connection(), after.chain, after.window, earlier, is_past=True)
        pair = pair_of(before, after, None if subject.place.view == RAW else owners)
        if not any(pair.before.blocks.values()) or before.attribution_id != after.attribution_id:
            return None
        found = explain(subject.additive, pair.before, pair.after, remapped=pair.remapped)
        return moved_by(found, from_height=before.height, from_time=int(before.time.timestamp()))

    def _set(self, attribution_id: str) -> AttributionSet:
        if attribution_id not in self._owners:
            self._owners = {attribution_id: read_set(self._connection(), attribution_id)}
        return self._owners[attribution_id]

    def _connection(self) -> ClickHouse:
        if self._clock.monotonic() > self._deadline:
            raise OutOfTimeError(f"more than {MAX_SECONDS:g} seconds")
        if self._ch is None:
            self._ch = self._connect()
            return self._connection()
        return self._ch
