"""When each source is asked, what it keeps, and what is said when it does not answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from counterpoise.errors import ConfigError, CounterpoiseError, DeadLetterError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.private_files import private_folder, read_private
from counterpoise.runtime.retry import Backoff, RetryPolicy
from counterpoise.runtime.service_status import ServiceStatus
from ingest.bad_item import BadItem
from ingest.http import BusyError
from ingest.rate_limited_http import Memory, PacedError
from ingest.releases.journal.durable_files import write_durably
from ingest.releases.journal.entry import JournalEntry, ReadStored, entry_of
from ingest.releases.journal.release_journal import JournalFullError, ReleaseJournal
from ingest.releases.release_head import time_problem
from ingest.releases.sources.release_source import Fetched, ReleaseSource

STALE_CADENCES = 3
"""A source without an answer for so many of its cadences is stale."""

KEPT_RELEASES = 500
FIRST_RETRY_SECONDS = 60.0
MOST_RETRY_SECONDS = 3_600.0
REPEAT_LINE_SECONDS = 3_600.0

log = structlog.get_logger("market")


@dataclass(slots=True)
class _Kept:
    """What is on disk for one source. Times are UTC seconds; 0 where it never was."""

    last_answer_at: float = 0.0
    first_asked_at: float = 0.0
    memory: dict[str, str] = field(default_factory=dict)
    releases: list[str] = field(default_factory=list)
    """Keys of what was accepted last, at most KEPT_RELEASES."""


class _Slot:
    """One source with its times."""

    def __init__(self, source: ReleaseSource, file: Path, now: float) -> None:
        self.source = source
        self.file = file
        self.kept = _read(file)
        # A clock that was wrong may have left an answer in the future: no later than a cadence from now.
        self.due_at = min(max(now, self.kept.last_answer_at + source.cadence_seconds), now + source.cadence_seconds)
        self.reason: str | None = None
        longest_seconds = min(MOST_RETRY_SECONDS, max(1.0, source.cadence_seconds))
        self.backoff = Backoff(RetryPolicy(FIRST_RETRY_SECONDS, longest_seconds))

    def is_stale(self, now: float) -> bool:
        """Counted from the last answer; for a source that never gave one, from the first question, however often we started."""
        since = self.kept.last_answer_at or self.kept.first_asked_at or now
        return now - since > STALE_CADENCES * self.source.cadence_seconds

    def as_status(self, now: float) -> dict[str, Any]:
        """For the status."""
        well = "ok" if self.kept.last_answer_at else "not asked yet"
        state = "stale" if self.is_stale(now) else well if self.reason is None else "unreachable"
        return {
            "state": state,
            "last_answer_at": self.kept.last_answer_at or None,
            "next_at": self.due_at,
            "cadence_seconds": self.source.cadence_seconds,
            "reason": self.reason,
        }


class Schedule:
    """Asks sources one after the other, each at its cadence; one thread uses it.

    A source that does not answer is asked again after a minute, then less often up to an hour, or when it said. However many do not
    answer, a round says so in one line, again an hour later, and once more when they answer. `on_rejected` keeps an item on the disk,
    or raises JournalFullError.
    """

    def __init__(
        self,
        sources: Sequence[ReleaseSource],
        journal: ReleaseJournal,
        folder: Path,
        *,
        clock: Clock,
        status: ServiceStatus,
        on_rejected: Callable[[BadItem, str], None],
    ) -> None:
        private_folder(folder)
        self._journal = journal
        self._clock = clock
        self._status = status
        self._on_rejected = on_rejected
        self._slots = [_Slot(source, folder / f"{source.name}.json", clock.now()) for source in sources]
        self._silent: set[str] = set()
        self._line_at = float("-inf")
        self._publish_status()

    def forget_what_is_lost(self, stored: ReadStored) -> None:
        """Read a source from its beginning where ClickHouse does not hold what its memory rests on (a new or restored database)."""
        for slot in self._slots:
            keys = [key for key in slot.kept.releases if not self._journal.knows(key)]
            if keys and set(keys) - stored(keys):
                log.warning("clickhouse does not hold what was read before: reading it again", source=slot.source.name)
                slot.kept = _Kept(first_asked_at=slot.kept.first_asked_at)
                slot.due_at = self._clock.now()
                _write(slot.file, slot.kept)

    def ask_due(self) -> int:
        """Ask every source whose time has come; how many were asked."""
        now = self._clock.now()
        due = [slot for slot in self._slots if slot.due_at <= now]
        for slot in due:
            self._ask(slot)
            self._publish_status()
        if due:
            self._log_silent()
        elif self._slots:
            self._publish_status()
        return len(due)

    def close(self) -> None:
        """Let go of all connections."""
        for slot in self._slots:
            slot.source.close()

    def _ask(self, slot: _Slot) -> None:
        try:
            if not slot.kept.first_asked_at:
                slot.kept.first_asked_at = self._clock.now()
                _write(slot.file, slot.kept)
            try:
                for step in _steps(slot.source, slot.kept.memory):
                    self._accept(slot, step)
            except DeadLetterError as error:
                detail = str(error)
                self._on_rejected(BadItem(slot.source.name, error.reason, detail, detail.encode()), slot.source.name)
                raise
            answered = replace(slot.kept, last_answer_at=self._clock.now())
            _write(slot.file, answered)
        except PacedError as error:  # not a failure: what it read so far is kept by the source
            slot.kept = _read(slot.file)
            slot.due_at = self._clock.now() + (error.retry_after_seconds or 0.0)
        except BusyError as error:
            self._retry(slot, str(error), error.retry_after_seconds)
        except (StaleSourceError, JournalFullError) as error:
            self._retry(slot, str(error), None)
        except (ConfigError, DeadLetterError, _SourceBugError) as error:  # asking again soon would be no better
            slot.kept = _read(slot.file)
            slot.reason = str(error)
            slot.due_at = self._clock.now() + slot.source.cadence_seconds
            log.error("a source cannot be read", source=slot.source.name, reason=str(error))
        else:
            slot.kept = answered
            slot.reason = None
            slot.due_at = answered.last_answer_at + slot.source.cadence_seconds
            slot.backoff.reset()

    def _accept(self, slot: _Slot, step: Fetched) -> None:
        """Journal first, then remember: a crash between them repeats the step, and its releases have the same names."""
        now_ms = int(self._clock.now() * 1000)
        entries: list[JournalEntry] = []
        rejected = list(step.rejected)
        for release in step.releases:
            try:
                entry = entry_of(release)
            except DeadLetterError as error:
                content = json.dumps(release.head.fields()).encode()
                rejected.append(BadItem(release.release_id, error.reason, str(error), content))
                continue
            problem = time_problem(release.head, now_ms)
            if problem is None:
                entries.append(entry)
            else:
                detail = f"{problem.field}: {problem.message}"
                rejected.append(BadItem(entry.key, "bad-time", detail, entry.to_bytes()))
        new = self._journal.append(entries)
        slot.kept.releases = [*slot.kept.releases, *(entry.key for entry in entries)][-KEPT_RELEASES:]
        for item in rejected:
            self._on_rejected(item, slot.source.name)
        _write(slot.file, slot.kept)
        self._status.count("fetched_releases", sum(new))
        if step.releases:
            log.info("fetched", source=slot.source.name, releases=len(step.releases), new=sum(new))

    def _retry(self, slot: _Slot, reason: str, asked_seconds: float | None) -> None:
        slot.kept = _read(slot.file)  # what the failed step noted is not so
        slot.reason = reason
        slot.due_at = self._clock.now() + max(slot.backoff.next_seconds(), asked_seconds or 0.0)

    def _log_silent(self) -> None:
        now = self._clock.now()
        silent = {slot.source.name: slot.reason for slot in self._slots if slot.reason is not None}
        if silent and (set(silent) - self._silent or now - self._line_at >= REPEAT_LINE_SECONDS):
            self._line_at = now
            log.warning(
                "market sources cannot be reached; trying again",
                sources=", ".join(silent),
                stale=", ".join(slot.source.name for slot in self._slots if slot.is_stale(now)) or None,
                reason=next(iter(silent.values())),
            )
        answering = self._silent - set(silent)
        if answering:
            log.info("market sources answer again", sources=", ".join(sorted(answering)))
        self._silent = set(silent)

    def _publish_status(self) -> None:
        now = self._clock.now()
        self._status.set(
            market_sources={slot.source.name: slot.as_status(now) for slot in self._slots},
            stale_sources=[slot.source.name for slot in self._slots if slot.is_stale(now)],
        )


class _SourceBugError(Exception):
    """A source raised what it should not: the others go on."""


def _steps(source: ReleaseSource, memory: Memory) -> Iterator[Fetched]:
    try:
        yield from source.fetch(memory)
    except CounterpoiseError:
        raise
    except Exception as error:
        log.exception("a source met a bug", source=source.name)
        raise _SourceBugError(f"{source.name}: {type(error).__name__}: {str(error)[:300]}") from error


def _read(path: Path) -> _Kept:
    """What was kept; nothing where the file is missing or not ours: then the source is read again from its beginning."""
    try:
        found = json.loads(read_private(path))
        memory = {str(k): str(v) for k, v in found["memory"].items()}
        releases = [str(key) for key in found["releases"]]
        return _Kept(float(found["last_answer_at"]), float(found.get("first_asked_at", 0.0)), memory, releases)
    except FileNotFoundError:
        return _Kept()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        log.warning("a source's memory cannot be read, starting it over", file=str(path))
        return _Kept()


def _write(path: Path, kept: _Kept) -> None:
    """JournalFullError where the disk refuses: what the source answered is then asked for again."""
    try:
        write_durably(path, json.dumps(asdict(kept)).encode() + b"\n")
    except OSError as error:
        raise JournalFullError(f"{path} cannot be written: {error.strerror}") from None
