"""Accepted releases on disk, from the moment that their sender was told "accepted" until ClickHouse holds them.

Every market source writes here first. Kafka's acknowledgement ends nothing (the embedded broker forgets); only what ClickHouse holds
is retired, and a segment file is removed when all of its entries are.

A segment is a row of records: length and CRC-32 of the payload (two little-endian 32-bit numbers), then one `JournalEntry`.
A crash can leave half a record at the end; it was never acknowledged, and is cut off at the next start.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.private_files import open_private, private_folder
from ingest.releases.journal.durable_files import FolderLock, sync_file, sync_folder, write_durably
from ingest.releases.journal.entry import JournalEntry, entry_from_bytes

SEGMENT_BYTES = 8 * 1024 * 1024
KEPT_RETIRED_KEYS = 50_000
"""Keys that are remembered after ClickHouse held them, so that the same content again costs nothing."""

_HEAD = struct.Struct("<II")
_MAX_RECORD_BYTES = 1 << 30

log = structlog.get_logger("market")


class JournalFullError(RetryableError):
    """There is no room (or no working disk) for more; nothing was accepted."""


@dataclass(slots=True)
class _Segment:
    path: Path
    size: int = 0
    pending: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Place:
    segment: _Segment
    offset: int
    length: int


class ReleaseJournal:
    """See the module. Safe to share between threads; one process a folder.

    ConfigError where another process has the folder, or where it cannot be written.
    """

    def __init__(self, folder: Path, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._retired: OrderedDict[str, None] = OrderedDict()
        self._segments: list[_Segment] = []
        self._file: int | None = None
        self._appended = 0
        try:
            private_folder(folder)
            self._folder_lock = FolderLock(folder)
        except OSError as error:
            raise ConfigError(f"the release journal {folder} cannot be written: {error.strerror}") from None
        if not self._folder_lock.take():
            raise ConfigError(
                f"the release journal {folder} is in use by another process: one market ingester for each dataset and state folder"
            )
        for path in sorted(folder.glob("*.journal")):
            self._load(path)

    @property
    def appended(self) -> int:
        """How many entries were added since the start; what `wait_for_more` compares with."""
        with self._lock:
            return self._appended

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        with self._lock:
            return self._size()

    def append(self, entries: Sequence[JournalEntry]) -> list[bool]:
        """Store entries; returns when they are on the disk. For each: whether it is new (not here, nor lately retired).

        All or none: JournalFullError where they do not fit or the disk refuses.
        """
        with self._lock:
            fresh: dict[str, bytes] = {}
            answers = []
            for entry in entries:
                new = not (entry.key in self._places or entry.key in self._retired or entry.key in fresh)
                if new:
                    fresh[entry.key] = entry.to_bytes()
                answers.append(new)
            if fresh:
                self._write(fresh)
                self._appended += len(fresh)
                self._arrived.notify_all()
            return answers

    def pending(self) -> list[str]:
        """Keys of all entries that are not retired, oldest first."""
        with self._lock:
            return list(self._places)

    def knows(self, key: str) -> bool:
        """Whether the entry is here, or was retired lately."""
        with self._lock:
            return key in self._places or key in self._retired

    def read(self, key: str) -> JournalEntry | None:
        """The entry; None where it is retired."""
        with self._lock:
            place = self._places.get(key)
            if place is None:
                return None
            with open_private(place.segment.path, "read") as file:
                file.seek(place.offset)
                return entry_from_bytes(file.read(place.length))

    def read_some(self, keys: Iterable[str], *, max_bytes: int) -> list[JournalEntry]:
        """The first of these entries, of `max_bytes` on the disk together or of one entry. Retired ones are passed over."""
        entries: list[JournalEntry] = []
        size = 0
        for key in keys:
            with self._lock:
                place = self._places.get(key)
            size += place.length if place is not None else 0
            if entries and size > max_bytes:
                break
            entry = self.read(key)
            if entry is not None:
                entries.append(entry)
        return entries

    def retire(self, keys: Collection[str]) -> None:
        """ClickHouse holds these; segments without any other are removed."""
        with self._lock:
            for key in self._drop(keys):
                self._retired[key] = None
            while len(self._retired) > KEPT_RETIRED_KEYS:
                self._retired.popitem(last=False)

    def discard(self, keys: Collection[str]) -> None:
        """Let go of entries that ClickHouse does not hold: the same content is new when it comes again."""
        with self._lock:
            self._drop(keys)

    def wait_for_more(self, than: int, seconds: float) -> int:
        """Return `appended` as soon as it is more than `than`, or after so many seconds."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._appended > than, seconds)
            return self._appended

    def close(self) -> None:
        """Let go of the folder; what is in it stays."""
        with self._lock:
            self._close_active()
            self._folder_lock.release()

    def _drop(self, keys: Collection[str]) -> list[str]:
        """Take entries out, and remove segments without any other; which of them were here."""
        dropped = []
        for key in keys:
            place = self._places.pop(key, None)
            if place is not None:
                place.segment.pending.discard(key)
                dropped.append(key)
        for segment in [s for s in self._segments if not s.pending]:
            self._remove(segment)
        return dropped

    def _size(self) -> int:
        return sum(segment.size for segment in self._segments)

    def _write(self, payloads: dict[str, bytes]) -> None:
        records = {key: _HEAD.pack(len(payload), zlib.crc32(payload)) + payload for key, payload in payloads.items()}
        added = sum(map(len, records.values()))
        if self._size() + added > self._max_bytes:
            raise JournalFullError(
                f"the release journal {self.folder} is full ({self._max_bytes} bytes): is ClickHouse taking releases?"
            )
        segment: _Segment | None = None
        try:
            segment, descriptor = self._active()
            _write_all(descriptor, b"".join(records.values()))
            sync_file(descriptor)
        except OSError as error:
            if segment is not None:
                self._undo(segment)
            raise JournalFullError(f"the release journal {self.folder} cannot be written: {error.strerror}") from None
        offset = segment.size
        for key, record in records.items():
            self._places[key] = _Place(segment, offset + _HEAD.size, len(record) - _HEAD.size)
            segment.pending.add(key)
            offset += len(record)
        segment.size = offset

    def _active(self) -> tuple[_Segment, int]:
        if self._file is not None and self._segments[-1].size >= self._segment_bytes:
            self._close_active()
        if self._file is None:
            number = int(self._segments[-1].path.stem) + 1 if self._segments else 1
            path = self.folder / f"{number:010d}.journal"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._segments.append(_Segment(path))
            sync_folder(self.folder)
        return self._segments[-1], self._file

    def _undo(self, segment: _Segment) -> None:
        """Cut off what a failed write left, so that no later record stands behind a broken one."""
        try:
            os.truncate(segment.path, segment.size)
        except OSError:
            self._close_active()  # the next record goes to a new segment; the next start cuts this one

    def _close_active(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _remove(self, segment: _Segment) -> None:
        if segment is self._segments[-1]:
            self._close_active()
        self._segments.remove(segment)
        segment.path.unlink(missing_ok=True)
        sync_folder(self.folder)

    def _load(self, path: Path) -> None:
        with open_private(path, "read") as file:
            content = file.read()
        segment = _Segment(path)
        self._segments.append(segment)
        offset = 0
        while offset < len(content):
            end = _record_end(content, offset)
            if end is None:
                self._cut(path, content, offset)
                break
            start = offset + _HEAD.size
            offset = end
            try:
                key = entry_from_bytes(content[start:end]).key
            except ValueError as error:  # whole, and of another version of the contract: for people to look at
                self._keep_beside(path.with_suffix(f".{start}.unreadable"), content[start:end], str(error))
                continue
            if key not in self._places:
                self._places[key] = _Place(segment, start, end - start)
                segment.pending.add(key)
        segment.size = offset
        if not segment.pending:
            self._remove(segment)

    def _cut(self, path: Path, content: bytes, offset: int) -> None:
        """Half a record, never acknowledged; but what is cut is kept, in case the disk and not a crash did it."""
        self._keep_beside(path.with_suffix(".cut"), content[offset:], "an unfinished record")
        os.truncate(path, offset)

    def _keep_beside(self, path: Path, content: bytes, reason: str) -> None:
        write_durably(path, content)
        log.warning("a record of the journal cannot be used", kept=str(path), bytes=len(content), reason=reason[:200])


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _record_end(content: bytes, offset: int) -> int | None:
    """Where a whole record ends; None where there is none."""
    start = offset + _HEAD.size
    if start > len(content):
        return None
    length, checksum = _HEAD.unpack_from(content, offset)
    end: int = start + length
    if length > _MAX_RECORD_BYTES or end > len(content) or zlib.crc32(content[start:end]) != checksum:
        return None
    return end
