"""The relay without engines: what is sent at once, what is sent again, and what a stop leaves on the disk."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from counterpoise.contracts.releases import ReleaseEvent
from counterpoise.runtime.retry import StoppingError, Waiter
from counterpoise.runtime.service_status import ServiceStatus
from ingest.bad_item import BadItem
from ingest.releases.journal.entry import entry_of
from ingest.releases.journal.release_journal import ReleaseJournal
from ingest.releases.relay import Relay
from testkit.manual_clock import ManualClock
from tests.unit.ingest_releases.releases import a_release


class Recorded:
    """In place of a publisher: `sent` are the ids of each flush."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.letters: list[str] = []
        self._open: list[str] = []

    def lost_memory(self) -> bool:
        return False

    def send_events(self, topic: Any, kind: str, key: str, events: Sequence[ReleaseEvent]) -> None:
        self._open += [event.release_id for event in events]

    def dead_letter(self, item: BadItem, origin: str) -> None:
        self.letters.append(item.key)

    def flush(self) -> None:
        if self._open:
            self.sent.append(self._open)
            self._open = []


class Bench:
    """One relay over a journal in a folder; `stored` are the keys that ClickHouse holds."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(1_000.0)
        self.status = ServiceStatus("market", folder / "run", self.clock)
        self.journal = ReleaseJournal(folder / "journal", max_bytes=1 << 28)
        self.publisher = Recorded()
        self.stored: set[str] = set()
        self.steps: list[Callable[[], object]] = []
        waiter = Waiter(self.clock, self.status, lambda: False)
        self.relay = Relay(
            self.journal,
            self.publisher,  # type: ignore[arg-type]
            self._held,
            waiter=waiter,
            status=self.status,
            set_aside_after_seconds=60.0,
            check=self._check,
            rejected=queue.SimpleQueue(),
        )

    def _held(self, keys: Collection[str]) -> set[str]:
        return self.stored & set(keys)

    def _check(self) -> None:
        if not self.steps:
            raise StoppingError("no step is left")
        self.steps.pop(0)()
        self.clock.advance(61.0)

    def run(self, *steps: Callable[[], object]) -> None:
        """A round after each step; each is a minute later."""
        self.steps = list(steps)
        with pytest.raises(StoppingError):
            self.relay.run()

    def close(self) -> None:
        self.journal.close()
        self.status.close()


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    made = Bench(tmp_path)
    request.addfinalizer(made.close)
    return made


def test_a_release_that_was_set_aside_is_sent_when_it_comes_again(bench: Bench, tmp_path: Path) -> None:
    refused, taken = entry_of(a_release("refused")), entry_of(a_release("taken"))
    answers: list[bool] = []
    aside = tmp_path / "journal" / "aside" / f"{refused.key}.json"
    bench.run(
        lambda: bench.journal.append([refused]),
        lambda: bench.journal.append([taken]),
        lambda: bench.stored.add(taken.key),
        bench.journal.pending,
        aside.read_bytes,
        lambda: answers.extend(bench.journal.append([refused, taken])),
    )
    assert answers == [True, False]
    assert bench.publisher.sent == [[refused.key], [taken.key], [refused.key]]
