"""One process of a name in a run directory, by a lock that ends with the process."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from counterpoise.errors import ConfigError
from counterpoise.runtime.private_files import open_private, private_folder
from counterpoise.settings.model import Settings

log = structlog.get_logger("supervisor")

SCALED: Final = ("streams", "alerts")
"""Services of which several processes may share a state directory. Each other one leaves there what others read."""

ANOTHER_STATE_DIR = (
    "stop it, or use another --state-dir or COUNTERPOISE_INSTANCE (many workers share a dataset that way)"
)


@contextmanager
def only_one(
    settings: Settings,
    name: str,
    *,
    patience_seconds: float,
    next_step: str = ANOTHER_STATE_DIR,
    stop: threading.Event | None = None,
) -> Iterator[None]:
    """Be the only `name` of the dataset and state directory for the time of the block.

    A predecessor that is still stopping is waited for that long, or until `stop` is set. ConfigError with `next_step` if it keeps
    running, if the state directory cannot be used, and for a named instance of what has none.
    """
    if settings.instance and name.removeprefix("supervisor-") not in SCALED:
        raise ConfigError(
            f"COUNTERPOISE_INSTANCE is {settings.instance!r}, and {name} has one process in a state directory: unset it here, and "
            f"set it where `counterpoise run` starts {' or '.join(SCALED)} alone"
        )
    try:
        private_folder(settings.run_dir)
        lock = open_private(settings.run_dir / f"{name}.lock", "lock")
    except OSError as error:
        raise ConfigError(
            f"the state directory {settings.state_dir} cannot be used: {error.strerror}; choose another with --state-dir or "
            "COUNTERPOISE_STATE_DIR"
        ) from None
    stop = threading.Event() if stop is None else stop
    deadline, waited = time.monotonic() + patience_seconds, False
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline or stop.is_set():
                    raise ConfigError(
                        f"{name} of dataset {settings.dataset} already runs with the state directory {settings.state_dir}: "
                        f"{next_step}"
                    ) from None
                if not waited:
                    log.info("waiting until the one that runs has stopped", seconds_at_most=patience_seconds)
                    waited = True
                stop.wait(0.1)
            else:
                break
        yield
