"""Starts embedded engines again whose process is gone, while services run on them."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

import structlog

from counterpoise.errors import EngineError
from counterpoise.runtime.python_module import module_command
from counterpoise.runtime.retry import Backoff, RetryPolicy
from engines.stack import records

LOOK_EVERY_SECONDS: Final = 1.0
_RETRY: Final = RetryPolicy(1.0, 60.0)

log = structlog.get_logger("supervisor")


def restart_fallen_engines(state_dir: Path) -> tuple[str, ...]:
    """Start again the engines whose process is gone; return their names. EngineError where they do not start.

    A separate command starts them, like `counterpoise up`, so that they outlive the supervisor.
    """
    fallen = tuple(record.name for record in records(state_dir) if not record.runs())
    if not fallen:
        return ()
    done = subprocess.run(
        module_command("counterpoise", "up", "--fallen"),
        env=os.environ | {"COUNTERPOISE_STATE_DIR": str(state_dir)},
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise EngineError(" ".join(done.stderr.split())[-300:] or f"exit code {done.returncode}")
    return fallen


class EngineKeeper:
    """A thread for the length of a `with`. Engines that `counterpoise down` ended stay down."""

    def __init__(
        self,
        state_dir: Path,
        *,
        restart: Callable[[Path], tuple[str, ...]] = restart_fallen_engines,
        look_every_seconds: float = LOOK_EVERY_SECONDS,
    ) -> None:
        self._state_dir, self._restart = state_dir, restart
        self._look_every_seconds = look_every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine-keeper", daemon=True)

    def __enter__(self) -> EngineKeeper:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        backoff, pause = Backoff(_RETRY), self._look_every_seconds
        while not self._stop.wait(pause):
            try:
                names = self._restart(self._state_dir)
            except EngineError as error:
                log.error("an embedded engine fell and does not start", reason=str(error))
                pause = backoff.next_seconds()
                continue
            except Exception:  # a look that fails must never end the keeping
                log.exception("could not look after the embedded engines")
                pause = backoff.next_seconds()
                continue
            backoff.reset()
            pause = self._look_every_seconds
            if names:
                log.error("an embedded engine fell; it was started again", engines=", ".join(names))
