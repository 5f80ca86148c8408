"""The outboxes of all receivers: each has its own thread and connection, so that none waits for another."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.outbox.inherited import Inherited
from alerts.outbox.jobs import Start
from alerts.outbox.outbox import Outbox
from alerts.outbox.outbox_worker import OutboxWorker
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.runtime.clock import Clock


class Outboxes:
    """One outbox and one store for each receiver, in one order."""

    def __init__(self, outboxes: Sequence[Outbox], stores: Sequence[AlertStore]) -> None:
        self._outboxes = {outbox.name: outbox for outbox in outboxes}
        self._workers = {outbox.name: OutboxWorker(outbox) for outbox in outboxes}
        self._stores = stores
        self._new: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The names of the receivers."""
        return ", ".join(self._workers)

    @property
    def waiting(self) -> int:
        """Messages still to be sent, and transitions that were handed over and not read yet."""
        return sum(worker.waiting for worker in self._workers.values())

    @property
    def trouble(self) -> tuple[str, str] | None:
        """The first receiver that cannot be sent to just now, and why; None where all is well."""
        return next(((name, worker.trouble) for name, worker in self._workers.items() if worker.trouble), None)

    @property
    def failure(self) -> BaseException | None:
        """What ended a thread, other than `stop`."""
        return next((worker.failure for worker in self._workers.values() if worker.failure), None)

    def load(self, store: AlertStore, versions: Versions, clock: Clock) -> bool:
        """Take up what earlier processes left unsent; whether a receiver is new to a dataset that others sent for."""
        joined = store.receivers.settle(self._outboxes, now=clock.now(), version=versions.next())
        inherited = Inherited.read(store)
        self._new = frozenset(name for name, outbox in self._outboxes.items() if outbox.load(inherited, joined[name]))
        return bool(self._new)

    def start(self) -> None:
        """Set off."""
        for worker in self._workers.values():
            worker.start()

    def stop(self) -> None:
        """Finish the messages at hand, end and close the connections."""
        for worker in self._workers.values():
            worker.stop()
        for store in self._stores:
            store.ch.close()

    def prepare(self, transitions: Sequence[AlertTransition]) -> None:
        """Announce transitions that are about to be stored."""
        for worker in self._workers.values():
            worker.prepare(transitions)

    def enqueue(self, transition: AlertTransition) -> None:
        """Hand over a transition."""
        for worker in self._workers.values():
            worker.enqueue(transition)

    def announce(self, start: Start, *, to_new: bool | None = None) -> None:
        """Hand over a state at start, to receivers that are new, to those that are not, or to all."""
        for name, worker in self._workers.items():
            if to_new is None or (name in self._new) == to_new:
                worker.announce(start)

    def remind(self, firing: Sequence[AlertTransition]) -> None:
        """Hand over what still fires."""
        for worker in self._workers.values():
            worker.remind(firing)
