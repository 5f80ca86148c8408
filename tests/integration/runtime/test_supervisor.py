"""The supervisor with real processes: small programs that fall, stall, wait, or have a wrong setting."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.retry import Backoff, RetryPolicy
from desk.supervise.child import Service
from desk.supervise.stall_watch import Sight
from desk.supervise.supervisor import Supervisor
from tests.waiting import PATIENCE_SECONDS, wait_for

STAY = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nprint('up', flush=True)\ntime.sleep(900)"


def service(name: str, program: str, *, may_finish: bool = False) -> Service:
    return Service(name, (sys.executable, "-c", program), may_finish)


class Run:
    """A supervisor in a thread, and all that it said."""

    def __init__(self, *services: Service, **options: Any) -> None:
        self.stop = threading.Event()
        self.lines: list[tuple[str, str]] = []
        self.changes: list[tuple[str, int | None, int, str]] = []
        self.error: BaseException | None = None
        options.setdefault("make_backoff", lambda: Backoff(RetryPolicy(0.02, 0.1), random.Random(1)))
        options.setdefault("on_change", lambda *change: self.changes.append(change))
        options.setdefault("grace_seconds", 5.0)
        self.supervisor = Supervisor(
            services,
            self.stop,
            options.pop("say", lambda name, line: self.lines.append((name, line))),
            **options,
        )
        self._thread = threading.Thread(target=self._go)
        self._thread.start()

    def _go(self) -> None:
        try:
            self.supervisor.run()
        except BaseException as error:
            self.error = error

    def until(self, true: Callable[[], bool]) -> None:
        wait_for(true, "the supervisor", lambda: (self.lines, self.changes))

    def end(self) -> None:
        self.stop.set()
        self.join()

    def join(self) -> None:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def starts(self, name: str) -> list[int]:
        return [pid for of, pid, _, why in self.changes if of == name and why.startswith("started") and pid is not None]


@pytest.fixture
def started() -> Iterator[list[Run]]:
    runs: list[Run] = []
    yield runs
    for run in runs:
        run.end()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_killed_service_is_started_again_and_the_other_is_not_touched(started: list[Run]) -> None:
    run = Run(service("a", STAY), service("b", STAY))
    started.append(run)
    run.until(lambda: run.lines.count(("a", "up")) == 1 and run.lines.count(("b", "up")) == 1)
    os.kill(run.starts("a")[0], signal.SIGKILL)
    run.until(lambda: len(run.starts("a")) == 2)
    assert ("a", None, 1, "signal 9") in run.changes
    assert len(run.starts("b")) == 1
    run.end()
    assert run.error is None
    assert all(gone(pid) for pid in run.starts("a") + run.starts("b"))


def test_a_start_is_told_before_the_first_line_of_what_was_started(started: list[Run]) -> None:
    told = threading.Event()

    def slow(*change: Any) -> None:
        time.sleep(0.5)  # longer than the program takes to its first line
        told.set()

    early: list[str] = []
    run = Run(service("a", STAY), on_change=slow, say=lambda _, line: None if told.is_set() else early.append(line))
    started.append(run)
    assert told.wait(PATIENCE_SECONDS)
    run.end()
    assert early == []


def test_a_service_that_falls_again_and_again_is_started_with_growing_waits(started: list[Run]) -> None:
    run = Run(service("a", "raise SystemExit(70)"))
    started.append(run)
    run.until(lambda: len(run.starts("a")) >= 4)
    assert [why for _, pid, _, why in run.changes if pid is None][:3] == ["exit code 70"] * 3


def test_a_service_that_never_starts_is_given_up_with_its_last_line(started: list[Run]) -> None:
    run = Run(
        service("good", STAY),
        service("bad", "print('first')\nraise OSError('no such library')"),
        failed_starts_allowed=3,
    )
    run.join()
    assert isinstance(run.error, RetryableError)
    assert str(run.error) == "bad does not start (exit code 1, 3 times in a row): OSError: no such library"
    assert len(run.starts("bad")) == 3
    assert all(gone(pid) for pid in run.starts("good"))


def test_a_service_that_progressed_before_it_fell_is_never_given_up(started: list[Run], tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    def look(names: list[str]) -> dict[str, Sight]:
        found = sights(lambda: started[0])(names)
        seen.write_text(str((found["a"].status or {})["pid"]))
        return found

    # It falls once a look has seen it, twice because the first may be from just before it was up.
    program = (
        "import os, pathlib, time\nprint('up', flush=True)\n"
        f"seen = pathlib.Path({str(seen)!r})\n"
        "for _ in range(2):\n"
        "    while not seen.exists() or seen.read_text() != str(os.getpid()): time.sleep(0.01)\n"
        "    seen.unlink()\n"
        "raise SystemExit(70)"
    )
    run = Run(
        service("a", program),
        failed_starts_allowed=2,
        look=look,
        look_every_seconds=0.05,
        stall_after_seconds=60.0,
    )
    started.append(run)
    run.until(lambda: len(run.starts("a")) >= 4)
    assert run.error is None


def test_a_configuration_error_stops_everything_with_the_services_own_line(started: list[Run]) -> None:
    program = "import sys; print('counterpoise: the setting x is 3, expected 4', file=sys.stderr); sys.exit(2)"
    run = Run(service("good", STAY), service("bad", program))
    run.join()
    assert isinstance(run.error, ConfigError)
    assert str(run.error) == "bad: the setting x is 3, expected 4"
    assert all(gone(pid) for pid in run.starts("good"))
    assert ("bad", "the setting x is 3, expected 4") not in run.lines, "said once, by the caller"


AFTER_AN_EDIT = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if pathlib.Path({wrong!r}).exists():
    print('counterpoise: the rules have a mistake', file=sys.stderr); sys.exit(2)
print('up', flush=True)
time.sleep(900)
"""


