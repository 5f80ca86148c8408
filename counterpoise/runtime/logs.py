"""Logs through structlog, for our own lines and for those of the libraries; secrets never reach them."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from pydantic import SecretStr

from counterpoise.redaction import HIDDEN, redact
from counterpoise.visible import visible

_SECRET_NAME = re.compile(r"password|passwd|secret|token|authorization|cookie|api_?key", re.IGNORECASE)
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_NOT_SECRET = frozenset({"token_file", "password_file", "cookie_file", "password_set", "token_set"})
_NOISY = ("kafka", "aiokafka", "faust", "mode", "httpx", "httpcore", "websockets", "slack_sdk", "clickhouse_driver")
_TRANSPORT = ("kafka.net", "kafka.cluster")  # six remarks on one lost connection


class RateLimitedLog(logging.Filter):
    """Of equal remarks of a library (one place in its code, one level; of kafka-python's transport: any) let one through a minute.

    While a broker is down its clients log fifty times per second, and would hide the service's own line about it.
    """

    def __init__(self, every_seconds: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_seconds = every_seconds
        self._now = now
        self._said_at: dict[tuple[str | int, ...], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _NOISY:
            return True
        place: tuple[str | int, ...] = (record.pathname, record.lineno)
        if record.name.startswith(_TRANSPORT):
            place = _TRANSPORT[:1]
        key, now = (*place, record.levelno), self._now()
        if now - self._said_at.get(key, -self._every_seconds) < self._every_seconds:
            return False
        self._said_at[key] = now
        return True


class NoTracebackOfOutages(logging.Filter):
    """Put a library's traceback of a connection that failed into its line: it ends in the socket module, and adds nothing.

    kafka-python's transport closes sockets under its own reader. What it raises then is an outage too, or nothing at all: the reader
    finds no socket.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        closed = isinstance(error, AttributeError) or "failed Cancelled" in record.getMessage()
        if closed and record.name.startswith(_TRANSPORT):
            return False  # by us, meanwhile: its reader finds no socket, its refresh was cancelled
        outage = isinstance(error, OSError | EOFError) and record.name.partition(".")[0] in _NOISY
        if error is not None and (outage or record.name.startswith(_TRANSPORT)):
            record.msg, record.args = f"{record.getMessage()}: {error or type(error).__name__}", ()
            record.exc_info = record.exc_text = None
        return True


class NoLoginBytes(logging.Filter):
    """Hide a library's line on a step of a SASL login: at debug kafka-python prints requests whole, and PLAIN's has the password."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] in _NOISY and "SaslAuthenticate" in record.getMessage():
            record.msg, record.args = f"a step of a SASL login: {HIDDEN}", ()
        return True


class LineHandler(logging.StreamHandler[TextIO]):
    """Drops a line that cannot be written, as on a full disk: the traceback of that would tear a screen apart."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def configure_logging(
    format: Literal["text", "json"],  # noqa: A002
    level: str,
    *,
    service: str | None = None,
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process to `stream` (stderr), as text for people or as one JSON object a line.

    `level` applies to our loggers; libraries log only warnings and worse, each once a minute, unless it is debug.
    May be called again.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    stream = sys.stderr if stream is None else stream

    def named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The service's name in every line, whichever thread speaks."""
        if service is not None:
            event.setdefault("service", service)
        return event

    shared: list[structlog.types.Processor] = [
        named,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if format == "json":
        last: list[structlog.types.Processor] = [
            structlog.processors.format_exc_info,
            hide_secrets,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    else:
        last = [
            hide_secrets,
            make_visible,
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback),
        ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = LineHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last,
                _hide_in_line,
                _visible_line,
            ],
        )
    )
    handler.addFilter(NoLoginBytes())
    if number > logging.DEBUG:
        handler.addFilter(NoTracebackOfOutages())  # what it drops does not count as told
        handler.addFilter(RateLimitedLog())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _NOISY:
        logging.getLogger(name).setLevel(number if number <= logging.DEBUG else max(number, logging.WARNING))
    # At debug it prints the bytes of every request, those of a login too.
    logging.getLogger("kafka.protocol").setLevel(max(number, logging.INFO))
    # They warn of every turn of their loops that a busy machine, or a wait, makes slow: nothing that anybody can act on.
    for name in ("kafka.net.selector", "mode.timers"):
        logging.getLogger(name).setLevel(number if number <= logging.DEBUG else logging.ERROR)


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide values under a secret's name, Slack tokens, and credentials in URLs and headers, however deep."""
    for name, value in event.items():
        event[name] = _hidden(name, value)
    return event


def _hide_in_line(_logger: Any, _method: str, line: Any) -> str:
    """The last look: tracebacks and library messages are text only by now."""
    return redact(str(line))


def make_visible(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make control and format characters of every text visible: a newline in a value would forge a line, an escape acts."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = visible(value)
    return event


def _visible_line(_logger: Any, _method: str, line: Any) -> str:
    """Of tracebacks and values within values, too; the renderer's own colours stay."""
    parts = _COLOUR.split(str(line))
    return "".join(part if at % 2 else visible(part, keep="\n\t") for at, part in enumerate(parts))


def _hidden(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr) or (value and name not in _NOT_SECRET and _SECRET_NAME.search(name)):
        return HIDDEN
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _hidden(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden("", inner) for inner in value]
    if isinstance(value, BaseException):
        return redact(repr(value))
    return value
