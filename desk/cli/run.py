"""`counterpoise run`: a service, or all of them, supervised; with --child, the service itself in this process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock

if TYPE_CHECKING:
    from counterpoise.settings.model import Settings
    from desk.supervise.child import Service

RUNNERS: dict[str, str] = {
    "ingest": "ingest.blocks.service:run_ingest",
    "market": "ingest.releases.service:run_market",
    "streams": "streams.service:run_streams",
    "alerts": "alerts.service:run_alerts",
    "desk": "desk.web.service:run_desk",
}
MAY_FINISH = frozenset({"ingest"})
CHILD_GRACE_SECONDS = 30.0
_LOCK_PATIENCE_SECONDS = CHILD_GRACE_SECONDS + 5.0


class What(StrEnum):
    """What to run."""

    INGEST = "ingest"
    MARKET = "market"
    STREAMS = "streams"
    ALERTS = "alerts"
    DESK = "desk"
    ALL = "all"


def run(
    service: Annotated[What, typer.Argument(help="The service; `all` runs every configured one.", show_default=False)],
    child: Annotated[bool, typer.Option("--child", hidden=True, help="Run it in this process, unsupervised.")] = False,
) -> None:
    """Run services as separate processes. A crash or a stall restarts a service; a wrong setting stops everything with one line.
    A restarted service that cannot start with an edited file is started again.

    `all` also restarts embedded engines that fell.

    SIGTERM and Ctrl-C stop the services in order. They finish and acknowledge current work first. SIGHUP makes alerts and
    desk read the rules file again.
    """
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    if child:
        run_child(str(service), settings)
    elif service is What.ALL:
        from desk.supervise.health import configured_services

        supervise(list(configured_services(settings)), settings)
    else:
        supervise([str(service)], settings)


def supervise(names: list[str], settings: Settings) -> None:
    """Supervise services until a signal, until all have finished, or until one has a configuration error (ConfigError)."""
    from counterpoise.runtime.logs import configure_logging
    from counterpoise.runtime.service_status import ServiceStatus
    from counterpoise.settings.endpoints import clickhouse_target, kafka_target
    from desk.supervise.engine_keeper import EngineKeeper
    from desk.supervise.observer import Observer
    from desk.supervise.only_one import only_one
    from desk.supervise.run_folders import forget_old_instances
    from desk.supervise.supervisor import Supervisor

    configure_logging(settings.log_format, settings.log_level, service="supervisor")
    kafka_target(settings)  # a missing address is better said once, here
    clickhouse_target(settings)
    stop, hangup = threading.Event(), threading.Event()
    _stop_on_signals(stop)
    if not sys.stdin.isatty():  # at a terminal, SIGHUP is the terminal's end
        signal.signal(signal.SIGHUP, lambda *_: hangup.set())
    label = "supervisor" if len(names) > 1 else f"supervisor-{names[0]}"
    observer = Observer(settings)
    with (
        only_one(settings, label, patience_seconds=0.0),
        ServiceStatus(label, settings.run_dir, SystemClock()) as status,
        ExitStack() as engines,
    ):
        status.working()
        forget_old_instances(settings, time.time())
        if len(names) > 1 and (settings.kafka.bootstrap_servers is None or settings.clickhouse.host is None):
            engines.enter_context(EngineKeeper(settings.state_dir.absolute()))
        Supervisor(
            [service_of(name) for name in names],
            stop,
            _sayer(prefixed=len(names) > 1 and settings.log_format == "text"),
            look=observer.look,
            stall_after_seconds=settings.health.stall_after_seconds,
            look_every_seconds=min(5.0, settings.health.stall_after_seconds / 4),
            grace_seconds=CHILD_GRACE_SECONDS,
            hangup=hangup,
            on_change=lambda name, pid, restarts, why: status.set(
                **{name: {"pid": pid, "restarts": restarts, "last": why}}
            ),
        ).run()


def run_child(name: str, settings: Settings) -> None:
    """Run one service here until SIGTERM, Ctrl-C, or the end of its supervisor."""
    from counterpoise.clickhouse.service_reporter import ServiceReporter
    from counterpoise.runtime.allocator import return_memory
    from counterpoise.runtime.logs import configure_logging
    from counterpoise.runtime.reload import reload_on_hangup
    from counterpoise.runtime.service_status import ServiceStatus
    from counterpoise.settings.endpoints import clickhouse_target
    from desk.supervise.only_one import only_one

    return_memory()
    configure_logging(settings.log_format, settings.log_level, service=name)
    module, _, function = RUNNERS[name].partition(":")
    runner: Callable[..., Any] = getattr(import_module(module), function)
    stop = threading.Event()
    _stop_on_signals(stop)
    reload_on_hangup()
    if not sys.stdin.isatty():
        threading.Thread(target=_hold_lifeline, args=(stop,), name="lifeline", daemon=True).start()
    clock = SystemClock()
    with (
        only_one(settings, name, patience_seconds=_LOCK_PATIENCE_SECONDS, stop=stop),
        ServiceStatus(name, settings.run_dir, clock) as status,
    ):
        port = getattr(settings.health, f"{name}_port")
        try:
            status.serve(settings.health.host, port)
        except OSError as error:
            raise ConfigError(
                f"the health endpoint of {name} cannot listen on {settings.health.host}:{port} ({error.strerror}): set "
                f"COUNTERPOISE_HEALTH__{name.upper()}_PORT to another (0: any)"
            ) from None
        with ServiceReporter(status, settings.run_dir, clickhouse_target(settings), settings.dataset):
            runner(settings, clock=clock, stop=stop, status=status)
            if name in MAY_FINISH and not stop.is_set():
                status.set(finished=True)


def service_of(name: str) -> Service:
    """A service as a supervisor starts it: the same command, in a separate process."""
    from counterpoise.runtime.python_module import module_command
    from desk.supervise.child import Service

    return Service(name, module_command("counterpoise", "run", name, "--child"), name in MAY_FINISH)


def _stop_on_signals(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def _hold_lifeline(stop: threading.Event) -> None:
    """End when standard input does: the supervisor holds its other end and may be gone without a word."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()
    time.sleep(CHILD_GRACE_SECONDS)
    os._exit(1)


def _sayer(*, prefixed: bool) -> Callable[[str, str], None]:
    """Print a line of a service's output, whole even where several speak at once."""
    lock = threading.Lock()

    def say(name: str, line: str) -> None:
        with (
            lock,
            suppress(OSError),
        ):  # output into a file on a full disk; a service whose output is not read would stop
            sys.stderr.write(f"{name:<8}| {line}\n" if prefixed else f"{line}\n")
            sys.stderr.flush()

    return say
