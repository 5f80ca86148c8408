"""What sources gave and no release can be made of, on disk until Kafka acknowledged its dead letter.

A source's memory says that its file was read. It is stored after this, so that a stop between the two repeats the step and loses
no letter. Equal content of one source is one file, however often it is read.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from counterpoise.runtime.private_files import open_private, private_folder
from ingest.bad_item import BadItem
from ingest.releases.journal.durable_files import write_durably
from ingest.releases.journal.release_journal import JournalFullError

log = structlog.get_logger("market")


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """One item with the name of its source; `file` is where it is kept."""

    file: Path
    item: BadItem
    origin: str


class RejectedItems:
    """See the module. Safe to share between threads; the owner of the journal's folder has it alone."""

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self._folder = folder
        self._lock = threading.Lock()
        self._waiting = dict.fromkeys(sorted(folder.glob("*.json")))

    def put(self, item: BadItem, origin: str) -> None:
        """Keep an item; it is on the disk afterwards. JournalFullError where the disk refuses."""
        name = hashlib.sha256(f"{origin}\0{item.reason}\0".encode() + item.payload).hexdigest()
        path = self._folder / f"{name}.json"
        fields = {
            "origin": origin,
            "key": item.key,
            "reason": item.reason,
            "detail": item.detail,
            "payload": base64.b64encode(item.payload).decode(),
        }
        try:
            write_durably(path, json.dumps(fields).encode() + b"\n")
        except OSError as error:
            raise JournalFullError(f"{path} cannot be written: {error.strerror}") from None
        with self._lock:
            self._waiting[path] = None

    def next(self) -> RejectedItem | None:
        """The one that waits longest, which no longer waits then; None where there is none."""
        while True:
            with self._lock:
                if not self._waiting:
                    return None
                path = next(iter(self._waiting))
                del self._waiting[path]
            found = _read(path)
            if found is not None:
                return found

    def remove(self, sent: Iterable[RejectedItem]) -> None:
        """Kafka acknowledged their letters. A file that cannot be removed is sent again after the next start, as the same letter."""
        for one in sent:
            with self._lock:
                if one.file in self._waiting:  # it came again meanwhile
                    continue
                try:
                    one.file.unlink(missing_ok=True)
                except OSError as error:
                    log.warning("a file cannot be removed", file=str(one.file), reason=error.strerror)


def _read(path: Path) -> RejectedItem | None:
    """None where the file is missing or not ours: it is left for people to look at."""
    try:
        with open_private(path, "read") as file:
            found = json.loads(file.read())
        payload = base64.b64decode(found["payload"], validate=True)
        item = BadItem(str(found["key"]), str(found["reason"]), str(found["detail"]), payload)
        return RejectedItem(path, item, str(found["origin"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        log.warning("a rejected item cannot be read", file=str(path), reason=str(error)[:200])
        return None
