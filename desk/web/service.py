"""The desk as a service: one reader, one server, until it is asked to stop."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from counterpoise.clickhouse.client import ClickHouse, connect_consistent
from counterpoise.clickhouse.read_only import connect_read_only
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.redaction import redact
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.retry import StoppingError, Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.runtime.web_server import server_of
from counterpoise.settings.endpoints import clickhouse_target, write_desk_address
from counterpoise.settings.model import Settings
from counterpoise.windows import USUAL_WINDOW_BLOCKS
from desk.supervise.health import collect
from desk.web.access import Access
from desk.web.api.reader import Reader
from desk.web.console.console_limits import SETTINGS
from desk.web.desk_app import build_app
from desk.web.hub import Hub, LineState
from desk.web.panels.panel import PageContext
from desk.web.panels.panel_registry import PANELS
from desk.web.score_metrics import ScoreMetrics
from desk.web.shown_rule import ShownRule

USUAL_PORT: Final = 8090
MAX_CONNECTIONS: Final = 512
_STOP_SECONDS: Final = 3

log = structlog.get_logger("desk")


def link_file(settings: Settings) -> Path:
    """Where the current one-time link is written, for `counterpoise desk --link`."""
    return settings.run_root / "desk-link"


def run_desk(settings: Settings, *, clock: Clock, stop: threading.Event, status: ServiceStatus) -> None:
    """Serve the page until `stop`. ConfigError where it may not be open, or its address is taken."""
    target = clickhouse_target(settings, read_only=True)
    rule = ShownRule(settings, clock, status)

    def client() -> ClickHouse:
        return connect_read_only(target, settings.dataset)

    try:
        kind = Waiter(clock, status, stop.is_set).until_done("clickhouse", lambda: _kind(client, settings))
    except StoppingError:
        return

    docs_url = (settings.desk.docs_url or "").rstrip("/")

    def context_of(now: datetime) -> PageContext:
        line = rule.line
        window = line.window_blocks if line else USUAL_WINDOW_BLOCKS
        return PageContext(settings.dataset, kind, settings.ingest.chain, window, line, now, docs_url=docs_url)

    def query_client() -> ClickHouse:
        return connect_read_only(target, settings.dataset, SETTINGS)

    def writing_client() -> ClickHouse:
        return connect_consistent(clickhouse_target(settings), settings.dataset)

    access = Access(settings.desk, link_file(settings), clock)
    hub = Hub(
        client,
        context_of,
        PANELS.values(),
        clock=clock,
        status=status,
        line_state=lambda: replace(
            state_of_line(settings, clock), rules_problem=redact(rule.problem), rules_in_use=rule.in_use
        ),
        refresh_seconds=settings.desk.refresh_seconds,
    )
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(contextlib.closing(_bind(settings)))
        port = int(bound.getsockname()[1])
        threads = stack.enter_context(ThreadPoolExecutor(4, thread_name_prefix="desk-page"))
        server = server_of(
            build_app(
                hub, access, client, threads, query_client, write=writing_client if settings.desk.actions else None
            ),
            max_connections=MAX_CONNECTIONS,
            keep_alive_seconds=15,
            stop_seconds=_STOP_SECONDS,
        )
        serving = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="desk-server", daemon=True)
        looking = threading.Thread(target=hub.watch_line, args=(stop,), name="desk-line", daemon=True)
        following = threading.Thread(target=rule.follow, args=(stop,), name="desk-rules", daemon=True)
        for thread in (serving, looking, following):
            thread.start()
        link = access.new_link(port)
        status.set(desk_port=port)
        status.add_metrics(ScoreMetrics(Reader(query_client, connections=1)))
        write_desk_address(settings.state_dir, access.address(port))
        log.info("the page is open", link=redact_key(link), port=port)
        try:
            hub.run(stop)
        finally:
            hub.end()
            server.should_exit = True
            serving.join(_STOP_SECONDS + 5)
            with contextlib.suppress(OSError):
                link_file(settings).unlink()


def _kind(client: Callable[[], ClickHouse], settings: Settings) -> str:
    """The mark of the dataset, whatever the settings name: simulated blocks are never shown as live ones."""
    with client() as clickhouse:
        marks = clickhouse.query("SELECT kind FROM datasets")
    return str(marks[0][0]) if marks else settings.dataset_kind


def redact_key(link: str) -> str:
    """The link without its key: a log is read by more people than may open the page."""
    return link.partition("?")[0]


def state_of_line(settings: Settings, clock: Clock) -> LineState:
    """Services, lag and Kafka as `counterpoise status` shows them."""
    try:
        found = collect(settings, clock)
    except CounterpoiseError as error:
        return LineState(problem=redact(str(error)))
    kafka = next((engine for engine in found.engines if engine.name == "kafka"), None)
    return LineState(
        services=tuple(one for one in found.processes if one[0].partition(" ")[0] != "desk"),
        lag=found.lag_messages,
        kafka_problem=kafka.problem or "" if kafka else "",
    )


def _bind(settings: Settings) -> socket.socket:
    """The listening socket. Without a configured port the usual one, or any where that is taken."""
    host, port = settings.desk.host, settings.desk.port
    try:
        family = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0][0]
        for wanted in (USUAL_PORT, 0) if port is None else (port,):
            bound = socket.socket(family, socket.SOCK_STREAM)
            try:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind((host, wanted))
            except OSError as error:
                bound.close()
                if port is None and wanted and error.errno == errno.EADDRINUSE:
                    continue
                raise
            return bound
    except OSError as error:
        raise ConfigError(
            f"the desk page cannot listen on {host}:{port or USUAL_PORT} ({error.strerror or error}): set COUNTERPOISE_DESK__HOST "
            "and __PORT"
        ) from None
    raise ConfigError(f"the desk page finds no free port on {host}")
