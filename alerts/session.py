"""One alerter's work under one epoch: from messages and the clock to rows, messages and checkpoints.

Order: transitions' rows, then the courier (whose outbox is those rows), then the checkpoint, then Kafka's offsets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from alerts.dead_man import DeadManRules, gather_facts
from alerts.evaluate import EvaluatedScores, Evaluation
from alerts.machine.ledger import Ledger, close_all
from alerts.machine.rule_state import RuleState
from alerts.outbox.jobs import Start
from alerts.outbox.message_context import Renderer
from alerts.outbox.outbox import Outbox, SupersededError
from alerts.outbox.outbox_worker import OutboxWorker
from alerts.outbox.receivers.receiver import Receiver
from alerts.rules.rule import Rule
from alerts.score_feed import ScoreFeed
from alerts.signals.release_facts import ReleaseFacts
from alerts.store.alert_store import AlertStore
from alerts.store.release_facts_reader import read_release_facts
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alerts import AlertTransition
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.crash_points import crash_point
from counterpoise.runtime.status import ServiceStatus, read_status
from counterpoise.settings.model import Settings
from counterpoise.windows import RAW, SHORTEST_WINDOW_BLOCKS

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 5.0
"""How often ClickHouse is asked for news that no message told of, and dead-man rules are judged."""

BACKLOG_SECONDS: Final = 0.5
"""At most this often is ClickHouse read while messages come faster than one by one."""

MARKET_LOOK_SECONDS: Final = 30.0
HEARTBEAT_SECONDS: Final = 15.0
REMINDER_CHECK_SECONDS: Final = 60.0

OnTransition = Callable[[AlertTransition], None]


class AlertSession:
    """Work under one epoch."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        stop: threading.Event,
        status: ServiceStatus,
        on_transition: OnTransition,
        store: AlertStore,
        courier_store: AlertStore,
        feed: ScoreFeed,
        rules: Sequence[Rule],
        receiver: Receiver,
        versions: Versions,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._stop = stop
        self._status = status
        self._on_transition = on_transition
        self._store = store
        self._feed = feed
        self._live = settings.dataset_kind == "live"
        self._versions = versions
        self._rules = rules
        self._watch = Evaluation(store, self._rules, live=self._live, clock=clock, next_version=versions.next)
        self._deadman = DeadManRules(self._rules if self._live else ())
        self._courier_store = courier_store
        outbox = Outbox(
            courier_store,
            receiver,
            versions=versions,
            renderer=Renderer(courier_store, self._rules, settings.dataset),
            dataset=settings.dataset,
            clock=clock,
            on_success=lambda now: status.set(**{f"last_{receiver.name}_success_at": now}),
        )
        self._courier = outbox
        self._postman = OutboxWorker(outbox)
        self._started: set[tuple[str, int]] = set()
        self._began_at = clock.now()
        self._changed_at: dict[str, float] = {}
        self._behind: dict[str, int] = {}
        self._told_version: dict[str, int] = {}
        self._unheard = False
        self._read_at = float("-inf")
        self._looked_at = float("-inf")
        self._beat_at = float("-inf")
        self._reminded_at = float("-inf")
        self._market: dict[str, tuple[float, ReleaseFacts]] = {}

    def load(self) -> None:
        """State, rows and what was left unsent; then the courier sets off and all news is read."""
        self._claim_stands()
        entries = self._store.entries()
        self._watch.load(entries, self._store.states())
        self._deadman.load(entries)
        is_new_here = self._courier.load()
        self._close_orphans()
        self._announce_starts(at_tip=is_new_here)
        self._postman.start()
        self._status.set(epoch=self._versions.epoch, receiver=self._courier.name, rules=len(self._watch.watched))
        early = self._feed.poll(0.001)  # from here on no message is missed
        self._read_all()
        self._receive(early)
        for watched in self._watch.watched:
            self._say_where(watched.rule_state)
        self._status.working()

    def round(self) -> None:
        """Wait for messages for a moment, and do what they and the clock ask for."""
        events = self._feed.poll(self._settings.alerts.tick_seconds if not self._behind else 0.05)
        if self._postman.failure is not None:
            raise self._postman.failure
        if events:
            self._receive(events)
        now = self._clock.monotonic()
        if self._behind and now - self._read_at >= BACKLOG_SECONDS:
            self._read_behind()
        if now - self._looked_at >= LOOK_SECONDS:
            self._look()
        self._say()

    def close(self) -> None:
        """Stop the courier; what it has not sent is found again in the rows."""
        self._postman.stop()
        self._courier_store.ch.close()

    # What came.

    def _receive(self, events: Sequence[ScoreEvent]) -> None:
        self._unheard = self._unheard and not events
        for event in events:
            if self._watch.knows(event):
                continue
            batch = self._watch.take(event) if event.chain not in self._behind else None
            if batch is not None:
                self._write(batch)
            else:
                self._behind[event.chain] = min(event.from_height, self._behind.get(event.chain, event.from_height))
                self._told_version[event.chain] = max(event.version, self._told_version.get(event.chain, 0))
        if not self._behind:
            self._feed.commit()

    def _read_behind(self) -> None:
        for chain, rewritten_from in list(self._behind.items()):
            self._read(chain, rewritten_from)
            self._watch.seen(chain, self._told_version.get(chain, 0))
        self._behind.clear()
        self._feed.commit()
        self._read_at = self._clock.monotonic()

    def _read_all(self) -> bool:
        """Read what ClickHouse has; whether there was anything."""
        moved = [self._read(chain, None) for chain in self._watch.chains]
        return any(moved)

    def _read(self, chain: str, rewritten_from: int | None) -> bool:
        moved = False
        while not self._stop.is_set():
            batch = self._watch.catch_up(chain, rewritten_from=rewritten_from)
            rewritten_from = None
            self._write(batch)
            moved = moved or bool(batch.rule_states)
            if batch.done:
                break
            self._status.beat()
        return moved

    # What follows.

    def _write(self, batch: EvaluatedScores) -> None:
        """Rows, checkpoint, courier, in this order: the state at start, which the checkpoint remembers, is told before the news."""
        if batch.transitions:
            self._keep(batch.transitions)
        if batch.rule_states:
            crash_point("alerts-before-checkpoint")
            self._store.write_states(batch.rule_states, self._versions.next())
            self._announce_starts()
        self._tell(batch.transitions)
        if not batch.rule_states:
            return
        self._changed_at |= dict.fromkeys((state.chain for state in batch.rule_states), self._clock.now())
        self._say_where(batch.rule_states[0])
        if self._postman.trouble is None:
            self._status.progress(len(batch.transitions))

    def _say_where(self, rule_state: RuleState) -> None:
        self._status.set(
            height=rule_state.height,
            tip_hash=rule_state.tip_hash,
            attribution_id=rule_state.attribution_id,
            undelivered=self._postman.waiting,
        )

    def _record(self, transitions: Sequence[AlertTransition]) -> None:
        self._keep(transitions)
        self._tell(transitions)

    def _keep(self, transitions: Sequence[AlertTransition]) -> None:
        self._claim_stands()
        self._store.write_transitions(transitions, self._versions.next())
        crash_point("alerts-after-rows")

    def _tell(self, transitions: Sequence[AlertTransition]) -> None:
        for transition in transitions:
            self._postman.tell(transition)
            self._status.count(transition.state)
            self._on_transition(transition)

    def _announce_starts(self, *, at_tip: bool = False) -> None:
        """The state at start, once for the rules that went live at one height; after their checkpoint, which remembers it.

        `at_tip`: where they stand now, for a notifier that is new to a dataset which went live before.
        """
        lives: dict[tuple[str, int], list[str]] = {}
        for watched in self._watch.watched:
            height = watched.rule_state.go_live_height
            if height is not None and height >= 0:
                height = watched.rule_state.height if at_tip and watched.rule_state.height is not None else height
                lives.setdefault((watched.rule.chain, height), []).append(watched.rule.id)
        for (chain, height), rule_ids in lives.items():
            if (chain, height) in self._started:
                continue
            attribution_id = self._store.attribution_id(chain) or ""
            series = self._store.series(chain, attribution_id, RAW, SHORTEST_WINDOW_BLOCKS, low=height, high=height)
            if len(series):
                self._started.add((chain, height))
                self._postman.announce(Start(height, int(series.time[0]), tuple(rule_ids), chain))

    def _close_orphans(self) -> None:
        """Close what is open under rules that are gone, switched off or say something else now."""
        current = {(rule.id, rule.rule_hash) for rule in self._rules if rule.enabled}
        entries = [e for rule_id, rule_hash, _, e in self._store.entries() if (rule_id, rule_hash) not in current]
        closed = close_all(Ledger.of(entries), self._versions.next())
        now_ms = int(self._clock.now() * 1000)
        rows: list[AlertTransition] = []
        for entry in closed:
            last = self._store.transitions(alert_id=entry.alert_id)[-1]
            rows.append(
                last.model_copy(
                    update={
                        "sequence": entry.sequence,
                        "state": entry.state,
                        "previous_state": entry.previous,
                        "reason": entry.reason,
                        "undoes": (),
                        "notify": entry.notify,
                        "event_time": now_ms // 1000,
                        "recorded_at_ms": now_ms + len(rows),
                        "summary": f"closed: rule {last.rule_id} is gone, switched off or says something else now",
                    }
                )
            )
        if rows:
            self._record(rows)

    # What the clock asks for.

    def _look(self) -> None:
        self._looked_at = self._clock.monotonic()
        self._claim_stands()
        if not self._behind:
            self._read_unasked()
        if self._live:
            self._judge_dead_men()
        if self._looked_at - self._reminded_at >= REMINDER_CHECK_SECONDS:
            self._reminded_at = self._looked_at
            self._postman.remind(self._firing_rows())

    def _read_unasked(self) -> None:
        """Read what no message told of. Where none has come by the next look either, our place in the topic is gone: a broker
        that lost its memory has a topic of the same name, in which our offset means nothing."""
        if self._unheard:
            self._feed.lose("scores come without messages: looking for the topic's end again")
        self._unheard = self._read_all() and self._feed.trouble is None
        if self._unheard:
            log.info("scores came without a message")

    def _judge_dead_men(self) -> None:
        ingest = read_status(self._settings.run_dir, "ingest")
        for chain in self._deadman.chains:
            facts = gather_facts(
                self._store,
                chain,
                now=self._clock.now(),
                changed_at=self._changed_at.get(chain, self._began_at),
                ingest=ingest,
                market=self._market_of(chain),
            )
            transitions = self._deadman.tick(facts, self._versions.next)
            if transitions:
                self._record(transitions)

    def _market_of(self, chain: str) -> ReleaseFacts:
        """What the AI side says, asked anew now and then: releases come by the day."""
        now = self._clock.monotonic()
        if not self._deadman.asks_of_market(chain):
            return ReleaseFacts()
        if chain not in self._market or now - self._market[chain][0] >= MARKET_LOOK_SECONDS:
            self._market[chain] = (now, read_release_facts(self._store.ch, chain))
        return self._market[chain][1]

    def _firing_rows(self) -> list[AlertTransition]:
        names = [name for name, _ in self._watch.firing()] + self._deadman.firing()
        found = []
        for name in names:
            rows = [row for row in self._store.transitions(alert_id=name) if row.state == "firing"]
            found.extend(rows[:1])
        return found

    def _claim_stands(self) -> None:
        """Raise where another alerter has taken over; say now and then that we are at work."""
        if self._store.highest_epoch() != self._versions.epoch:
            raise SupersededError(f"another alerter than epoch {self._versions.epoch} has taken over")
        if self._clock.monotonic() - self._beat_at >= HEARTBEAT_SECONDS:
            self._beat_at = self._clock.monotonic()
            self._store.write_leader(self._versions.epoch, self._clock.now(), self._versions.next())

    def _say(self) -> None:
        """Publish what we wait for, if anything."""
        self._status.beat()
        self._status.set(undelivered=self._postman.waiting, bad_messages=self._feed.bad_messages)
        if self._postman.trouble is not None:
            self._status.waiting(self._courier.name, self._postman.trouble)
        elif self._feed.trouble is not None:
            self._status.waiting("kafka", self._feed.trouble)
        else:
            self._status.working()
