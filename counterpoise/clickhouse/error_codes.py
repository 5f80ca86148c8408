"""What a ClickHouse error means for the caller, by its code: retry, fix the configuration, or a bug.

Codes: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clickhouse_driver import errors as driver

from counterpoise.errors import ConfigError, CounterpoiseError, RetryableError

DriverError: Final = driver.Error
"""Whatever the driver raises, for those who only report it."""

READONLY: Final = 164
"""A statement or a setting that is not for a user who only reads."""

RETRYABLE: Final[dict[int, str]] = {
    3: "UNEXPECTED_END_OF_FILE",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    201: "QUOTA_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    254: "NO_ACTIVE_REPLICAS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    289: "REPLICA_IS_NOT_IN_QUORUM",
    319: "UNKNOWN_STATUS_OF_INSERT",
    364: "RECEIVED_ERROR_TOO_MANY_REQUESTS",
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    473: "DEADLOCK_AVOIDED",
    499: "S3_ERROR",
    574: "DISTRIBUTED_TOO_MANY_PENDING_BYTES",
    667: "NOT_INITIALIZED",
    745: "SERVER_OVERLOADED",
    999: "KEEPER_EXCEPTION",
}
"""The server or the way to it: the same call may succeed later."""

CONFIGURATION: Final[dict[int, tuple[str, str]]] = {
    16: ("NO_SUCH_COLUMN_IN_TABLE", "the database is older than this version: run `counterpoise migrate`"),
    60: ("UNKNOWN_TABLE", "run `counterpoise migrate`"),
    81: ("UNKNOWN_DATABASE", "run `counterpoise migrate`"),
    READONLY: ("READONLY", "this user may only read: name one that may write in COUNTERPOISE_CLICKHOUSE__USER"),
    192: ("UNKNOWN_USER", "check COUNTERPOISE_CLICKHOUSE__USER"),
    193: ("WRONG_PASSWORD", "check COUNTERPOISE_CLICKHOUSE__PASSWORD"),
    194: ("REQUIRED_PASSWORD", "set COUNTERPOISE_CLICKHOUSE__PASSWORD"),
    195: ("IP_ADDRESS_NOT_ALLOWED", "allow this machine's address for the user on the server"),
    497: ("ACCESS_DENIED", "grant the user what the message names"),
    516: ("AUTHENTICATION_FAILED", "check COUNTERPOISE_CLICKHOUSE__USER and COUNTERPOISE_CLICKHOUSE__PASSWORD"),
}
"""What waiting does not help, and the next step."""


_DISK_IS_FULL: Final = "No space left on device"
"""In the text of whichever error (75, 76, 1001, …) the server's write ended with, where no reservation was refused before."""

_NAME_AT_END = re.compile(r"\s*\([A-Z][A-Z0-9_]+\)\.?$")


def first_line(error: driver.Error, limit: int = 400) -> str:
    """The server's message on one line, without its stack trace and without the error's name at its end."""
    text = str(error.message or error).split("Stack trace:", 1)[0]
    text = _NAME_AT_END.sub("", " ".join(text.split()).removeprefix("DB::Exception: "))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def classify(error: BaseException, where: str) -> CounterpoiseError | None:
    """The error of our tree that `error` amounts to; None where it is a bug (or not ClickHouse's at all).

    `where` names the server for the message: `host:port/database`.
    """
    if isinstance(error, driver.Error) and error.code is not None:
        if error.code in RETRYABLE:
            name = RETRYABLE[error.code]
            return RetryableError(f"ClickHouse {where}: {first_line(error)} (code {error.code}, {name})")
        if error.code in CONFIGURATION:
            name, step = CONFIGURATION[error.code]
            return ConfigError(f"ClickHouse {where}: {first_line(error)} (code {error.code}, {name}); {step}")
        if _DISK_IS_FULL in str(error.message or ""):
            return RetryableError(f"ClickHouse {where}: {first_line(error)} (code {error.code}, the disk is full)")
        return None
    if isinstance(error, EOFError):
        return RetryableError(f"ClickHouse {where}: the server closed the connection")
    if isinstance(error, OSError):
        return RetryableError(f"ClickHouse {where}: {error or type(error).__name__}")
    return None


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise ClickHouse's errors as ours; what is a bug goes through as it is."""
    try:
        yield
    except (driver.Error, OSError, EOFError) as error:
        ours = classify(error, where)
        if ours is None:
            raise
        raise ours from error
