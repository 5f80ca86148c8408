"""The embedded engines of one benchmark: on ports of their own, with a state directory that goes with it, however it ends."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from engines.stack import ANY_PORTS, down, up

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ends_in_order() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP leave the block as Ctrl-C does, and a further one changes nothing: engines would stay behind.

    A shell lets what it starts in the background ignore SIGINT; here it counts.
    """
    before = {number: signal.getsignal(number) for number in ENDINGS}
    ended = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        ended = True
        for ending in ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in ENDINGS:
        signal.signal(number, end)
    try:
        yield
    finally:
        if not ended:  # a process that ends ignores further ones to the last
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def engines(**settings: str) -> Iterator[Path]:
    """Start them, and set the environment for a dataset `bench`; `settings` are further variables. Yields the state directory."""
    with tempfile.TemporaryDirectory() as folder, ends_in_order():
        os.environ |= {
            "COUNTERPOISE_STATE_DIR": folder,
            "COUNTERPOISE_DATASET": "bench",
            "COUNTERPOISE_DATASET_KIND": "simulated",
            "COUNTERPOISE_ALERTS__NOTIFIER": "console",
            **settings,
        }
        try:
            up(Path(folder), ANY_PORTS)
            yield Path(folder)
        finally:
            down(Path(folder))
