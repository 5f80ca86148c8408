"""The alerts service: lead, stand by while another alerter leads, and survive what comes back.

Nothing in memory needs saving: after any failure of ClickHouse, as after a kill, a new session reads the state again, finds the
rows that exist, and repeats none.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from typing import Final, TextIO

import structlog

from alerts.alert_session import AlertProcess, AlertSession, OnTransition
from alerts.outbox.outbox import SupersededError
from alerts.outbox.receivers.receivers import check_rules, make_receivers, routes
from alerts.outbox.receivers.slack_receiver import SlackReceiver, has_buttons, read_app_token, socket_client
from alerts.people.slack_actions import SlackActions
from alerts.people.slack_socket import open_connection
from alerts.rules_watch import RulesWatch
from alerts.score_feed import ScoreFeed
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect_consistent
from counterpoise.clickhouse.dataset_mark import open_dataset
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.versions import Versions
from counterpoise.errors import RetryableError
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.reload import RELOAD
from counterpoise.runtime.retry import SINK_RETRY, Backoff
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings

log = structlog.get_logger(__name__)

ROLE: Final = "alerts"
LEADER_GONE_SECONDS: Final = 12.0
"""After this long without a sign of life of the alerter with the newest epoch, one that stands by takes over."""

STAND_BY_POLL_SECONDS: Final = 2.0
"""Time between looks of one that stands by. With the three seconds between signs of life, a takeover takes at most 20 s."""


def run_alerts(
    settings: Settings,
    *,
    clock: Clock | None = None,
    stop: threading.Event,
    status: ServiceStatus,
    on_transition: OnTransition | None = None,
    console: TextIO | None = None,
) -> None:
    """Run until `stop` is set. ConfigError at the start for rules or settings that are wrong.

    The rules file is read again when it changes and when `RELOAD` is set. With a mistake in it the rules of before stay in use.

    `on_transition` is called with every transition once its row is stored, from the thread that runs this. `console` is where the
    console receiver writes; standard output if not given.
    """
    process = AlertProcess(settings, clock or SystemClock(), stop, status, on_transition or (lambda _: None))
    AlertService(process, console or sys.stdout).run()


class AlertService:
    """One instance a process."""

    def __init__(self, process: AlertProcess, console: TextIO) -> None:
        settings, clock = process.settings, process.clock
        self._process = process
        self._settings = settings
        self._clock = clock
        self._stop = process.stop
        self._status = process.status
        self._watch = RulesWatch(settings.alerts.rules_file, clock, check=partial(check_rules, settings))
        self._receivers = make_receivers(settings, console)
        self._routes = routes(settings)
        self._target = clickhouse_target(settings)
        self._store = self._new_store()
        self._feed = ScoreFeed(settings, clock)
        self._session: AlertSession | None = None
        self._slack_actions = self._make_slack_actions()

    def run(self) -> None:
        """Until `stop` is set."""
        backoff = Backoff(SINK_RETRY)
        if self._slack_actions is not None:
            self._slack_actions.start()
        try:
            while not self._stop.is_set():
                self._status.beat()
                self._read_rules()
                try:
                    if self._session is None:
                        self._session = self._begin()
                    self._session.round()
                    backoff.reset()
                except RetryableError as error:
                    self._end_session()
                    self._status.waiting("clickhouse", str(error))
                    self._clock.sleep(backoff.next_seconds())
                except SupersededError as error:
                    self._end_session()
                    self._stand_by(str(error))
        finally:
            self._end_session()
            if self._slack_actions is not None:
                self._slack_actions.stop()
            self._feed.close()
            self._store.ch.close()

    def _read_rules(self) -> bool:
        """Whether the rules are others now: then a session with the ones of before has ended."""
        asked = RELOAD.is_set()
        RELOAD.clear()
        changed = self._watch.changed(asked=asked)
        self._status.set(rules_problem=self._watch.problem)
        if changed:
            self._end_session()
        return changed

    def _begin(self) -> AlertSession:
        open_dataset(self._store.ch, self._settings.dataset_of, clock=self._clock)
        epoch = claim_epoch(self._store.ch, ROLE, clock=self._clock)
        session = AlertSession(
            self._process,
            store=self._store,
            feed=self._feed,
            rules=self._watch.rules,
            receivers=[(receiver, self._new_store()) for receiver in self._receivers],
            routes=self._routes,
            versions=Versions(epoch),
        )
        try:
            session.load()
        except BaseException:
            session.close()
            raise
        return session

    def _make_slack_actions(self) -> SlackActions | None:
        """What listens to Slack's buttons; None without an app-level token or a Slack channel."""
        settings = self._settings
        slacks = [receiver for receiver in self._receivers if isinstance(receiver, SlackReceiver)]
        if not slacks or not has_buttons(settings):
            return None
        read_app_token(settings)
        return SlackActions(
            partial(
                open_connection,
                app_token=partial(read_app_token, settings),
                make_client=partial(socket_client, settings),
            ),
            receivers={receiver.channel: receiver for receiver in reversed(slacks)},
            open_store=self._new_store,
            rules=lambda: self._watch.rules,
            clock=self._clock,
        )

    def _new_store(self) -> AlertStore:
        return AlertStore(connect_consistent(self._target, self._settings.dataset))

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _stand_by(self, reason: str) -> None:
        """Do nothing while the alerter with the newest epoch shows signs of life."""
        log.warning("standing by", reason=reason)
        # By our own clock, from sign to sign: the other one's clock may be wrong.
        last: tuple[int, float] | None = None
        seen_at = self._clock.monotonic()
        while not self._stop.is_set():
            self._status.beat()
            self._status.waiting("alerter", reason)
            self._read_rules()
            try:
                sign = self._store.states.leader()
                if sign != last:
                    last, seen_at = sign, self._clock.monotonic()
                elif self._clock.monotonic() - seen_at > LEADER_GONE_SECONDS:
                    return
            except RetryableError as error:
                self._status.waiting("clickhouse", str(error))
                seen_at = self._clock.monotonic()
            self._stop.wait(STAND_BY_POLL_SECONDS)
