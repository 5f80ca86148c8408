"""Named sessions over HTTP: kept between requests for a while, each used by one request at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from counterpoise.runtime.clock import Clock
from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import ServerError

DEFAULT_TIMEOUT_SECONDS: Final = 60
MAX_TIMEOUT_SECONDS: Final = 3600
MAX_SESSIONS: Final = 64

Key = tuple[str, str]  # user, session_id
_RELEASE_SECONDS = 0.5


@dataclass(slots=True)
class _Entry:
    session: Session
    busy: bool
    expires: float = 0.0
    idle_since: float = 0.0


class HttpSessions:
    """At most MAX_SESSIONS. One that is idle for longer than its timeout is closed (`expire`), and the one that is idle for
    longest makes room for a new one."""

    def __init__(self, clock: Clock, max_sessions: int = MAX_SESSIONS) -> None:
        self._clock = clock
        self._max = max_sessions
        self._lock = threading.Condition()
        self._entries: dict[Key, _Entry] = {}

    @contextmanager
    def use(
        self, key: Key, timeout: str, *, must_exist: bool, open_session: Callable[[], Session]
    ) -> Iterator[Session]:
        """The session of that name, opened when it is new.

        Raises 374 for a timeout that is no number of seconds up to an hour, 373 while another request uses it, 372 when
        it must exist and does not, 202 when there are too many and all are in use.
        """
        seconds = _seconds(timeout)
        entry = self._take(key, must_exist, open_session)
        try:
            yield entry.session
        finally:
            with self._lock:
                entry.busy = False
                entry.idle_since = self._clock.monotonic()
                entry.expires = entry.idle_since + seconds
                self._lock.notify_all()

    def _take(self, key: Key, must_exist: bool, open_session: Callable[[], Session]) -> _Entry:
        with self._lock:
            self._expire()
            # A client that has read its answer may ask again before this server has let go of the session.
            self._lock.wait_for(lambda: key not in self._entries or not self._entries[key].busy, _RELEASE_SECONDS)
            entry = self._entries.get(key)
            if entry is None:
                if must_exist:
                    raise ServerError(372, f"Session {key[1]} not found.")
                if len(self._entries) >= self._max and not self._drop_idle():
                    raise ServerError(202, f"Too many HTTP sessions: this server keeps {self._max}.")
                entry = self._entries[key] = _Entry(open_session(), busy=True)
            elif entry.busy:
                raise ServerError(373, f"Session {key[1]} is locked by a concurrent request.")
            entry.busy = True
            return entry

    def _drop_idle(self) -> bool:
        """Close the session that has been idle for longest; false where all are in use."""
        idle = [(entry.idle_since, key) for key, entry in self._entries.items() if not entry.busy]
        if not idle:
            return False
        self._entries.pop(min(idle)[1]).session.close()
        return True

    def expire(self) -> None:
        """Close what is idle for longer than its timeout, with its temporary tables."""
        with self._lock:
            self._expire()

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for key, entry in list(self._entries.items()):
            if not entry.busy and entry.expires < now:
                del self._entries[key]
                entry.session.close()

    def close(self) -> None:
        with self._lock:
            for entry in self._entries.values():
                if not entry.busy:
                    entry.session.close()
            self._entries.clear()


def _seconds(timeout: str) -> int:
    if not timeout:
        return DEFAULT_TIMEOUT_SECONDS
    if not timeout.isdecimal() or not 0 < int(timeout) <= MAX_TIMEOUT_SECONDS:
        raise ServerError(374, f"Invalid session timeout '{timeout}': expected 1 to {MAX_TIMEOUT_SECONDS} seconds.")
    return int(timeout)