def test_a_file_that_is_wrong_at_a_later_start_ends_no_other_service(started: list[Run], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    run = Run(service("good", STAY), service("edited", AFTER_AN_EDIT.format(wrong=str(wrong))))
    started.append(run)
    run.until(lambda: {("good", "up"), ("edited", "up")} <= set(run.lines))
    wrong.touch()
    os.kill(run.starts("edited")[0], signal.SIGKILL)
    run.until(lambda: ("edited", None, 3, "exit code 2: the rules have a mistake") in run.changes)
    assert ("edited", "the rules have a mistake") in run.lines
    wrong.unlink()
    run.until(lambda: run.lines.count(("edited", "up")) == 2)
    assert run.error is None and len(run.starts("good")) == 1


def test_a_job_ends_with_the_line_of_a_file_that_stays_wrong(started: list[Run], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    run = Run(service("edited", AFTER_AN_EDIT.format(wrong=str(wrong))), failed_starts_allowed=3)
    started.append(run)
    run.until(lambda: ("edited", "up") in run.lines)
    wrong.touch()
    os.kill(run.starts("edited")[0], signal.SIGKILL)
    run.join()
    assert isinstance(run.error, ConfigError) and str(run.error) == "edited: the rules have a mistake"


def test_a_restarted_service_that_worked_and_then_stopped_itself_ends_everything(
    started: list[Run], tmp_path: Path
) -> None:
    """Too many dead letters, or a node of another chain: what it decides after work is no file that it cannot start with."""
    fallen = tmp_path / "fallen"
    program = (
        f"import pathlib, sys\nfallen = pathlib.Path({str(fallen)!r})\nif not fallen.exists():\n    fallen.touch(); sys.exit(70)\n"
        "print('counterpoise: most events were bad', file=sys.stderr); sys.exit(2)"
    )
    run = Run(service("a", program), look=sights(lambda: started[0]), look_every_seconds=60.0)
    started.append(run)
    run.join()
    assert isinstance(run.error, ConfigError) and str(run.error) == "a: most events were bad"
    assert len(run.starts("a")) == 2


def test_work_that_is_done_ends_the_run_and_is_not_done_again(started: list[Run]) -> None:
    run = Run(service("a", "print('done')", may_finish=True))
    run.join()
    assert run.error is None
    assert len(run.starts("a")) == 1


def test_a_worker_that_ends_without_having_been_asked_is_started_again(started: list[Run]) -> None:
    run = Run(service("a", "print('strange')"))
    started.append(run)
    run.until(lambda: len(run.starts("a")) >= 2)
    assert ("a", None, 1, "exit code 0") in run.changes


def test_one_that_ignores_the_request_to_stop_is_killed_after_the_grace(started: list[Run]) -> None:
    run = Run(
        service(
            "a",
            "import signal,time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(900)",
        ),
        grace_seconds=0.3,
    )
    run.until(lambda: ("a", "up") in run.lines)
    run.end()
    assert gone(run.starts("a")[0])


def sights(run_of: Callable[[], Run], **status: Any) -> Callable[[list[str]], dict[str, Sight]]:
    """What an observer would see of a service that has work and makes no progress."""

    def look(names: list[str]) -> dict[str, Sight]:
        pids = run_of().starts("a")
        said = {"pid": pids[-1] if pids else 0, "state": "working", "last_progress_at": 1.0} | status
        return {name: Sight(said, lag=7, committed=3) for name in names}

    return look


@pytest.mark.parametrize(("state", "restarted"), [("working", True), ("waiting", False)])
def test_a_stall_ends_in_a_restart_and_a_wait_does_not(started: list[Run], state: str, restarted: bool) -> None:
    run = Run(
        service("a", STAY),
        look=sights(lambda: started[0], state=state),
        look_every_seconds=0.05,
        stall_after_seconds=0.4,
    )
    started.append(run)
    run.until(lambda: ("a", "up") in run.lines)
    if restarted:
        run.until(lambda: len(run.starts("a")) >= 2)
        assert any(why.startswith("stalled: no progress for") for *_, why in run.changes)
    else:
        threading.Event().wait(1.2)
        assert len(run.starts("a")) == 1


def test_a_look_that_fails_does_not_end_the_supervision(started: list[Run]) -> None:
    looked = threading.Event()

    def look(names: list[str]) -> dict[str, Sight]:
        looked.set()
        raise OSError("nobody there")

    run = Run(service("a", STAY), look=look, look_every_seconds=0.05)
    started.append(run)
    assert looked.wait(PATIENCE_SECONDS)
    run.end()
    assert run.error is None


def test_a_service_ends_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    """The lifeline: standard input of the service closes with the supervisor's death."""
    read_stdin = "import sys, os\nprint(os.getpid(), flush=True)\nsys.stdin.read()"
    run = Run(service("a", read_stdin))
    run.until(lambda: bool(run.lines))
    pid = int(run.lines[0][1])
    child = run.supervisor._slots[0].child
    assert child is not None
    assert child._process.stdin is not None
    child._process.stdin.close()  # what the kernel does for a killed supervisor
    run.until(lambda: gone(pid) or len(run.starts("a")) > 1)
    run.end()


def test_a_hangup_reaches_every_service_and_ends_none(started: list[Run]) -> None:
    listens = "import signal\nsignal.signal(signal.SIGHUP, lambda *_: print('again', flush=True))\n" + STAY
    hangup = threading.Event()
    run = Run(service("a", listens), service("b", listens), hangup=hangup)
    started.append(run)
    run.until(lambda: {("a", "up"), ("b", "up")} <= set(run.lines))
    hangup.set()
    run.until(lambda: {("a", "again"), ("b", "again")} <= set(run.lines))
    assert (len(run.starts("a")), len(run.starts("b"))) == (1, 1)
