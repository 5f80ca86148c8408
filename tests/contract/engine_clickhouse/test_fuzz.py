"""Each protocol against bytes that nobody means: a connection may end, the server answers the next one."""

from __future__ import annotations

import base64
import random
import socket
from collections.abc import Callable

import pytest

from tests.contract.engine_clickhouse.conftest import PASSWORD, READER_PASSWORD, Server
from tests.contract.engine_clickhouse.test_http import Http
from tests.contract.engine_clickhouse.test_same_answer import greeting
from tests.waiting import PATIENCE_SECONDS

INFO = b"\x01" + b"\0\0\0" + bytes(8) + b"\x01" + b"\0" * 7 + b"\0" + b"\0" + b"\0" + b"\0\0\0"
BLOCK = b"\x01\0\x02\xff\xff\xff\xff\0"
Make = Callable[[random.Random, Server], bytes]


def text(value: bytes) -> bytes:
    size, out = len(value), b""
    while size > 127:
        out += bytes([size & 127 | 128])
        size >>= 7
    return out + bytes([size]) + value


SQL = (
    b"SELECT 1",
    b"SELECT number FROM numbers(3)",
    b"INSERT INTO FUNCTION null('a UInt8') VALUES",
    b"SELECT {x:UInt8}",
    b"",
)
TYPES = (
    b"UInt8",
    b"String",
    b"Array(Nullable(String))",
    b"LowCardinality(String)",
    b"Map(String, UInt8)",
    b"Tuple(a UInt8)",
    b"x",
)


def native(chance: random.Random, _server: Server) -> bytes:
    """Packets that are nearly right, then damaged."""
    sent = greeting(*chance.choice((("default", PASSWORD), ("reader", READER_PASSWORD))))
    for _ in range(chance.randrange(1, 4)):
        settings = text(b"max_threads") + b"\0" + text(b"1") if chance.random() < 0.3 else b""
        sent += b"\x01" + text(b"id") + INFO + settings + b"\0\0\x02" + chance.choice((b"\0", b"\x01"))
        sent += text(chance.choice(SQL)) + b"\0"
        if chance.random() < 0.5:
            rows = chance.choice((0, 1, 3))
            sent += b"\x02" + text(b"t") + BLOCK + bytes([1, rows]) + text(b"a") + text(chance.choice(TYPES)) + b"\0"
            sent += chance.randbytes(rows * chance.randrange(4))
        sent += b"\x02\0" + BLOCK + b"\0\0"
    return damaged(sent, chance)


def http(chance: random.Random, server: Server) -> bytes:
    user = base64.b64encode(f"reader:{READER_PASSWORD}".encode()).decode()
    body = chance.choice((*SQL, b"\xff", b"1\r\na\r\n0\r\n\r\n", chance.randbytes(40)))
    lines = [
        chance.choice(
            (
                "POST / HTTP/1.1",
                "GET /?query=SELECT+1 HTTP/1.1",
                "GET /ping HTTP/1.0",
                "PUT / HTTP/1.1",
                "POST /?decompress=1 HTTP/1.1",
            )
        ),
        f"Host: 127.0.0.1:{server.http_port}",
        f"Authorization: Basic {user}",
        chance.choice((f"Content-Length: {len(body)}", "Content-Length: 9", "Transfer-Encoding: chunked", "X: y")),
        chance.choice(
            (
                "Content-Encoding: gzip",
                "Content-Encoding: lz4",
                "Content-Encoding: zstd",
                "Expect: 100-continue",
                "X-Y: z",
            )
        ),
    ]
    return damaged("\r\n".join(lines).encode() + b"\r\n\r\n" + body, chance)


def damaged(sent: bytes, chance: random.Random) -> bytes:
    out = bytearray(sent)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(out))
        what = chance.randrange(3)
        if what == 0:
            out[at] = chance.randrange(256)
        elif what == 1:
            del out[at : at + chance.randrange(1, 9)]
        else:
            out[at:at] = chance.randbytes(chance.randrange(1, 9))
        if not out:
            out += b"x"
    return bytes(out)


def hurl(server: Server, port: int, make: Make, seed: int, count: int) -> None:
    chance = random.Random(seed)
    for number in range(count):
        sent = make(chance, server)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as sock:
            try:
                sock.sendall(sent)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1 << 16):
                    pass
            except ConnectionError:
                pass
            except TimeoutError:
                pytest.fail(f"no end of the answer to statement {number} of seed {seed}: {sent!r}")
    client = server.client()
    assert client.execute("SELECT 1") == [(1,)]
    client.disconnect()
    assert Http(server)("SELECT 1").body == "1\n"
    assert "inside the server" not in server.log, server.log[-2000:]


@pytest.mark.parametrize("protocol", ["native", "http"])
def test_seconds(server: Server, protocol: str) -> None:
    make, port = (native, server.port) if protocol == "native" else (http, server.http_port)
    hurl(server, port, make, seed=20261126, count=250)


@pytest.mark.soak
@pytest.mark.parametrize("protocol", ["native", "http"])
@pytest.mark.parametrize("seed", range(10))
def test_minutes(server: Server, protocol: str, seed: int) -> None:
    make, port = (native, server.port) if protocol == "native" else (http, server.http_port)
    hurl(server, port, make, seed, count=5000)
