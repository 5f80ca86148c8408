"""What lets releases in while the disk has no room: it goes on, and the log has one line per minute."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
import structlog

from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.series.load import load_catalogue
from counterpoise.settings.model import Settings
from ingest.releases.journal.release_journal import ReleaseJournal
from ingest.releases.service import _Intake
from testkit.manual_clock import ManualClock


def test_an_entrance_that_meets_a_full_disk_stays_open(tmp_path: Path) -> None:
    stop, tried = threading.Event(), threading.Semaphore(0)
    clock = ManualClock(1_000.0)
    journal = ReleaseJournal(tmp_path / "journal", max_bytes=1 << 20)
    mistake: list[Exception] = [OSError(errno.ENOSPC, "No space left on device", "inbox/failed/x.why.txt")]

    def work() -> None:
        tried.release()
        raise mistake[0]

    with structlog.testing.capture_logs() as lines, ServiceStatus("market", tmp_path / "run", clock) as status:
        settings = Settings(state_dir=tmp_path)
        intake = _Intake(settings, load_catalogue(), journal, tmp_path, clock=clock, stop=stop, status=status)
        intake._start("drop", work, 0.001)
        for _ in range(5):
            tried.acquire()
        intake.check()
        mistake[0] = ValueError("a bug")
        for thread in intake._threads:
            thread.join()
        with pytest.raises(ValueError, match="a bug"):
            intake.check()
        intake.close()
    journal.close()
    [told] = [line for line in lines if line["event"] == "a file cannot be written; trying again"]
    assert (told["entrance"], told["file"]) == ("drop", "inbox/failed/x.why.txt")
    assert told["reason"] == "No space left on device"
