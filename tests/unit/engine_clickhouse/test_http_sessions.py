"""HTTP sessions: one request at a time, bounded in number and in idle time. The session itself is only held here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

import pytest

from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.http_sessions import HttpSessions
from testkit.manual_clock import ManualClock


class Held:
    """Stands where a Session is kept: the registry opens and closes it and calls nothing else."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sessions(clock: ManualClock) -> HttpSessions:
    return HttpSessions(clock, max_sessions=2)


def use(
    sessions: HttpSessions, name: str, timeout: str = "", *, must_exist: bool = False
) -> AbstractContextManager[Session]:
    opener = cast("Callable[[], Session]", Held)
    return sessions.use(("default", name), timeout, must_exist=must_exist, open_session=opener)


def closed(session: Session) -> bool:
    return cast("Held", session).closed


def code(sessions: HttpSessions, name: str, timeout: str = "", *, must_exist: bool = False) -> int:
    with pytest.raises(ServerError) as caught, use(sessions, name, timeout, must_exist=must_exist):
        pass
    return caught.value.code


def test_a_session_is_kept_until_its_timeout(sessions: HttpSessions, clock: ManualClock) -> None:
    with use(sessions, "a", "10") as first:
        pass
    clock.advance(10)
    with use(sessions, "a", "10") as again:
        assert again is first
        clock.advance(1000)  # a request may take longer than the timeout
    clock.advance(10.5)
    with use(sessions, "a") as new:
        assert new is not first
    assert closed(first)


def test_a_session_expires_without_another_request(sessions: HttpSessions, clock: ManualClock) -> None:
    with use(sessions, "a", "10") as idle, use(sessions, "b", "20"):
        clock.advance(1000)
    clock.advance(10.5)
    with use(sessions, "b", "20") as busy:
        clock.advance(30)
        sessions.expire()
        assert closed(idle)
        assert not closed(busy)


def test_a_session_serves_one_request_at_a_time(sessions: HttpSessions) -> None:
    with use(sessions, "a"):
        assert code(sessions, "a") == 373
    with use(sessions, "a", must_exist=True):
        pass


def test_sessions_are_bounded(sessions: HttpSessions, clock: ManualClock) -> None:
    with use(sessions, "a"), use(sessions, "b"):
        assert code(sessions, "c") == 202
    with use(sessions, "b") as oldest:
        clock.advance(1)
        with use(sessions, "a"):
            clock.advance(1)
    with use(sessions, "a") as newest, use(sessions, "c"):  # who has been idle for longest makes room
        assert closed(oldest)
        assert not closed(newest)


@pytest.mark.parametrize("timeout", ["0", "-1", "3601", "1.5", "x"])
def test_a_timeout_that_is_none(sessions: HttpSessions, timeout: str) -> None:
    assert code(sessions, "a", timeout) == 374


def test_a_session_that_must_exist(sessions: HttpSessions) -> None:
    assert code(sessions, "a", must_exist=True) == 372


def test_close_closes_all(sessions: HttpSessions) -> None:
    with use(sessions, "a") as one, use(sessions, "b") as two:
        pass
    sessions.close()
    assert closed(one)
    assert closed(two)
