"""How the ingest services wait for what is down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from counterpoise.runtime.clock import Clock
from counterpoise.runtime.retry import RetryPolicy, Waiter
from counterpoise.runtime.service_status import ServiceStatus

INGEST_RETRY: Final = RetryPolicy(0.2, 10.0)
SOURCE_RETRY: Final = RetryPolicy(0.2, 60.0)
"""For a source's tip, which nobody else can give: a node that is down for hours is asked once a minute."""


def ingest_waiter(
    clock: Clock,
    stop: threading.Event,
    status: ServiceStatus,
    *,
    stale_after_seconds: float = 300.0,
    check: Callable[[], None] | None = None,
) -> Waiter:
    """A waiter that beats while it waits and makes no call after `stop` is set: what is not published is fetched again.

    `check` is called with each look at `stop`, in every step of a wait, and may raise what ends the service.
    """

    def stopping() -> bool:
        if check is not None and not stop.is_set():
            check()
        return stop.is_set()

    return Waiter(
        clock,
        status,
        stopping,
        policy=INGEST_RETRY,
        stale_after_seconds=stale_after_seconds,
        on_step=status.beat,
        stops_at_once=True,
        logger="ingest",
    )
