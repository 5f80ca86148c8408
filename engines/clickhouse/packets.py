"""The packets of the native protocol up to revision 54460, each read or written in one place.

Source: ClickHouse's src/Core/ProtocolDefines.h and src/Client/Connection.cpp. A client's revision decides which fields a
packet has; clients older than 54401 (2018) are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from engines.clickhouse.engine_session import Setting
from engines.clickhouse.exceptions import ProtocolError, ServerError
from engines.clickhouse.native_blocks import BLOCK_INFO, header
from engines.clickhouse.wire import ByteReader, string, varint

REVISION: Final = 54460  # the newest: server-side parameters; later ones add fields that nobody here needs
OLDEST_REVISION: Final = 54429  # settings as strings
DISPLAY_NAME: Final = "counterpoise"

CLIENT_HELLO, CLIENT_QUERY, CLIENT_DATA, CLIENT_CANCEL, CLIENT_PING = range(5)
_HELLO, _DATA, _EXCEPTION, _PROGRESS, _PONG, _END, _PROFILE = range(7)
_PROFILE_EVENTS: Final = 14

_OPENTELEMETRY, _SECRET, _DEPTH, _START_TIME = 54442, 54441, 54448, 54449
_PARALLEL_REPLICAS, KIND_BYTES, EVENTS_IN_INSERT = 54453, 54454, 54456
ADDENDUM, _PARAMETERS, _QUERY_TIME = 54458, 54459, 54460

PONG: Final = varint(_PONG)
END_OF_STREAM: Final = varint(_END)
DATA_HEAD: Final = varint(_DATA) + b"\0"  # no external table's name
TOTALS_HEAD: Final = varint(7) + b"\0"
EXTREMES_HEAD: Final = varint(8) + b"\0"

_EVENT_COLUMNS: Final = (
    ("host_name", "String"),
    ("current_time", "DateTime"),
    ("thread_id", "UInt64"),
    ("type", "Int8"),
    ("name", "String"),
    ("value", "UInt64"),
)


class Hello(NamedTuple):
    client: str
    revision: int
    database: str
    user: str
    password: bytes


class Query(NamedTuple):
    query_id: str
    settings: dict[str, Setting]
    compressed: bool
    sql: str
    parameters: dict[str, str]


def read_hello(reader: ByteReader) -> Hello:
    """The client's first packet, its type already read."""
    client = reader.text(1 << 10)
    reader.varint()
    reader.varint()
    revision = reader.varint()
    if revision < OLDEST_REVISION:
        raise ProtocolError(99, f"The client's protocol revision {revision} is older than {OLDEST_REVISION}.")
    return Hello(client, revision, reader.text(1 << 10), reader.text(1 << 10), reader.string(1 << 12))


def hello(version: tuple[int, ...], timezone: str) -> bytes:
    return b"".join(
        (
            varint(_HELLO),
            string("ClickHouse"),
            varint(version[0]),
            varint(version[1]),
            varint(REVISION),
            string(timezone),
            string(DISPLAY_NAME),
            varint(version[2]),
        )
    )


def read_query(reader: ByteReader, revision: int, max_sql_bytes: int) -> Query:
    """A Query packet, its type already read. The client's own name and host are skipped."""
    query_id = reader.text(1 << 10)
    _skip_client_info(reader, revision)
    settings = _read_settings(reader)
    if revision >= _SECRET:
        reader.string()
    reader.varint()  # the stage: always the complete query
    compressed = reader.varint() != 0
    sql = reader.text(max_sql_bytes)
    parameters = (
        {name: setting.value for name, setting in _read_settings(reader).items()} if revision >= _PARAMETERS else {}
    )
    return Query(query_id, settings, compressed, sql, parameters)


def _skip_client_info(reader: ByteReader, revision: int) -> None:
    if not reader.byte():
        return
    for _ in range(3):  # initial user, query id and address
        reader.string()
    if revision >= _START_TIME:
        reader.skip(8)
    if reader.byte() != 1:
        raise ProtocolError(99, "The client's interface is not TCP.")
    for _ in range(3):  # os user, host, client name
        reader.string()
    for _ in range(3):  # client version and revision
        reader.varint()
    reader.string()  # quota key
    if revision >= _DEPTH:
        reader.varint()
    reader.varint()  # version patch
    if revision >= _OPENTELEMETRY and reader.byte():
        reader.skip(24)
        reader.string()
        reader.skip(1)
    if revision >= _PARALLEL_REPLICAS:
        for _ in range(3):
            reader.varint()


def _read_settings(reader: ByteReader) -> dict[str, Setting]:
    settings = {}
    while name := reader.text():
        flags = reader.varint()
        settings[name] = Setting(reader.text(1 << 24), important=bool(flags & 1))
        if len(settings) > 10_000:
            raise ProtocolError(117, "More than 10000 settings in one query.")
    return settings


def exception(error: ServerError) -> bytes:
    return b"".join(
        (
            varint(_EXCEPTION),
            struct.pack("<i", error.code),
            string("DB::Exception"),
            string(error.wire_text),
            string(""),  # no stack trace
            b"\0",  # nothing nested
        )
    )


def progress(delta: Mapping[str, int], revision: int) -> bytes:
    """What was read and written since the last such packet; keys as chDB names them, absent ones are 0."""
    names = ["read_rows", "read_bytes", "total_rows_to_read", "written_rows", "written_bytes"]
    if revision >= _QUERY_TIME:
        names.append("elapsed_ns")
    return varint(_PROGRESS) + b"".join(varint(max(0, delta.get(name, 0))) for name in names)


def profile(rows: int, blocks: int, size_bytes: int) -> bytes:
    """Totals of a result; whether a LIMIT cut it is not known to this server."""
    return varint(_PROFILE) + varint(rows) + varint(blocks) + varint(size_bytes) + b"\0" + varint(0) + b"\0"


def no_profile_events(revision: int) -> bytes:
    """An empty ProfileEvents packet, which a client expects after each block that it inserts (never compressed)."""
    if revision < EVENTS_IN_INSERT:
        return b""
    return varint(_PROFILE_EVENTS) + b"\0" + BLOCK_INFO + header(_EVENT_COLUMNS, kind_bytes=True)
