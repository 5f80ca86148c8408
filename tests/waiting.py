"""Waiting for what other threads and processes do.

No test asserts how long something takes: a busy machine would decide it. A test waits until the condition holds, and gives up only
after `PATIENCE_SECONDS`, which no healthy run comes near. What it costs to be generous is paid by failing tests alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from counterpoise.errors import RetryableError

PATIENCE_SECONDS: Final = 180.0
"""Less than the time limit of a test (pyproject.toml), so that the message here names what was waited for."""

_POLL_SECONDS: Final = 0.02

_PAUSE: Final = 6.0
"""A question is asked again after this many times its own duration: waiting must not be what keeps brokers and servers busy."""

_LATER: Final = 0.1
"""Nor is what took long so far asked for more often than this part of it: a wait is at most so much longer."""


def wait_for(condition: Callable[[], object], what: str, explain: Callable[[], object] = lambda: "") -> None:
    """Poll until `condition()` is true. A dependency that is away (RetryableError) counts as not yet.

    AssertionError with `what` and `explain()` when patience ends.
    """
    began = time.monotonic()
    deadline = began + PATIENCE_SECONDS
    while True:
        asked = time.monotonic()
        try:
            if condition():
                return
        except RetryableError:
            pass
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"waited {PATIENCE_SECONDS:g} s for {what}\n{explain()}")
        time.sleep(max(_POLL_SECONDS, _PAUSE * (now - asked), _LATER * (now - began)))
