"""When sources are asked, what survives a failure, and how little is said about it. No network, no waiting."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from counterpoise.errors import ConfigError, DeadLetterError, StaleSourceError
from counterpoise.runtime.probe import Probe
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release
from counterpoise.settings.sections.market_sections import MarketSettings
from desk.supervise.health import judge
from ingest.bad_item import BadItem
from ingest.http import BusyError
from ingest.rate_limited_http import Memory, PacedError
from ingest.releases.journal.durable_files import write_durably
from ingest.releases.journal.entry import entry_of
from ingest.releases.journal.release_journal import JournalFullError, ReleaseJournal
from ingest.releases.schedule import MOST_RETRY_SECONDS, REPEAT_LINE_SECONDS, Schedule
from ingest.releases.sources.epoch import EpochSource
from ingest.releases.sources.release_source import Fetched
from testkit.manual_clock import ManualClock
from tests.runbook import assert_shown
from tests.unit.ingest_releases.releases import a_release

DAY = 86_400.0


class Scripted:
    """A source that gives what it is told, step by step; an exception in the script is raised there."""

    def __init__(self, name: str, cadence_seconds: float = DAY) -> None:
        self.name = name
        self.cadence_seconds = cadence_seconds
        self.script: list[Release | BadItem | Exception] = []
        self.asked = 0
        self.memories: list[dict[str, str]] = []
        self.closed = False

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        self.asked += 1
        self.memories.append(dict(memory))
        for number, step in enumerate(self.script):
            if isinstance(step, Exception):
                memory["half"] = "a step that failed"
                raise step
            memory["step"] = str(number)
            yield Fetched((step,)) if isinstance(step, Release) else Fetched(rejected=(step,))

    def probe(self) -> Probe:
        return Probe("ok", "it follows a script")

    def close(self) -> None:
        self.closed = True


class Bench:
    """Schedules over one folder, as processes that follow each other would have them."""

    def __init__(self, folder: Path, *sources: Scripted) -> None:
        self.folder = folder
        self.sources = sources
        self.clock = ManualClock(1_795_000_000.0)  # 2026-11-18
        self.status = ServiceStatus("market", folder / "run", self.clock)
        self.journal = ReleaseJournal(folder / "journal", max_bytes=1 << 24)
        self.rejected: list[tuple[str, str]] = []
        self.schedule = self.start()

    def start(self) -> Schedule:
        self.schedule = Schedule(
            self.sources,
            self.journal,
            self.folder / "sources",
            clock=self.clock,
            status=self.status,
            on_rejected=lambda item, origin: self.rejected.append((item.reason, origin)),
        )
        return self.schedule

    def told(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.status.snapshot()["info"]["market_sources"][name]
        return found

    def close(self) -> None:
        self.schedule.close()
        self.journal.close()
        self.status.close()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[tuple[Bench, Scripted]]:
    source = Scripted("one")
    bench = Bench(tmp_path, source)
    yield bench, source
    bench.close()
    assert source.closed


def test_a_source_is_asked_at_once_and_then_at_its_cadence(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [a_release()]
    assert [bench.schedule.ask_due() for _ in range(3)] == [1, 0, 0]
    bench.clock.advance(DAY - 1)
    assert bench.schedule.ask_due() == 0
    bench.clock.advance(1)
    assert bench.schedule.ask_due() == 1
    assert bench.journal.pending() == [a_release().release_id]


def test_a_restart_does_not_ask_again_before_its_time(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    bench.schedule.ask_due()
    bench.clock.advance(100)
    bench.start()
    assert bench.schedule.ask_due() == 0
    bench.clock.advance(DAY)
    assert bench.schedule.ask_due() == 1
    assert source.asked == 2


def test_steps_before_a_failure_are_kept_and_the_failed_one_is_forgotten(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [a_release("A"), StaleSourceError("gone")]
    bench.schedule.ask_due()
    assert len(bench.journal.pending()) == 1
    bench.start()
    source.script = []
    bench.schedule.ask_due()
    assert source.memories == [{}, {"step": "0"}]


@pytest.mark.parametrize("writes_before", [0, 1, 2])
def test_a_memory_that_has_no_room_is_a_reason_to_ask_again_later_and_loses_nothing(
    one: tuple[Bench, Scripted], writes_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the source is first asked, after its answer, or at the end."""
    bench, source = one
    source.script = [a_release("A")]
    done = 0

    def no_room(path: Path, content: bytes) -> None:
        nonlocal done
        done += 1
        if done > writes_before:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_durably(path, content)

    with monkeypatch.context() as patched:
        patched.setattr("ingest.releases.schedule.write_durably", no_room)
        assert bench.schedule.ask_due() == 1
        assert "No space left on device" in bench.told("one")["reason"]
        assert bench.schedule.ask_due() == 0, "not at once again"
    bench.clock.advance(120.0)
    assert bench.schedule.ask_due() == 1
    assert bench.told("one")["reason"] is None
    assert bench.journal.pending() == [a_release("A").release_id]
    bench.start()
    assert bench.schedule.ask_due() == 0, "its memory is on the disk"


