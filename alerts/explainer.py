"""Explains alerts as they fire, from ClickHouse and the message of their block: over its own connection, within a few seconds for
all of a batch.

A query that fails or takes too long leaves its part out. It never keeps an alert from being stored or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from alerts.explanation import ExplainedSubject, in_view, joined, moved_by, subject_of, value_in
from alerts.rules.rule import HeightRule, Rule
from alerts.score_messages import views_at
from alerts.signals.query_answer import error_line
from alerts.signals.window_counts import WindowCounts
from alerts.store.concentration_log import ConcentrationLog
from alerts.store.pool_names_log import PoolNamesLog
from alerts.store.pool_windows import NEVER, PairRows, PoolWindow, PoolWindows
from counterpoise.chain.chain_registry import BITCOIN, CHAINS
from counterpoise.clickhouse.client import ClickHouse, finish
from counterpoise.clickhouse.cluster import CONSISTENT, cluster_name
from counterpoise.clickhouse.error_codes import DriverError
from counterpoise.clickhouse.explain_window import by_entity, read_set
from counterpoise.clickhouse.read_only import connect_read_only
from counterpoise.contracts.alert_transition import AlertEvidence, AlertExplanation, AlertTransition, MovedBy
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.errors import CounterpoiseError
from counterpoise.explain.explained_change import Window, explain
from counterpoise.explain.views import JoinedEntity, groups_of
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.runtime.clock import Clock
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.spans import DAY_SECONDS
from counterpoise.windows import LEADERS, RAW, VIEWS, View

log = structlog.get_logger(__name__)

MAX_SECONDS: Final = 2.0
"""For all alerts of a batch: no query begins later than this after the first."""

QUERY_SECONDS: Final = 1
PAUSE_SECONDS: Final = 60.0
"""After a failure nothing is explained for this long: a slow database delays one batch, not each."""

SPAN_SECONDS: Final = 7 * DAY_SECONDS
"""As `counterpoise explain` has it. A rule on a change is explained over its blocks."""


_NONE: Final[Mapping[tuple[str, str], ScoreEvent]] = {}


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


@dataclass(frozen=True, slots=True)
class _Reader:
    """A connection, and what is read over it, with the names that it has read."""

    ch: ClickHouse
    scores: ConcentrationLog
    pools: PoolWindows


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
        self._open: _Reader | None = None
        self._owners: dict[str, AttributionSet] = {}
        self._paused_until = float("-inf")
        self._deadline = 0.0

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._open is not None:
            self._open.ch.close()
            self._open = None

    def explained(
        self, transitions: Sequence[AlertTransition], messages: Mapping[tuple[str, str], ScoreEvent] = _NONE
    ) -> list[AlertTransition]:
        """The same transitions; those that begin to fire and are sent have an explanation in their evidence, where there was time.

        `messages`: of blocks of theirs, by chain and block. What a message has is not read.
        """
        found = list(transitions)
        self._deadline = self._clock.monotonic() + MAX_SECONDS
        for at, transition in enumerate(found):
            subject = self._subject(transition)
            if subject is None or self._clock.monotonic() < self._paused_until:
                continue
            try:
                message = messages.get((subject[0].chain, transition.evidence.tip_hash or ""))
                explanation = self._explain(*subject, transition, message)
            except Exception as error:  # whatever it is, the alert goes out without it
                self._failed(transition, error)
                continue
            if explanation is not None:
                evidence = transition.evidence.model_copy(update={"explanation": explanation})
                found[at] = transition.model_copy(update={"evidence": evidence})
        return found

    def _subject(self, transition: AlertTransition) -> tuple[HeightRule, ExplainedSubject] | None:
        begins = transition.state == "firing" != transition.previous_state
        if not (begins and transition.notify) or transition.evidence.height is None:
            return None
        rule = self._rules.get((transition.rule_id, transition.evidence.chain or BITCOIN.name))
        subject = subject_of(rule) if rule is not None else None
        return None if rule is None or subject is None else (rule, subject)

    def _explain(
        self, rule: HeightRule, subject: ExplainedSubject, transition: AlertTransition, message: ScoreEvent | None
    ) -> AlertExplanation | None:
        found, attribution_id, window = (
            transition.evidence,
            transition.evidence.attribution_id,
            subject.place.window_blocks,
        )
        if attribution_id is None or found.height is None:
            return None
        owners = self._set(attribution_id)
        low, high, until = self._earlier(subject, rule.chain, found.height, transition.event_time)
        pair = self._reader().pools.begin_pair(
            rule.chain, attribution_id, window, height=found.height, earlier=(low, high), until=until
        )
        with closing(pair):
            next(pair)  # the server counts while the series are made
            series = self._series_of(rule, subject, found, message)
            if len(series) < len(VIEWS):
                return None  # of another branch than the alert
            return self._of_windows(rule, subject, transition, series, pair, owners)

    def _of_windows(  # noqa: PLR0917 - all that was asked for
        self,
        rule: HeightRule,
        subject: ExplainedSubject,
        transition: AlertTransition,
        series: Mapping[View, WindowCounts],
        pair: Generator[None, None, PairRows],
        owners: AttributionSet,
    ) -> AlertExplanation:
        height, attribution_id = transition.evidence.height or 0, transition.evidence.attribution_id or ""
        values = [value_in(view, in_view(rule, view), one) for view, one in series.items()]
        time, unknown = (int(column[-1]) for column in (series[RAW].time, series[RAW].unknown))
        groups: Sequence[JoinedEntity] = ()
        moved = None
        try:
            rows = finish(pair)
            after, before = self._reader().pools.pair(rows, attribution_id, height=height, time=time, unknown=unknown)
            if _is_of(after, series[RAW]):
                metric = "" if subject.change_blocks else subject.additive or ""
                entities = {pool: owners.entity_of(pool, time) for pool in after.blocks}
                groups = groups_of(after.blocks, entities, unknown, metric)
                moved = _moved(subject, before, after, owners) if before else None
        except Exception as error:
            self._failed(transition, error)
        views = [value for value in values if value is not None]
        return AlertExplanation(
            metric=subject.metric,
            views=tuple(views) if len(views) == len(VIEWS) else (),
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

    def _series_of(
        self, rule: HeightRule, subject: ExplainedSubject, found: AlertEvidence, message: ScoreEvent | None
    ) -> dict[View, WindowCounts]:
        """The heights of the value in each view, where their last one is of the alert's block; one height is in its message."""
        if message is not None and not subject.change_blocks and message.attribution_id == found.attribution_id:
            series = views_at(message, subject.place.window_blocks, rule.further_columns)
            if series is not None:
                return series
        return self._read_series(rule, subject, found)

    def _read_series(
        self, rule: HeightRule, subject: ExplainedSubject, found: AlertEvidence
    ) -> dict[View, WindowCounts]:
        height = found.height or 0
        series = self._reader().scores.series_by_view(
            rule.chain,
            found.attribution_id or "",
            VIEWS,
            subject.place.window_blocks,
            low=height - subject.change_blocks,
            high=height,
            further=rule.further_columns,
        )
        return {
            view: one
            for view, one in series.items()
            if len(one) and (int(one.height[-1]), one.tip_hash[-1]) == (height, found.tip_hash)
        }

    def _earlier(self, subject: ExplainedSubject, chain: str, height: int, time: int) -> tuple[int, int, int]:
        """Lowest and highest height of the window with which it is compared, and the latest time of its block.

        At most four times the blocks that the time usually takes are read: the number of rows is bounded.
        """
        if subject.additive is None:
            return 0, 0, 0
        if subject.change_blocks:
            return height - subject.change_blocks, height - subject.change_blocks, NEVER
        spacing = CHAINS.get(chain, BITCOIN).block_spacing_seconds
        return height - 4 * (self._span_seconds // spacing) - 144, height - 1, time - self._span_seconds

    def _set(self, attribution_id: str) -> AttributionSet:
        if attribution_id not in self._owners:
            self._owners = {attribution_id: read_set(self._reader().ch, attribution_id)}
        return self._owners[attribution_id]

    def _reader(self) -> _Reader:
        if self._clock.monotonic() > self._deadline:
            raise OutOfTimeError(f"more than {MAX_SECONDS:g} seconds")
        if self._open is None:
            ch = self._connect()
            names = PoolNamesLog(ch)
            self._open = _Reader(ch, ConcentrationLog(ch, names), PoolWindows(ch, names))
            return self._reader()
        return self._open


def _is_of(counted: PoolWindow, value: WindowCounts) -> bool:
    """Whether the blocks that were counted are those of the value: its message may be of a branch that lost meanwhile."""
    largest = sorted(counted.blocks.values(), reverse=True)[:LEADERS]
    total = sum(counted.blocks.values()) + counted.unknown
    return largest == [int(count) for count in value.counts[-1] if count] and total == int(value.n[-1])


def _moved(subject: ExplainedSubject, before: PoolWindow, after: PoolWindow, owners: AttributionSet) -> MovedBy | None:
    """What moved the metric from one window to the other; None without a metric of parts, and without known blocks before."""
    if subject.additive is None or not before.blocks:
        return None
    if subject.place.view == RAW:
        found = explain(subject.additive, before.whole, after.whole)
    else:
        first, remapped, last = (
            Window(by_entity(window.blocks, owners, at), window.unknown, window.height)
            for window, at in ((before, before.time), (before, after.time), (after, after.time))
        )
        found = explain(subject.additive, first, last, remapped=remapped)
    return moved_by(found, from_height=before.height, from_time=int(before.time.timestamp()))
