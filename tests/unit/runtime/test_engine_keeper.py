"""The keeper of embedded engines goes on whatever its look meets. The engines themselves are in the integration tests."""

from __future__ import annotations

import threading
from pathlib import Path

import structlog

from counterpoise.errors import EngineError
from desk.supervise.engine_keeper import EngineKeeper
from tests.waiting import wait_for


def test_a_restart_that_fails_is_reported_and_tried_again(tmp_path: Path) -> None:
    script: list[Exception | tuple[str, ...]] = [(), EngineError("port 9000 is taken"), ValueError("bug"), ("kafka",)]
    done = threading.Event()

    def restart(folder: Path) -> tuple[str, ...]:
        assert folder == tmp_path
        if not script:
            done.set()
            return ()
        step = script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    with structlog.testing.capture_logs() as lines, EngineKeeper(tmp_path, restart=restart, look_every_seconds=0.01):
        wait_for(done.is_set, "the script to end")
    assert [line["event"] for line in lines] == [
        "an embedded engine fell and does not start",
        "could not look after the embedded engines",
        "an embedded engine fell; it was started again",
    ]
