"""Named places where a process can be made to die at once, so that recovery is tested where it hurts.

`COUNTERPOISE_CRASH_POINT=name:n` kills the process with SIGKILL at the n-th pass of that point (n counts from 1). Unset, a
point costs one comparison.
"""

from __future__ import annotations

import os
import signal
import sys

POINTS = (
    "ingest-after-publish",
    "market-after-take",
    "market-after-journal",
    "market-after-accept",
    "streams-after-blocks",
    "streams-after-newest",
    "streams-after-concentration",
    "streams-after-score",
    "streams-after-chunks",
    "streams-after-dispersion",
    "streams-after-releases",
    "streams-after-parts",
    "streams-after-asymmetry",
    "streams-before-ack",
    "reattribute-after-part",
    "reattribute-before-flip",
    "alerts-before-rows",
    "alerts-after-rows",
    "alerts-after-slack-accept",
    "alerts-before-checkpoint",
    "backup-after-start",
    "restore-after-create",
    "restore-after-record",
    "restore-after-aside",
    "restore-after-rename",
    "restore-after-start",
    "restore-after-read",
    "restore-after-truncate",
    "restore-after-mark",
    "restore-after-epochs",
    "restore-after-end",
    "restore-undo-after-rename",
    "restore-undo-after-return",
)

_name, _, _count = os.environ.get("COUNTERPOISE_CRASH_POINT", "").partition(":")
_left = int(_count or 1) if _name else 0


def crash_point(name: str) -> None:
    """End the process here if the environment names this point; one line on stderr proves that the process was at work."""
    global _left  # noqa: PLW0603 - a countdown of the process
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        sys.stderr.write(f"crash point {name} reached: killing {os.getpid()}\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
