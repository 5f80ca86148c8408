"""One alerter's work under one epoch: from messages and the clock to rows, messages and checkpoints.

Order: transitions' rows, then the outbox (whose jobs follow from those rows) and the checkpoint, then Kafka's offsets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final

import structlog

from alerts.dead_man import DeadManRules, gather_facts
from alerts.evaluate import Evaluation
from alerts.evaluated import EvaluatedScores
from alerts.explainer import AlertExplainer, connect_explainer
from alerts.firing_rows import FiringRows
from alerts.machine.checkpoints import Checkpoints
from alerts.machine.rule_state import RuleState
from alerts.orphans import closed_orphans
from alerts.outbox.current_actions import CurrentActions
from alerts.outbox.delivery_policy import DeliveryPolicy
from alerts.outbox.jobs import Job, Start
from alerts.outbox.message_context import MAX_READY, Renderer
from alerts.outbox.outbox import Outbox, SupersededError
from alerts.outbox.outboxes import Outboxes
from alerts.outbox.receivers.receiver import ConfiguredReceiver
from alerts.outbox.receivers.slack_receiver import has_buttons
from alerts.outbox.routes import Route
from alerts.rule_queries import RuleQueries, connect_reader
from alerts.rules.changes import changes
from alerts.rules.rule import HeightRule, Rule
from alerts.score_feed import ScoreFeed
from alerts.signals.release_facts import ReleaseFacts
from alerts.store.alert_events_log import StoredEntry
from alerts.store.alert_store import AlertStore
from alerts.store.release_facts_reader import read_release_facts
from counterpoise.clickhouse.client import finish
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alert_transition import OPEN_STATES, AlertTransition
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.errors import RetryableError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.crash_points import crash_point
from counterpoise.runtime.service_status import ServiceStatus, read_status
from counterpoise.settings.model import Settings
from counterpoise.windows import RAW, SHORTEST_WINDOW_BLOCKS

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 5.0
"""Time between checks of ClickHouse for news without a message, and between evaluations of dead-man rules."""

BACKLOG_SECONDS: Final = 0.5
"""At most this often is ClickHouse read while messages come faster than one by one."""

RELEASE_FACTS_SECONDS: Final = 30.0
HEARTBEAT_SECONDS: Final = 3.0
"""Time between signs of life of the alerter at work."""

STRAGGLER_SECONDS: Final = 60.0
"""For this long after taking over, rows of earlier alerters are looked for: the server checks a claim in the statement that
writes, so that only one that had begun by then can still arrive."""

REMINDER_CHECK_SECONDS: Final = 60.0

OnTransition = Callable[[AlertTransition], None]


@dataclass(frozen=True, slots=True)
class AlertProcess:
    """What all sessions of one process have in common."""

    settings: Settings
    clock: Clock
    stop: threading.Event
    status: ServiceStatus
    on_transition: OnTransition


class AlertSession:
    """Work under one epoch."""

    def __init__(
        self,
        process: AlertProcess,
        *,
        store: AlertStore,
        feed: ScoreFeed,
        rules: Sequence[Rule],
        receivers: Sequence[tuple[ConfiguredReceiver, AlertStore]],
        routes: Sequence[Route],
        versions: Versions,
    ) -> None:
        """`receivers`: each with the store of its thread."""
        settings, clock, status = process.settings, process.clock, process.status
        self._settings = settings
        self._clock = clock
        self._stop = process.stop
        self._status = status
        self._on_transition = process.on_transition
        self._store = store
        self._feed = feed
        self._live = settings.dataset_kind == "live"
        self._versions = versions
        self._rules = rules
        self._evaluation = Evaluation(
            store,
            self._rules,
            live=self._live,
            clock=clock,
            next_version=versions.next,
            on_chunk=self._claim_stands,
        )
        self._checkpoints = Checkpoints(versions.epoch)
        status.time_chains({rule.chain for rule in rules if isinstance(rule, HeightRule) and rule.enabled})
        self._timer_rules = DeadManRules(self._rules if self._live else ())
        self._explainer = AlertExplainer(self._rules, lambda: connect_explainer(settings), clock)
        self._queries = RuleQueries(self._rules, lambda: connect_reader(settings), clock)
        names = [receiver.name for receiver, _ in receivers]
        self._outboxes = Outboxes(
            [self._outbox(receiver, store, names, routes) for receiver, store in receivers],
            [store for _, store in receivers],
        )
        self._started: set[tuple[str, int]] = set()
        self._began_at = clock.now()
        self._began = clock.monotonic()
        self._earlier: dict[int, int] = {}
        self._firing = FiringRows(store.events)
        self._changed_at: dict[str, float] = {}
        self._behind: dict[str, int] = {}
        self._announced_version: dict[str, int] = {}
        self._unannounced = False
        self._read_at = float("-inf")
        self._polled_at = float("-inf")
        self._heartbeat_at = float("-inf")
        self._reminded_at = float("-inf")
        self._acted = (0, 0)
        self._higher_steps = {rule.inhibited_by for rule in rules if rule.inhibited_by}
        self._told: set[str] = set()
        """Chains of which a message was applied since ClickHouse was last read."""
        self._release_facts: dict[str, tuple[float, ReleaseFacts]] = {}

    def _outbox(
        self, receiver: ConfiguredReceiver, store: AlertStore, names: Sequence[str], routes: Sequence[Route]
    ) -> Outbox:
        settings, people = self._settings, CurrentActions(store.actions, self._clock)
        renderer = Renderer(
            store,
            self._rules,
            settings.dataset,
            settings.desk.public_url,
            docs_url=settings.desk.docs_url,
            buttons=has_buttons(settings) and receiver.kind == "slack",
            people=people,
            clock=self._clock,
        )
        policy = DeliveryPolicy(
            store,
            self._rules,
            receiver=receiver.name,
            receivers=names,
            routes=routes,
            clock=self._clock,
            value_now=renderer.reading_now,
            people=people,
            inhibits="events" not in receiver.abilities,
        )
        return Outbox(
            store,
            receiver,
            versions=self._versions,
            renderer=renderer,
            dataset=settings.dataset,
            clock=self._clock,
            policy=policy,
            repeat_seconds=settings.alerts.repeat_seconds,
            on_success=lambda now, job: self._note_sent(receiver.kind, now, job),
            picture=renderer.picture,
        )

    def _note_sent(self, kind: str, now: float, job: Job) -> None:
        self._status.set(**{f"last_{kind}_success_at": now})
        step = job.transition
        if step is not None and step.evidence.chain is not None and not (job.inherited or job.after_seconds):
            self._status.took("judge_to_accept", now - step.recorded_at_ms / 1000, step.evidence.chain)

    def load(self) -> None:
        """State, rows and what was left unsent; then the outbox's worker starts and all news is read."""
        self._claim_stands()
        self._earlier = self._store.events.newest_of_earlier(self._versions.epoch)
        stored = self._store.states.read()
        judged = {(rule.id, rule.chain): rule.for_blocks for rule in self._rules if isinstance(rule, HeightRule)}
        entries = self._store.events.entries(above=stored.reach(judged))
        self._evaluation.load(entries, stored)
        self._timer_rules.load(entries)
        has_new = self._outboxes.load(self._store, self._versions, self._clock)
        self._close_orphans(entries)
        if has_new:
            self._announce_starts(at_tip=True)
        self._announce_starts(to_new=False)
        self._outboxes.start()
        self._status.set(
            epoch=self._versions.epoch, receiver=self._outboxes.name, rules=len(self._evaluation.evaluated)
        )
        early = self._feed.poll(0.001)  # from here on no message is missed
        self._read_all()
        self._receive(early)
        self._firing_rows()
        self._write_first_checkpoints()
        for chain in self._evaluation.chains:
            self._publish_position(self._evaluation.position(chain))
        self._status.working()

    def round(self) -> None:
        """Wait for messages for a moment, and do what they and the clock ask for."""
        events = self._feed.poll(self._settings.alerts.tick_seconds if not self._behind else 0.05)
        failure = self._outboxes.failure
        if failure is not None:
            raise failure
        if events:
            self._receive(events)
        now = self._clock.monotonic()
        if self._behind and now - self._read_at >= BACKLOG_SECONDS:
            self._read_behind()
        if now - self._polled_at >= POLL_SECONDS:
            self._poll()
        self._publish_waits()

    def close(self) -> None:
        """Stop the outbox's worker; what it has not sent is found again in the rows."""
        self._queries.close()
        self._explainer.close()
        self._outboxes.stop()

    # What came.

    def _receive(self, events: Sequence[ScoreEvent]) -> None:
        self._unannounced = self._unannounced and not events
        batch = EvaluatedScores()
        for chain, found in groupby(events, key=attrgetter("chain")):
            self._apply(chain, list(found), batch)
        self._write(batch)
        if not self._behind:
            self._feed.commit()

    def _apply(self, chain: str, events: Sequence[ScoreEvent], batch: EvaluatedScores) -> None:
        """Apply the messages of one chain, as many together as follow each other; from the first one that does not on, note that
        ClickHouse has to be read."""
        at = 0
        while at < len(events):
            event = events[at]
            if self._evaluation.is_taken_in(event):
                at += 1
                continue
            taken = 0 if chain in self._behind else self._evaluation.take(events[at:], batch)
            if not taken:
                self._behind[chain] = min(event.from_height, self._behind.get(chain, event.from_height))
                self._announced_version[chain] = max(event.version, self._announced_version.get(chain, 0))
                at += 1
                continue
            self._told.add(chain)
            for one in events[at : at + taken]:
                self._status.took("score_to_judge", self._clock.now() - one.scored_at_ms / 1000, chain)
            at += taken

    def _read_behind(self) -> None:
        for chain, rewritten_from in list(self._behind.items()):
            self._read(chain, rewritten_from)
            self._evaluation.seen(chain, self._announced_version.get(chain, 0))
        self._behind.clear()
        self._feed.commit()
        self._read_at = self._clock.monotonic()

    def _read_all(self) -> bool:
        """Read what ClickHouse has; whether there was anything. Where a message was just applied, the next one shows a gap."""
        told, self._told = self._told, set()
        moved = [self._read(chain, None) for chain in self._evaluation.chains if chain not in told]
        return any(moved)

    def _read(self, chain: str, rewritten_from: int | None) -> bool:
        moved = False
        while not self._stop.is_set():
            batch = self._evaluation.catch_up(chain, rewritten_from=rewritten_from)
            rewritten_from = None
            self._write(batch)
            moved = moved or bool(batch.moved)
            if batch.done:
                break
            self._publish_waits()  # many chunks may follow, while a receiver cannot be reached
            self._claim_stands()
        return moved

    # What follows.

    def _write(self, batch: EvaluatedScores) -> None:
        """Rows, then the outbox and the checkpoint: the rows alone decide what is sent.

        Where a receiver gets the state at start, the checkpoint comes first: it remembers that. The state goes out before the news.
        """
        if batch.transitions:
            if sent := [one for one in batch.transitions if one.notify]:
                self._outboxes.prepare(sent[:MAX_READY])
            batch.transitions = self._explainer.explained(batch.transitions, batch.messages)
        starts = bool(batch.moved) and self._has_unannounced_starts()
        checkpoint = self._begin_checkpoint(batch)
        try:
            self._write_steps(batch.transitions)
            if not starts:
                self._send(batch.transitions)
            if batch.moved:
                crash_point("alerts-before-checkpoint")
            finish(checkpoint)
        finally:
            checkpoint.close()
        if starts:
            self._announce_starts()
            self._send(batch.transitions)
        if not batch.moved:
            return
        self._changed_at |= dict.fromkeys(batch.moved, self._clock.now())
        for position in self._evaluation.positions(batch):
            self._publish_position(position)
        if self._outboxes.trouble is None:
            self._status.progress(len(batch.transitions))

    def _begin_checkpoint(self, batch: EvaluatedScores) -> Generator[None, None, int]:
        """The statement goes out before the rows of alerts are stored, and its rows once they are: it waits for one answer less."""
        rows = self._evaluation.checkpoint(batch, self._checkpoints)
        steps = self._store.states.begin_write(rows, self._versions.next())
        next(steps, None)
        return steps

    def _write_steps(self, transitions: Sequence[AlertTransition]) -> None:
        """Store the rows, and note how long that took from the judgement on."""
        if transitions:
            self._keep(transitions)
            told = [step for step in transitions if step.notify and step.evidence.chain is not None]
            for first in {step.evidence.chain: step for step in reversed(told)}.values():
                judged_at = first.recorded_at_ms / 1000
                self._status.took("judge_to_keep", self._clock.now() - judged_at, str(first.evidence.chain))

    def _write_first_checkpoints(self) -> None:
        """Write every row of the chains of which nothing was new, before their first block has to wait for that."""
        unwritten = [chain for chain in self._evaluation.chains if not self._checkpoints.has(chain)]
        batch = EvaluatedScores(moved={chain: [] for chain in unwritten})
        self._store.states.write(self._evaluation.checkpoint(batch, self._checkpoints), self._versions.next())

    def _publish_position(self, rule_state: RuleState) -> None:
        self._status.set_of_chain(rule_state.chain, height=rule_state.height)
        self._status.set(
            tip_hash=rule_state.tip_hash,
            attribution_id=rule_state.attribution_id,
            undelivered=self._outboxes.waiting,
        )

    def _record(self, transitions: Sequence[AlertTransition]) -> None:
        self._keep(transitions)
        self._send(transitions)

    def _keep(self, transitions: Sequence[AlertTransition]) -> None:
        """Store rows. The server drops them where another alerter has taken over, however long we slept on the way."""
        crash_point("alerts-before-rows")
        if not self._store.events.write(transitions, self._versions.next()):
            self._require_claim()
        self._firing.note(transitions)
        crash_point("alerts-after-rows")

    def _send(self, transitions: Sequence[AlertTransition]) -> None:
        for transition in transitions:
            if transition.notify:  # of others there is nothing to send: the outboxes' threads are not woken
                self._outboxes.enqueue(transition)
            if transition.rule_id in self._higher_steps and transition.state not in OPEN_STATES:
                self._reminded_at = float("-inf")  # what it kept back is told with the next look
            self._status.count(transition.state)
            self._status.set(
                undelivered=self._outboxes.waiting
            )  # whoever learns of the step sees that it is on its way
            self._on_transition(transition)

    def _announce_starts(self, *, at_tip: bool = False, to_new: bool | None = None) -> None:
        """The state at start, once for the rules that went live at one height; after their checkpoint, which remembers it.

        `at_tip`: where they stand now, for receivers that are new to a dataset which went live before.
        """
        for (chain, height), rule_ids in self._lives(at_tip=at_tip).items():
            if (chain, height) in self._started and not at_tip:
                continue
            attribution_id = self._store.attribution.current(chain) or ""
            series = self._store.concentration.series(
                chain, attribution_id, RAW, SHORTEST_WINDOW_BLOCKS, low=height, high=height
            )
            if len(series):
                if not at_tip:
                    self._started.add((chain, height))
                start = Start(height, int(series.time[0]), tuple(rule_ids), chain)
                self._outboxes.announce(start, to_new=True if at_tip else to_new)

    def _has_unannounced_starts(self) -> bool:
        """As `_lives`, without its lists: it is asked at every block."""
        states = (evaluated.rule_state for evaluated in self._evaluation.evaluated)
        places = ((one.chain, one.go_live_height) for one in states if one.go_live_height is not None)
        return any(height >= 0 and (chain, height) not in self._started for chain, height in places)

    def _lives(self, *, at_tip: bool = False) -> dict[tuple[str, int], list[str]]:
        """The rules that are live, by their chain and the height from which they are; `at_tip`: by the height where they stand."""
        lives: dict[tuple[str, int], list[str]] = {}
        for evaluated in self._evaluation.evaluated:
            height = evaluated.rule_state.go_live_height
            if height is not None and height >= 0:
                height = evaluated.rule_state.height if at_tip and evaluated.rule_state.height is not None else height
                lives.setdefault((evaluated.rule.chain, height), []).append(evaluated.rule.id)
        return lives

    def _close_orphans(self, read: Sequence[StoredEntry]) -> None:
        rows = closed_orphans(
            read, self._rules, self._store.events, now=self._clock.now(), version=self._versions.next()
        )
        if rows:
            self._record(rows)

    # What the clock asks for.

    def _poll(self) -> None:
        self._polled_at = self._clock.monotonic()
        checked = self._store.sending_checks.read()
        self._claim_stands(checked.epoch)
        self._meet_stragglers()
        if not self._behind:
            self._read_unasked()
        if self._live:
            self._judge_timer_rules()
        acted = checked.actions_mark
        if acted != self._acted or self._polled_at - self._reminded_at >= REMINDER_CHECK_SECONDS:
            self._acted, self._reminded_at = acted, self._polled_at
            self._outboxes.remind(self._firing_rows())

    def _meet_stragglers(self) -> None:
        """Begin again where the alerter before us wrote rows after we had read all: its statement was under way at our claim."""
        if self._clock.monotonic() - self._began > STRAGGLER_SECONDS:
            return
        if self._store.events.has_late_rows(self._earlier, self._versions.epoch):
            raise RetryableError("the alerter before this one wrote rows while it was replaced: reading them")

    def _read_unasked(self) -> None:
        """Read what no message announced. Where none has come by the next poll either, our place in the topic is gone: a broker
        that lost its memory has a topic of the same name, in which our offset means nothing."""
        if self._unannounced:
            self._feed.lose("scores come without messages: looking for the topic's end again")
        self._unannounced = self._read_all() and self._feed.trouble is None
        if self._unannounced:
            log.info("scores came without a message")

    def _judge_timer_rules(self) -> None:
        ingest = read_status(self._settings.run_root, "ingest")
        answers = self._queries.look()
        for chain in self._timer_rules.chains:
            facts = gather_facts(
                self._store,
                chain,
                now=self._clock.now(),
                changed_at=self._changed_at.get(chain, self._began_at),
                ingest=ingest,
                market=self._release_facts_of(chain),
                answers=answers.get(chain, {}),
            )
            transitions = self._timer_rules.tick(facts, self._versions.next, self._changes_of)
            if transitions:
                self._record(transitions)

    def _changes_of(self, rule: Rule) -> str:
        """What the last edit of a rule changed, in words."""
        return changes(self._store.events.newest_content(rule.id, rule.chain), rule)

    def _release_facts_of(self, chain: str) -> ReleaseFacts:
        """Facts of the AI side, read again now and then: releases arrive daily at most."""
        now = self._clock.monotonic()
        if not self._timer_rules.needs_release_facts(chain):
            return ReleaseFacts()
        if chain not in self._release_facts or now - self._release_facts[chain][0] >= RELEASE_FACTS_SECONDS:
            self._release_facts[chain] = (now, read_release_facts(self._store.ch, chain))
        return self._release_facts[chain][1]

    def _firing_rows(self) -> list[AlertTransition]:
        """The first row of each alert that fires, or whose query fails, with which its message begins."""
        return self._firing.of([*self._evaluation.firing_steps(), *self._timer_rules.firing_steps()])

    def _require_claim(self, newest: int | None = None) -> None:
        """Raise if another alerter has taken over, by the newest epoch that was read just now, if any."""
        if (self._store.epochs.highest() if newest is None else newest) != self._versions.epoch:
            raise SupersededError(f"another alerter than epoch {self._versions.epoch} has taken over")

    def _claim_stands(self, newest: int | None = None) -> None:
        """The same, and report now and then that we are at work: not on the way of an alert, which would wait for that row."""
        self._require_claim(newest)
        if self._clock.monotonic() - self._heartbeat_at >= HEARTBEAT_SECONDS:
            self._heartbeat_at = self._clock.monotonic()
            self._store.states.write_leader(self._versions.epoch, self._clock.now(), self._versions.next())

    def _publish_waits(self) -> None:
        """Publish what we wait for, if anything."""
        self._status.beat()
        self._status.set(undelivered=self._outboxes.waiting, bad_messages=self._feed.bad_messages)
        trouble = self._outboxes.trouble
        if trouble is not None:
            self._status.waiting(*trouble)
        elif self._feed.trouble is not None:
            self._status.waiting("kafka", self._feed.trouble)
        else:
            self._status.working()
