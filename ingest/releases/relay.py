"""Carries the journal to Kafka, as often as it takes, until ClickHouse holds every entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog

from counterpoise.contracts.envelope import MAX_EVENTS
from counterpoise.contracts.releases import RELEASE_KIND, ReleaseEvent
from counterpoise.contracts.topics import EDGE_AI
from counterpoise.errors import RetryableError
from counterpoise.runtime.private_files import private_folder
from counterpoise.runtime.retry import Backoff, RetryPolicy, Waiter
from counterpoise.runtime.service_status import ServiceStatus
from ingest.publisher import Publisher
from ingest.releases.journal.durable_files import write_durably
from ingest.releases.journal.entry import JournalEntry, ReadStored
from ingest.releases.journal.rejected_items import RejectedItems
from ingest.releases.journal.release_journal import ReleaseJournal

MAX_MESSAGE_OBSERVATIONS = 5_000
CONFIRM_RETRY = RetryPolicy(0.5, 10.0, jitter=0.0)
"""Between two questions to ClickHouse whether it holds what was published."""
_ROUND_SECONDS = 0.5
_ENTRIES_A_ROUND = 500
_BYTES_A_ROUND = 4 * 1024 * 1024
"""Read and packed at once, of the journal's bytes: as objects they take six times as much."""

log = structlog.get_logger("market")


class Relay:
    """One thread runs it; others fill the journal and `rejected`. The waiter's check is called every round and may raise.

    An entry is published again when the broker lost its memory, and after every restart unless ClickHouse holds it by then; equal
    releases collapse there. One that ClickHouse does not take for `set_aside_after_seconds` while it takes entries that were
    published later is written to the folder `aside` and no longer sent.
    """

    def __init__(
        self,
        journal: ReleaseJournal,
        publisher: Publisher,
        stored: ReadStored,
        *,
        waiter: Waiter,
        status: ServiceStatus,
        set_aside_after_seconds: float,
        rejected: RejectedItems,
    ) -> None:
        self._journal = journal
        self._publisher = publisher
        self._stored = stored
        self._waiter = waiter
        self._status = status
        self._set_aside_after_seconds = set_aside_after_seconds
        self._rejected = rejected
        self._published: dict[str, float] = {}
        self._newest_taken_at = float("-inf")
        self._confirm_backoff = Backoff(CONFIRM_RETRY)
        self._confirm_at = 0.0
        self._clickhouse_is_away = False

    def run(self) -> None:
        """Until the waiter raises StoppingError."""
        self._waiter.until_done("clickhouse", self._retire_stored_before)
        seen = -1
        while True:
            self._waiter.check()
            if self._publisher.lost_memory():
                log.warning("kafka lost its messages: publishing again what clickhouse does not hold")
                self._published.clear()
                seen = -1
            self._send_rejected()
            now_appended = self._journal.appended
            if now_appended != seen and not self._publish():
                seen = now_appended
            self._confirm()
            self._status.beat()
            if seen == now_appended:
                self._journal.wait_for_more(seen, _ROUND_SECONDS)

    def _retire_stored_before(self) -> None:
        keys = self._journal.pending()
        stored = self._stored(keys) if keys else set()
        self._journal.retire(stored)
        if keys:
            log.info("releases wait in the journal", waiting=len(keys) - len(stored), held_meanwhile=len(stored))

    def _publish(self) -> bool:
        """Send what was not sent yet, oldest first; whether some is left for the next round."""
        keys = [key for key in self._journal.pending() if key not in self._published]
        entries = self._journal.read_some(keys[:_ENTRIES_A_ROUND], max_bytes=_BYTES_A_ROUND)
        for events in packed(event for entry in entries for event in entry.events):
            self._publisher.send_events(EDGE_AI, RELEASE_KIND, events[0].series, events)
        self._publisher.flush()
        now = self._waiter.clock.monotonic()
        self._published.update((entry.key, now) for entry in entries)
        if entries:
            self._confirm_backoff.reset()
            self._confirm_at = now + self._confirm_backoff.next_seconds()
            self._status.count("releases_published", len(entries))
        self._publish_status()
        return 0 < len(entries) < len(keys)

    def _send_rejected(self) -> None:
        """Send the letters that wait, one at a time: their payloads may be large."""
        while (rejected := self._rejected.next()) is not None:
            self._publisher.dead_letter(rejected.item, rejected.origin)
            self._publisher.flush()
            self._rejected.remove([rejected])

    def _confirm(self) -> None:
        """Retire what ClickHouse holds; asked often at first and then less and less."""
        now = self._waiter.clock.monotonic()
        if not self._published or now < self._confirm_at:
            return
        try:
            stored = self._stored(list(self._published))
        except RetryableError as error:  # what is pushed meanwhile still goes to Kafka
            self._clickhouse_is_away = True
            self._status.waiting("clickhouse", str(error))
            stored = set()
        else:
            if self._clickhouse_is_away:
                self._clickhouse_is_away = False
                self._status.working()
            self._newest_taken_at = max([self._newest_taken_at, *(self._published[key] for key in stored)])
            self._journal.retire(stored)
            for key in stored:
                del self._published[key]
            self._status.count("releases_held", len(stored))
            self._set_aside(now)
        if stored:
            self._confirm_backoff.reset()
        self._confirm_at = now + self._confirm_backoff.next_seconds()
        self._publish_status()

    def _set_aside(self, now: float) -> None:
        """Keep as files what ClickHouse plainly does not take; it cannot hold up the journal for ever."""
        refused = [
            key
            for key, at in self._published.items()
            if now - at >= self._set_aside_after_seconds and at < self._newest_taken_at
        ]
        for key in refused:
            entry = self._journal.read(key)
            try:
                if entry is not None:
                    self._keep_aside(entry)
            except OSError as error:  # a full disk: it stays in the journal
                log.warning(
                    "a release cannot be set aside yet", series=entry.series if entry else None, reason=error.strerror
                )
                return
            del self._published[key]
            self._journal.discard([key])

    def _keep_aside(self, entry: JournalEntry) -> None:
        folder = self._journal.folder / "aside"
        private_folder(folder)
        path = folder / f"{entry.key.replace(':', '-')}.json"
        write_durably(path, entry.to_bytes())
        log.error("clickhouse did not take a release: see its dead letters", series=entry.series, kept=str(path))
        self._status.count("releases_set_aside")

    def _publish_status(self) -> None:
        self._status.set(journal_bytes=self._journal.size_bytes, unconfirmed_releases=len(self._published))


def packed(events: Iterable[ReleaseEvent]) -> Iterator[list[ReleaseEvent]]:
    """Runs of events of one series, in order, each with at most MAX_MESSAGE_OBSERVATIONS observations or one event."""
    batch: list[ReleaseEvent] = []
    observations = 0
    for event in events:
        size = len(event.observations)
        if batch and (
            event.series != batch[0].series
            or observations + size > MAX_MESSAGE_OBSERVATIONS
            or len(batch) >= MAX_EVENTS
        ):
            yield batch
            batch, observations = [], 0
        batch.append(event)
        observations += size
    if batch:
        yield batch