def test_retries_grow_from_a_minute_to_an_hour(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [StaleSourceError("gone")]
    pauses = []
    for _ in range(12):
        bench.schedule.ask_due()
        pause = bench.told("one")["next_at"] - bench.clock.now()
        pauses.append(pause)
        bench.clock.advance(pause)
    assert 30 <= pauses[0] <= 60
    assert all(MOST_RETRY_SECONDS / 2 <= pause <= MOST_RETRY_SECONDS for pause in pauses[-3:])
    source.script = []
    bench.schedule.ask_due()
    bench.clock.advance(DAY)
    source.script = [StaleSourceError("gone")]
    bench.schedule.ask_due()
    assert bench.told("one")["next_at"] - bench.clock.now() <= 60, "short again after an answer"


def test_the_pause_that_a_server_asks_for_is_kept(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [BusyError("busy", 600.0)]
    bench.schedule.ask_due()
    assert bench.told("one")["next_at"] - bench.clock.now() == 600.0


def test_a_crawl_delay_is_no_failure_and_others_are_asked_meanwhile(tmp_path: Path) -> None:
    slow, other = Scripted("slow"), Scripted("other")
    slow.script = [PacedError("asks for 100 s between two requests", 100.0)]
    bench = Bench(tmp_path, slow, other)
    for _ in range(5):
        bench.schedule.ask_due()
        assert bench.told("slow")["next_at"] - bench.clock.now() == 100.0, "it does not grow"
        assert bench.told("slow")["reason"] is None
        bench.clock.advance(100.0)
    assert (slow.asked, other.asked) == (5, 1)
    assert slow.memories == [{}] * 5
    bench.close()


def test_a_publisher_that_says_no_is_asked_again_at_the_cadence(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [ConfigError("robots.txt says no")]
    bench.schedule.ask_due()
    assert bench.told("one")["next_at"] - bench.clock.now() == DAY
    assert bench.told("one")["reason"] == "robots.txt says no"


def test_stale_after_three_cadences_without_an_answer(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    assert bench.told("one")["state"] == "not asked yet"
    bench.schedule.ask_due()
    assert bench.told("one")["state"] == "ok"
    source.script = [StaleSourceError("gone")]
    bench.clock.advance(DAY)
    bench.schedule.ask_due()
    assert bench.told("one")["state"] == "unreachable"
    bench.clock.advance(2 * DAY)
    bench.schedule.ask_due()
    assert bench.told("one")["state"] == "unreachable", "three cadences exactly"
    bench.clock.advance(1)
    bench.schedule.ask_due()
    assert bench.told("one")["state"] == "stale"
    assert bench.status.snapshot()["info"]["stale_sources"] == ["one"]
    bench.status.working()
    report = judge("market", bench.status.snapshot(), bench.clock.now(), None)
    assert (report.healthy, report.detail) == (True, "stale: one")
    assert_shown("market with", report.detail)
    source.script = []
    bench.clock.advance(MOST_RETRY_SECONDS)
    bench.schedule.ask_due()
    assert bench.status.snapshot()["info"]["stale_sources"] == []


def test_a_source_that_never_answers_is_stale_however_often_we_start(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [StaleSourceError("gone")]
    for _ in range(4):
        bench.schedule.ask_due()
        assert bench.told("one")["state"] == "unreachable"
        bench.clock.advance(DAY)
        bench.start()
    bench.schedule.ask_due()
    assert bench.told("one")["state"] == "stale"


def test_a_clock_that_was_ahead_costs_one_cadence(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    bench.clock.advance(1_000 * DAY)
    bench.schedule.ask_due()
    bench.clock.advance(-1_000 * DAY)
    bench.start()
    assert bench.schedule.ask_due() == 0
    bench.clock.advance(DAY)
    assert bench.schedule.ask_due() == 1
    assert source.asked == 2


def test_a_world_that_cannot_be_reached_is_one_line_an_hour(tmp_path: Path) -> None:
    sources = [Scripted(name) for name in ("epoch", "npm", "pypi")]
    for source in sources:
        source.script = [StaleSourceError(f"https://{source.name}.example cannot be reached (no route): check it")]
    bench = Bench(tmp_path, *sources)
    with structlog.testing.capture_logs() as lines:
        for _ in range(30):
            bench.schedule.ask_due()
            bench.clock.advance(60)
    assert [line["event"] for line in lines] == ["market sources cannot be reached; trying again"]
    assert lines[0]["sources"] == "epoch, npm, pypi"
    assert lines[0]["reason"] == "https://epoch.example cannot be reached (no route): check it"
    with structlog.testing.capture_logs() as later:
        for _ in range(int(3 * REPEAT_LINE_SECONDS // 60)):
            bench.schedule.ask_due()
            bench.clock.advance(60)
        for source in sources:
            source.script = []
        bench.clock.advance(MOST_RETRY_SECONDS)
        bench.schedule.ask_due()
    *repeated, last = [line["event"] for line in later]
    assert set(repeated) == {"market sources cannot be reached; trying again"}
    assert 1 <= len(repeated) <= 3
    assert last == "market sources answer again"
    bench.close()


def test_misfits_are_handed_on(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [BadItem("k", "bad-rows", "row 1", b"x")]
    bench.schedule.ask_due()
    assert bench.rejected == [("bad-rows", "one")]


@pytest.mark.parametrize("mistake", [BadItem("k", "bad-rows", "row 1", b"x"), DeadLetterError("bad-rows", "row 1")])
def test_an_answer_is_read_again_where_its_letter_was_not_kept(
    one: tuple[Bench, Scripted], mistake: BadItem | DeadLetterError
) -> None:
    bench, source = one
    source.script = [mistake]

    def no_room(item: BadItem, origin: str) -> None:
        raise JournalFullError("no room")

    bench.schedule._on_rejected = no_room
    bench.schedule.ask_due()
    assert bench.told("one")["reason"] == "no room"
    bench.start()
    bench.schedule.ask_due()
    assert source.memories == [{}, {}]
    assert bench.rejected == [("bad-rows", "one")]


def test_a_release_of_the_future_is_a_misfit_and_the_others_are_taken(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [a_release("A"), a_release("B", published_at_ms=1_796_000_000_000)]
    bench.schedule.ask_due()
    assert bench.journal.pending() == [a_release("A").release_id]
    assert bench.rejected == [("bad-time", "one")]


def test_a_database_that_lost_what_was_read_is_filled_again(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    release = a_release()
    source.script = [release]
    bench.schedule.ask_due()
    bench.journal.retire([entry_of(release).key])
    bench.journal.close()
    bench.journal = ReleaseJournal(bench.folder / "journal", max_bytes=1 << 24)  # a new process knows nothing of it
    bench.start()
    bench.schedule.forget_what_is_lost(set)
    assert bench.schedule.ask_due() == 0
    bench.schedule.forget_what_is_lost(lambda _keys: set())
    assert bench.schedule.ask_due() == 1
    assert source.memories[-1] == {}
    assert bench.journal.pending() == [release.release_id]


def test_a_memory_that_is_broken_means_reading_anew(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    bench.schedule.ask_due()
    (bench.folder / "sources" / "one.json").write_text('{"last_answer_at": ')
    bench.start()
    assert bench.schedule.ask_due() == 1
    assert source.memories == [{}, {}]


def test_a_bug_of_one_source_hinders_no_other(tmp_path: Path) -> None:
    broken, other = Scripted("broken"), Scripted("other")
    broken.script, other.script = [a_release(), OverflowError("date value out of range")], [a_release()]
    bench = Bench(tmp_path, broken, other)
    with structlog.testing.capture_logs() as lines:
        assert bench.schedule.ask_due() == 2
    assert bench.told("broken")["reason"] == "broken: OverflowError: date value out of range"
    assert bench.told("other")["state"] == "ok"
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "a source met a bug",
        "a source cannot be read",
    ]
    bench.clock.advance(DAY)
    assert bench.schedule.ask_due() == 2
    assert broken.memories == [{}, {"step": "0"}], "what the failed step noted is not so"
    bench.close()


def test_what_no_release_can_be_made_of_is_a_letter_and_is_read_again(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [DeadLetterError("bad-source-cell", "month 2026-10: value: too large")]
    bench.schedule.ask_due()
    assert bench.rejected == [("bad-source-cell", "one")]
    assert bench.told("one")["next_at"] - bench.clock.now() == DAY
    bench.clock.advance(DAY)
    bench.schedule.ask_due()
    assert source.memories == [{}, {}]


def test_a_head_that_no_contract_takes_is_a_letter_and_the_others_are_taken(one: tuple[Bench, Scripted]) -> None:
    bench, source = one
    source.script = [a_release("A", cutoff=1e60), a_release("B")]
    bench.schedule.ask_due()
    assert bench.journal.pending() == [a_release("B").release_id]
    assert bench.rejected == [("bad-release", "one")]
    assert bench.told("one")["state"] == "ok"


@pytest.mark.parametrize(("owner", "median"), [("x" * 201, "1"), ("Meta", "1e60")])
def test_a_table_with_a_value_beyond_the_contract_becomes_a_letter(tmp_path: Path, owner: str, median: str) -> None:
    table = tmp_path / "tables" / "nvidia_owners_cumulative_totals.csv"
    table.parent.mkdir()
    columns = "quarter_end,owner,manufacturer,h100e_median,h100e_p5,h100e_p95,source_file"
    table.write_text(f"{columns}\n2025-12-31,{owner},Nvidia,{median},,,nvidia_owners\n")
    settings = MarketSettings.model_validate({"epoch": {"locations": [str(table)]}})
    clock = ManualClock(1_795_000_000.0)
    source = EpochSource(settings, load_catalogue(), clock=clock, pause=clock.sleep)
    bench = Bench(tmp_path, source)  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as lines:
        bench.schedule.ask_due()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == []
    assert bench.rejected == [("bad-source-cell", "epoch")]
    assert bench.told("epoch")["state"] == "ok"
    bench.close()
