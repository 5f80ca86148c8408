"""FORMAT Native over HTTP in the form of the client's revision (`client_protocol_version`)."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode

import clickhouse_connect
import pytest

from engines.clickhouse import compression, native_blocks
from engines.clickhouse.wire import ByteReader
from tests.contract.engine_clickhouse.conftest import PASSWORD, READER_PASSWORD, Server
from tests.waiting import PATIENCE_SECONDS

ACCOUNTS = [("default", PASSWORD), ("reader", READER_PASSWORD)]
STATEMENTS = {
    "rows": "SELECT 1::UInt8 AS a, 'x' AS b, [1, 2] AS c",
    "no rows": "SELECT 1 AS a WHERE 0",
    "many blocks": "SELECT number, toString(number) AS s FROM numbers(300000)",
    "a low cardinality": "SELECT toLowCardinality(toString(number % 3)) AS l FROM numbers(10)",
    "nullable and map": "SELECT CAST(NULL AS Nullable(String)) AS n, map('k', 1) AS m, (1, 'a') AS t",
    "a zone": "SELECT toDateTime(0, 'Asia/Tokyo') AS z, toDateTime(0) AS d, toDateTime64(0, 3, 'UTC') AS e",
    "answered whole": "DESCRIBE TABLE system.one",
}


def ask(server: Server, user: tuple[str, str], sql: str, **parameters: object) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=PATIENCE_SECONDS)
    headers = {"X-ClickHouse-User": user[0], "X-ClickHouse-Key": user[1]}
    target = "/?" + urlencode({"default_format": "Native", **parameters})
    connection.request("POST", target, sql.encode(), headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    return body


def plain(data: bytes, *, info: bool, kind_bytes: bool) -> tuple[bytes, list[list[bytes]]]:
    """`data` without what the revision adds, and the types of each block."""
    reader = ByteReader(data=data, limit_bytes=len(data))
    out, types = b"", []
    while reader.buffered():
        if info:
            assert reader.read(len(native_blocks.BLOCK_INFO)) == native_blocks.BLOCK_INFO
            reader.compact()
        block = native_blocks.walk(reader, kind_bytes=kind_bytes)
        out += native_blocks.to_native(reader, 0, block, kind_bytes=kind_bytes)
        types.append([head.type for head in block.columns])
        reader.compact()
    return out, types


@pytest.mark.parametrize("user", ACCOUNTS, ids=lambda user: user[0])
@pytest.mark.parametrize("sql", STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize(("revision", "kind_bytes"), [(54336, False), (54405, False), (54454, True), (54483, True)])
def test_a_revision_adds_the_info_and_the_kind_bytes_only(
    server: Server, user: tuple[str, str], sql: str, revision: int, kind_bytes: bool
) -> None:
    without = ask(server, user, sql)
    found = ask(server, user, sql, client_protocol_version=revision)
    assert (found != without) == bool(without)
    same, _ = plain(found, info=True, kind_bytes=kind_bytes)
    if b"Asia/Tokyo" in found:
        zoned = b"\x16DateTime('Asia/Tokyo')"
        assert zoned in same
        same = same.replace(zoned, b"\x08DateTime")
        # A DateTime without a zone of its own is written as it was.
    assert same == without


@pytest.mark.parametrize(("revision", "has_zone"), [(0, False), (54336, False), (54337, True), (54483, True)])
def test_a_zone_is_named_from_its_revision_on(server: Server, revision: int, has_zone: bool) -> None:
    found = ask(server, ACCOUNTS[0], STATEMENTS["a zone"], client_protocol_version=revision)
    _, types = plain(found, info=revision > 0, kind_bytes=revision >= 54454)
    assert types == [[b"DateTime('Asia/Tokyo')" if has_zone else b"DateTime", b"DateTime", b"DateTime64(3, 'UTC')"]]


@pytest.mark.parametrize("version", ["", "x", "-1", "1" * 400, "٣"])
def test_a_version_that_is_no_number_is_none(server: Server, version: str) -> None:
    assert ask(server, ACCOUNTS[0], "SELECT 1", client_protocol_version=version) == ask(server, ACCOUNTS[0], "SELECT 1")


@pytest.mark.parametrize("user", ACCOUNTS, ids=lambda user: user[0])
def test_clickhouse_connect_reads_the_zone(server: Server, user: tuple[str, str]) -> None:
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=server.http_port, username=user[0], password=user[1], autogenerate_session_id=False
    )
    try:
        rows = client.query("SELECT toDateTime('2026-01-02 09:00:00', 'Asia/Tokyo')").result_rows
        assert [str(moment) for (moment,) in rows] == ["2026-01-02 09:00:00+09:00"]
    finally:
        client.close()


@pytest.mark.parametrize("user", ACCOUNTS, ids=lambda user: user[0])
def test_the_display_name_is_not_the_machines(server: Server, user: tuple[str, str]) -> None:
    """clickhouse-go begins an HTTP connection with it, as a reader too."""
    assert ask(server, user, "SELECT displayName()", default_format="TSV") == b"counterpoise\n"


@pytest.mark.parametrize("method", ["LZ4", "ZSTD"])
@pytest.mark.parametrize("user", ACCOUNTS, ids=lambda user: user[0])
def test_a_client_names_its_compression(server: Server, user: tuple[str, str], method: str) -> None:
    """clickhouse-go sends it with each query, as a reader too. A frame states its own method."""
    packed = ask(server, user, "SELECT 1", compress=1, network_compression_method=method)
    assert b"".join(compression.unpack(iter((packed,)))) == ask(server, user, "SELECT 1")
