"""SIGHUP means: read the files again that may have changed."""

from __future__ import annotations

import signal
import threading
from typing import Final

RELOAD: Final = threading.Event()
"""Set by SIGHUP; whoever reads files again clears it."""


def reload_on_hangup() -> None:
    """Let SIGHUP set `RELOAD` in this process instead of ending it. In the main thread only."""
    signal.signal(signal.SIGHUP, lambda *_: RELOAD.set())
