"""The outbox's thread: the only one that touches the outbox."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from alerts.outbox.jobs import Start
from alerts.outbox.outbox import Outbox
from counterpoise.contracts.alert_transition import AlertTransition

POLL_SECONDS = 1.0


class OutboxWorker:
    """Takes work from any thread. `failure` is what ended the thread, other than `stop`."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._inbox: queue.SimpleQueue[tuple[Callable[[], None], int]] = queue.SimpleQueue()
        """What to do, and how many transitions or states at start that brings: a check of what is due brings none."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
        self._handed = self._taken = 0
        self.failure: BaseException | None = None

    @property
    def waiting(self) -> int:
        """Pending messages, and transitions that were handed over and not read yet."""
        return self._handed - self._taken + self._outbox.waiting

    @property
    def trouble(self) -> str | None:
        """Why nothing can be sent just now; None where all is well."""
        return self._outbox.trouble

    def start(self) -> None:
        """Set off."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the message at hand and end."""
        self._ended.set()
        self._hand(lambda: None)
        if self._thread.is_alive():
            self._thread.join(timeout=30.0)

    def prepare(self, transitions: Sequence[AlertTransition]) -> None:
        """Let what their messages need be read ahead: their rows are not stored yet."""
        self._hand(lambda: self._outbox.prepare(transitions))

    def enqueue(self, transition: AlertTransition) -> None:
        """Hand over a transition."""
        self._hand(lambda: self._outbox.enqueue(transition), messages=1)

    def announce(self, start: Start) -> None:
        """Hand over a state at start."""
        self._hand(lambda: self._outbox.announce_start(start, inherited=True), messages=1)

    def remind(self, firing: Sequence[AlertTransition]) -> None:
        """Hand over what still fires."""
        self._hand(lambda: self._outbox.remind(firing))

    def _hand(self, work: Callable[[], None], *, messages: int = 0) -> None:
        self._handed += messages
        self._inbox.put((work, messages))

    def _work(self) -> None:
        try:
            wait = 0.0
            while not self._ended.is_set():
                self._take(min(wait, POLL_SECONDS))
                wait = self._outbox.run_due()
        except BaseException as error:
            self.failure = error

    def _take(self, wait_seconds: float) -> None:
        """Wait for work that long, then take what is there by then: what comes meanwhile does not delay the messages."""
        try:
            taken = self._inbox.get(timeout=wait_seconds) if wait_seconds > 0 else self._inbox.get_nowait()
        except queue.Empty:
            return
        for found in [taken, *(self._inbox.get_nowait() for _ in range(self._inbox.qsize()))]:
            work, messages = found
            work()
            self._taken += messages
