"""What waits is messages: a check of what is due is none, and it delays none."""

from __future__ import annotations

import threading
from typing import cast

from alerts.outbox.outbox import Outbox
from alerts.outbox.outbox_worker import OutboxWorker
from tests.unit.alerts.slack_world import Alerter, HandClock, MemorySlack, Rows
from tests.waiting import PATIENCE_SECONDS


def test_a_check_of_what_is_due_is_no_message_that_waits() -> None:
    clock = HandClock()
    worker = OutboxWorker(Alerter(Rows(), MemorySlack(clock), clock).outbox)
    worker.remind([])
    worker.prepare([])
    assert worker.waiting == 0


def test_checks_that_come_faster_than_they_end_delay_no_message() -> None:
    sent = threading.Event()

    class Slow:
        """Each check ends after the next one has come."""

        waiting = 0

        def remind(self, firing: object) -> None:
            if not sent.is_set():
                worker.remind([])

        def run_due(self) -> float:
            if checks.is_set():
                sent.set()
            return 0.0

        trouble = None

    checks = threading.Event()
    worker = OutboxWorker(cast(Outbox, Slow()))
    worker.remind([])
    checks.set()
    worker.start()
    try:
        assert sent.wait(PATIENCE_SECONDS)
    finally:
        sent.set()
        worker.stop()
