"""The relay without engines: what is sent at once, what is sent again, and what a stop leaves on the disk."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from counterpoise.contracts.releases import ReleaseEvent
from counterpoise.runtime.retry import StoppingError, Waiter
from counterpoise.runtime.service_status import ServiceStatus
from ingest.bad_item import BadItem
from ingest.releases.journal.entry import entry_of
from ingest.releases.journal.rejected_items import RejectedItems
from ingest.releases.journal.release_journal import JournalFullError, ReleaseJournal
from ingest.releases.relay import Relay
from testkit.manual_clock import ManualClock
from tests.unit.ingest_releases.releases import a_release


class Recorded:
    """In place of a publisher: `sent` are the ids of each flush."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.letters: list[str] = []
        self.is_away = False
        self._open: list[str] = []

    def lost_memory(self) -> bool:
        return False

    def send_events(self, topic: Any, kind: str, key: str, events: Sequence[ReleaseEvent]) -> None:
        self._open += [event.release_id for event in events]

    def dead_letter(self, item: BadItem, origin: str) -> None:
        self.letters.append(item.key)

    def flush(self) -> None:
        if self.is_away:
            raise StoppingError("stopped while waiting for kafka")
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
        self.rejected = RejectedItems(folder / "rejected")
        waiter = Waiter(self.clock, self.status, self._stopping)
        self.relay = Relay(
            self.journal,
            self.publisher,  # type: ignore[arg-type]
            self._held,
            waiter=waiter,
            status=self.status,
            set_aside_after_seconds=60.0,
            rejected=self.rejected,
        )

    def _held(self, keys: Collection[str]) -> set[str]:
        return self.stored & set(keys)

    def _stopping(self) -> bool:
        """The relay looks once a round."""
        if not self.steps:
            return True
        self.steps.pop(0)()
        self.clock.advance(61.0)
        return False

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


def kept(folder: Path) -> list[str]:
    """What a next process finds, longest waiting first."""
    items = RejectedItems(folder / "rejected")
    found = []
    while (one := items.next()) is not None:
        found.append(f"{one.origin}: {one.item.key}")
    return found


def test_a_letter_is_kept_until_kafka_acknowledged_it(bench: Bench, tmp_path: Path) -> None:
    bench.rejected.put(BadItem("owners", "bad-source-file", "no columns", b"\xff\x00" * 9), "epoch")
    bench.publisher.is_away = True
    bench.run(lambda: None)
    assert bench.publisher.letters == ["owners"]
    assert kept(tmp_path) == ["epoch: owners"], "a stop loses nothing"
    bench.publisher.is_away = False
    again = RejectedItems(tmp_path / "rejected")
    bench.relay._rejected = again
    bench.run(lambda: None)
    assert bench.publisher.letters == ["owners", "owners"]
    assert kept(tmp_path) == []


def test_a_rejected_item_survives_its_bytes_and_equal_ones_are_one(tmp_path: Path) -> None:
    items = RejectedItems(tmp_path / "rejected")
    item = BadItem("owners", "bad-source-file", "no columns", bytes(range(256)))
    for _ in range(3):
        items.put(item, "epoch")
    found = items.next()
    assert found is not None and (found.item, found.origin) == (item, "epoch")
    assert items.next() is None
    items.put(item, "epoch")
    items.remove([found])
    assert kept(tmp_path) == ["epoch: owners"], "it came again before the first was acknowledged"


def test_a_rejected_item_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    items = RejectedItems(tmp_path / "rejected")
    items.put(BadItem("k", "bad-rows", "", b"x"), "npm")
    (tmp_path / "rejected" / "0.json").write_text("{")
    assert kept(tmp_path) == ["npm: k"]


def test_a_disk_that_refuses_is_a_reason_to_ask_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = RejectedItems(tmp_path / "rejected")

    def no_room(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ingest.releases.journal.rejected_items.write_durably", no_room)
    with pytest.raises(JournalFullError, match="No space left on device"):
        items.put(BadItem("k", "bad-rows", "", b"x"), "npm")
    assert items.next() is None


def test_a_large_journal_is_sent_in_portions_of_few_bytes(bench: Bench) -> None:
    entries = [entry_of(a_release(f"{'x' * 100} {i}", observations=5_000)) for i in range(12)]
    size = len(entries[0].to_bytes())
    bench.journal.append(entries)
    bench.run(*[lambda: None] * 12)
    sent = [list(dict.fromkeys(ids)) for ids in bench.publisher.sent]
    assert [key for portion in sent for key in portion] == [entry.key for entry in entries]
    assert max(len(portion) for portion in sent) == 4 * 1024**2 // size >= 2


def test_small_entries_go_together_and_one_beyond_the_bound_goes_alone(bench: Bench) -> None:
    small = [entry_of(a_release(f"owner {i}")) for i in range(3)]
    large = entry_of(a_release("y" * 150, observations=30_000))
    assert len(large.to_bytes()) > 4 * 1024**2
    bench.journal.append([*small[:2], large, small[2]])
    bench.run(*[lambda: None] * 4)
    sent = [list(dict.fromkeys(ids)) for ids in bench.publisher.sent]
    assert sent == [[small[0].key, small[1].key], [large.key], [small[2].key]]
