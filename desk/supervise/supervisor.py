"""Run services as separate processes: restart them after a crash or a stall, and stop everything for a wrong setting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.retry import Backoff, RetryPolicy
from desk.supervise.child import Child, Service
from desk.supervise.stall_watch import Sight, StallWatch

EXIT_CONFIG = 2
POLL_SECONDS = 0.1
RESTART_RETRY = RetryPolicy(0.5, 30.0)

log = structlog.get_logger("supervisor")

Look = Callable[[list[str]], dict[str, Sight]]


@dataclass(slots=True)
class _Slot:
    service: Service
    backoff: Backoff
    child: Child | None = None
    watch: StallWatch | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    restarts: int = 0
    last_end: str = ""
    finished: bool = False
    stalled: str | None = None
    failed_starts: int = 0
    """Ends in a row without any progress before."""
    progressed: bool = False
    """Whether the process that runs now was seen to make progress."""


@dataclass(slots=True)
class Supervisor:
    """`run` blocks until `stop` is set, every service has finished, or one has a configuration error: at its first start, or
    once it worked.

    A configuration error of a later start, without progress of that process, is an end as any other: a file that was edited since is
    wrong, the other services work on, and the service starts again once the file is corrected.

    `look` is asked every `look_every_seconds` for a sight of the services that run; None switches stall detection off. `say` gets
    each line of output with the service's name; `on_change` receives (name, pid or None, restarts, why) at each start and end.
    After `failed_starts_allowed` ends in a row without progress between them `run` gives up; None restarts for ever. Progress is what
    `look` sees of it, or a life of `healthy_after_seconds`. `hangup`, once set, is passed on to every service as SIGHUP.
    """

    services: Sequence[Service]
    stop: threading.Event
    say: Callable[[str, str], None]
    look: Look | None = None
    stall_after_seconds: float = 120.0
    look_every_seconds: float = 5.0
    grace_seconds: float = 30.0
    make_backoff: Callable[[], Backoff] = lambda: Backoff(RESTART_RETRY)
    healthy_after_seconds: float = 30.0
    failed_starts_allowed: int | None = None
    on_change: Callable[[str, int | None, int, str], None] = lambda *_: None
    hangup: threading.Event = field(default_factory=threading.Event)
    _slots: list[_Slot] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Return after an orderly end.

        ConfigError where a service ended with one, RetryableError where one does not come up; all are stopped by then.
        """
        self._slots = [_Slot(service, self.make_backoff()) for service in self.services]
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), name="stall-watch", daemon=True)
        if self.look is not None:
            watcher.start()
        try:
            while not self.stop.is_set() and not all(slot.finished for slot in self._slots):
                for slot in self._slots:
                    self._tend(slot)
                self._pass_on_hangup()
                self.stop.wait(POLL_SECONDS)
        finally:
            done.set()
            self._end_all()

    def _pass_on_hangup(self) -> None:
        if self.hangup.is_set():
            self.hangup.clear()
            for slot in self._slots:
                if slot.child is not None:
                    slot.child.hang_up()

    def _tend(self, slot: _Slot) -> None:
        if slot.finished:
            return
        if slot.child is None:
            if time.monotonic() >= slot.start_at:
                self._start(slot)
            return
        if slot.stalled is not None:
            log.error("stalled; killing it", service=slot.service.name, pid=slot.child.pid, reason=slot.stalled)
            slot.child.kill()
        code = slot.child.poll()
        if code is not None:
            self._ended(slot, slot.child, code)

    def _start(self, slot: _Slot) -> None:
        name = slot.service.name
        with self._lock:
            slot.child = Child(slot.service, lambda line: self.say(name, line))
            slot.watch = StallWatch(self.stall_after_seconds)
            slot.stalled, slot.progressed = None, False
            slot.started_at = time.monotonic()
        log.info("started", service=name, pid=slot.child.pid, restarts=slot.restarts)
        why = f"started after {slot.last_end}" if slot.last_end else "started"
        self.on_change(name, slot.child.pid, slot.restarts, why)
        slot.child.pass_output_on()

    def _ended(self, slot: _Slot, child: Child, code: int) -> None:
        name, stalled = slot.service.name, slot.stalled
        with self._lock:
            slot.child = slot.watch = None
        if code == EXIT_CONFIG and (not slot.restarts or self._progressed(slot, child.pid)):
            self.on_change(name, None, slot.restarts, child.last_words)
            raise _config_error(child)
        if child.last_words:
            self.say(name, child.last_words)
        if code == 0 and slot.service.may_finish:
            slot.finished = True
            log.info("finished", service=name)
            self.on_change(name, None, slot.restarts, "finished")
            return
        why = f"stalled: {stalled}" if stalled else f"signal {-code}" if code < 0 else f"exit code {code}"
        if code == EXIT_CONFIG and child.last_words:
            why += f": {child.last_words}"
        slot.restarts, slot.last_end = slot.restarts + 1, why
        if time.monotonic() - slot.started_at >= self.healthy_after_seconds:
            slot.backoff.reset()
            slot.failed_starts = 0
        slot.failed_starts += 1
        if self.failed_starts_allowed is not None and slot.failed_starts >= self.failed_starts_allowed:
            self.on_change(name, None, slot.restarts, why)
            if code == EXIT_CONFIG:
                raise _config_error(child)
            last = child.last_words or child.last_line or "it wrote nothing"
            raise RetryableError(f"{name} does not start ({why}, {slot.failed_starts} times in a row): {last}")
        wait_seconds = slot.backoff.next_seconds()
        slot.start_at = time.monotonic() + wait_seconds
        log.error(
            "ended; starting it again", service=name, why=why, in_seconds=round(wait_seconds, 1), restarts=slot.restarts
        )
        self.on_change(name, None, slot.restarts, why)

    def _progressed(self, slot: _Slot, pid: int) -> bool:
        """Whether the process that ended made progress: it may have ended between two looks. Unknown is no."""
        if slot.progressed or self.look is None:
            return slot.progressed
        try:
            return _shows_progress(self.look([slot.service.name])[slot.service.name], pid)
        except Exception:  # a look that fails must never end the supervision
            log.exception("could not observe the service that ended")
            return False

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(self.look_every_seconds):
            with self._lock:
                running = [(slot, slot.child.pid) for slot in self._slots if slot.child is not None]
            if not running or self.look is None:
                continue
            try:
                sights = self.look([slot.service.name for slot, _ in running])
            except Exception:  # a look that fails must never end the supervision
                if done.is_set():  # what it looks at ends too
                    return
                log.exception("could not observe the services")
                continue
            now = time.monotonic()
            with self._lock:
                for slot, pid in running:
                    sight = sights[slot.service.name]
                    same = slot.child is not None and slot.child.pid == pid
                    speaks = sight.status is not None and sight.status.get("pid") == pid  # not its predecessor's file
                    if same and _shows_progress(sight, pid):
                        slot.failed_starts, slot.progressed = 0, True
                    if same and speaks and slot.watch is not None:
                        slot.stalled = slot.watch.look(now, sight)

    def _end_all(self) -> None:
        """SIGTERM to all at once, one grace for all, SIGKILL for the rest."""
        children = [slot.child for slot in self._slots if slot.child is not None]
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + self.grace_seconds
        while children and time.monotonic() < deadline:
            children = [child for child in children if child.poll() is None]
            if children:
                time.sleep(0.05)
        for child in children:
            log.error("did not stop in time; killing it", service=child.service.name, pid=child.pid)
            child.kill()
        for slot in self._slots:
            if slot.child is not None:
                self.on_change(slot.service.name, None, slot.restarts, "stopped")


def _shows_progress(sight: Sight, pid: int) -> bool:
    """Whether this process made progress; the status may be that of the process before it."""
    return bool(sight.status and sight.status.get("pid") == pid and sight.status.get("last_progress_at"))


def _config_error(child: Child) -> ConfigError:
    words = child.last_words or "stopped because a setting is wrong; its last log line names it"
    return ConfigError(f"{child.service.name}: {words}")
