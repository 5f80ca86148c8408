"""The desk service: one port for the API and the SQL console, scores in /metrics of its health port."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
import uvicorn

from counterpoise.clickhouse.client import ClickHouse, is_local
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.private_files import read_private, write_private
from counterpoise.runtime.status import ServiceStatus
from counterpoise.settings.endpoints import ClickHouseTarget, clickhouse_target, write_desk_address
from counterpoise.settings.model import Settings, read_secret
from desk.results.read_only import connect_read_only
from desk.web.access import Access
from desk.web.api.reader import Reader
from desk.web.app import DeskData, build_app
from desk.web.console.limits import SETTINGS
from desk.web.score_metrics import ScoreMetrics

MIN_TOKEN_CHARACTERS: Final = 16
PROBE_SECONDS: Final = 2.0
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5

log = structlog.get_logger("desk")


def link_file(settings: Settings) -> Path:
    """The file that holds the one-time link."""
    return settings.run_dir / "desk-link"


def token_file(settings: Settings) -> Path:
    """The file that holds the generated token, where none is configured."""
    return settings.run_dir / "desk-token"


def run_desk(settings: Settings, *, clock: Clock, stop: threading.Event, status: ServiceStatus) -> None:
    """Serve until `stop` is set. ConfigError where a setting cannot work or the address is taken."""
    token = desk_token(settings)
    listening = _bind(settings)
    port = int(listening.getsockname()[1])
    url = settings.desk.public_url or f"http://{_shown_host(settings.desk.host)}:{port}"

    def offer(key: str) -> None:
        write_private(link_file(settings), f"{url}/?key={key}\n")

    def connection() -> ClickHouse:
        return connect_read_only(_target(settings), settings.dataset, SETTINGS)

    reader = Reader(connection)
    access = Access(token, clock.monotonic, offer)
    data = DeskData(settings.dataset, settings.dataset_kind, reader, connection)
    app = build_app(data, access, on_loopback=is_local(settings.desk.host), secure=url.startswith("https://"))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="desk", daemon=True)
    with listening:
        thread.start()
        _wait_for_start(server, thread)
        write_desk_address(settings.state_dir, url)
        status.add_metrics(ScoreMetrics(reader))
        status.set(url=url)
        log.info("the desk answers", url=url, link_file=str(link_file(settings)))
        try:
            _watch(connection, thread, stop, status)
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS + 5)
            reader.close()
    if not stop.is_set():
        raise RuntimeError("the desk's server ended by itself")


def desk_token(settings: Settings) -> str:
    """The configured token, or one that is generated once. ConfigError for a weak one, or none beyond loopback."""
    found = read_secret(settings.desk.token, settings.desk.token_file, "COUNTERPOISE_DESK__TOKEN")
    if found is not None:
        token = found.get_secret_value()
        if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii():
            raise ConfigError(
                f"COUNTERPOISE_DESK__TOKEN has {len(token)} characters, expected at least {MIN_TOKEN_CHARACTERS}, ASCII only: "
                "take one from `openssl rand -hex 32`"
            )
        return token
    if not is_local(settings.desk.host):
        raise ConfigError(
            f"the desk on {settings.desk.host} is open to other machines and needs a token: set COUNTERPOISE_DESK__TOKEN_FILE to "
            "a file that holds one, for example from `openssl rand -hex 32`"
        )
    with suppress(OSError, ValueError):
        return read_private(token_file(settings)).strip()
    token = secrets.token_urlsafe(32)
    write_private(token_file(settings), token + "\n")
    return token


def _target(settings: Settings) -> ClickHouseTarget:
    """The address at this moment: the embedded server may have been restarted on another port."""
    return clickhouse_target(settings, read_only=True)


def _watch(
    connection: Callable[[], ClickHouse], thread: threading.Thread, stop: threading.Event, status: ServiceStatus
) -> None:
    """Beat and report until `stop`, or until the server ends."""
    while thread.is_alive() and not stop.is_set():
        status.beat()
        try:
            connection().close()
        except CounterpoiseError as error:
            status.waiting("clickhouse", str(error))
        else:
            status.working()
        stop.wait(PROBE_SECONDS)


def _wait_for_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the desk's server does not start")
        time.sleep(0.01)


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _bind(settings: Settings) -> socket.socket:
    host, port = settings.desk.host, settings.desk.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        raise ConfigError(
            f"the desk cannot listen on {host}:{port} ({error.strerror or error}): set COUNTERPOISE_DESK__PORT to another (0: any)"
        ) from None
    return bound
