"""The endpoint in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time

import structlog
from fastapi import FastAPI
from pydantic import SecretStr

from counterpoise.errors import ConfigError
from counterpoise.runtime.web_server import server_of
from counterpoise.settings.section import read_secret
from counterpoise.settings.sections.market_sections import PushSettings
from counterpoise.urls import is_local
from ingest.releases.push.protocol import DeadlineProtocol

MIN_TOKEN_CHARACTERS = 16
_START_SECONDS = 10.0
_STOP_SECONDS = 5

log = structlog.get_logger("market")


def push_token(settings: PushSettings) -> SecretStr:
    """The configured token; ConfigError where there is none, or one that could be guessed."""
    token = read_secret(settings.token, settings.token_file, "COUNTERPOISE_MARKET__PUSH__TOKEN")
    if token is None:
        raise ConfigError(
            "source push needs a token: set COUNTERPOISE_MARKET__PUSH__TOKEN_FILE to a file that holds one, for example from "
            "`openssl rand -hex 32`"
        )
    if len(token.get_secret_value()) < MIN_TOKEN_CHARACTERS or not token.get_secret_value().isascii():
        raise ConfigError(
            f"COUNTERPOISE_MARKET__PUSH__TOKEN has {len(token.get_secret_value())} characters, expected at least "
            f"{MIN_TOKEN_CHARACTERS}, ASCII only: take one from `openssl rand -hex 32`"
        )
    return token


class PushServer:
    """Serves an application from `start` to `stop`. ConfigError where its address is taken."""

    def __init__(self, app: FastAPI, settings: PushSettings) -> None:
        self._settings = settings
        self._socket = _bind(settings)
        self.port = int(self._socket.getsockname()[1])
        if not is_local(settings.host):
            log.warning(
                "the push endpoint listens beyond this machine without TLS: put a proxy in front", host=settings.host
            )
        self._server = server_of(
            app,
            max_connections=settings.max_connections,
            keep_alive_seconds=5,
            stop_seconds=_STOP_SECONDS,
            http=DeadlineProtocol,
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="push", daemon=True
        )

    def start(self) -> None:
        """Return when it answers."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise ConfigError(f"the push endpoint does not start on {self._settings.host}:{self.port}")
            time.sleep(0.01)
        log.info("releases may be pushed", host=self._settings.host, port=self.port)

    def is_alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Finish the requests that are under way, then end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS + 5)
        self._socket.close()


def _bind(settings: PushSettings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((settings.host, settings.port))
    except OSError as error:
        raise ConfigError(
            f"the push endpoint cannot listen on {settings.host}:{settings.port} ({error.strerror or error}): set "
            "COUNTERPOISE_MARKET__PUSH__HOST and __PORT"
        ) from None
    return bound
