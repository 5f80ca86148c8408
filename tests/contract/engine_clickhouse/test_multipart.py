"""External tables over HTTP: files of a multipart body, as `default` and as a reader."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.external import ExternalData

from tests.contract.engine_clickhouse.conftest import PASSWORD, READER_PASSWORD, Server
from tests.contract.engine_clickhouse.test_http import BASIC, Answer, Http

READER = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}
USERS = [BASIC, READER]
BOUNDARY = "b0und"


def part(name: str, data: bytes, *, file: bool = True, more: str = "") -> bytes:
    filename = f'; filename="{name}.tsv"' if file else ""
    return f'Content-Disposition: form-data; name="{name}"{filename}\r\n{more}\r\n'.encode() + data


def body(*parts: bytes) -> bytes:
    return b"".join(f"--{BOUNDARY}\r\n".encode() + each + b"\r\n" for each in parts) + f"--{BOUNDARY}--\r\n".encode()


def send(server: Server, sent: bytes | Iterator[bytes], headers: dict[str, str] = BASIC, **parameters: Any) -> Answer:
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return Http(server)(sent, method="POST", headers={**headers, **kind}, **parameters)


@pytest.mark.parametrize("headers", USERS)
def test_files_are_tables(server: Server, headers: dict[str, str]) -> None:
    parquet = io.BytesIO()
    pq.write_table(pa.table({"k": [1, 2], "x": ["one", "two"]}), parquet)
    sent = body(
        part("ext", b"1\ta\n2\tb\n"),
        part("sums", b"2,20\n", more="Content-Type: text/csv\r\n"),
        part("p", parquet.getvalue()),
        part("sums_types", b"UInt8, Decimal(9, 2)", file=False),
        part("sums_format", b"CSV", file=False),
    )
    described = {"ext_structure": "k UInt8, s String", "p_structure": "k UInt8, x String", "p_format": "Parquet"}
    sql = "SELECT k, s, _2, x FROM ext JOIN sums ON k = _1 JOIN p USING (k) FORMAT TSV"
    answer = send(server, sent, headers, query=sql, **described)
    assert (answer.status, answer.body) == (200, "2\tb\t20\ttwo\n")
    assert Http(server)("SELECT * FROM ext", headers=headers).code == 60


@pytest.mark.parametrize("user", ["default", "reader"])
def test_clickhouse_connect(server: Server, tmp_path: Path, user: str) -> None:
    path = tmp_path / "movies.csv"
    path.write_text("Alien,1979\nBrazil,1985\n")
    password = PASSWORD if user == "default" else READER_PASSWORD
    client = clickhouse_connect.get_client(host="127.0.0.1", port=server.http_port, username=user, password=password)
    external = ExternalData(
        file_path=str(path), fmt="CSV", structure=["movie String", "year UInt16"], mime_type="text/csv"
    )
    external.add_file(file_name="seen.tsv", data=b"Brazil\n", fmt="TSV", types="String")
    for _ in range(2):  # in the one session of the client
        found = client.query(
            "SELECT movie, year FROM movies WHERE movie IN (SELECT _1 FROM seen) AND year > {y:UInt16}",
            parameters={"y": 1980},
            external_data=external,
        )
        assert found.result_rows == [("Brazil", 1985)]
    client.close()


def test_the_statement_may_be_a_field(server: Server) -> None:
    sent = body(
        part("query", b"SELECT {x:UInt8} + a FROM t", file=False), part("param_x", b"4", file=False), part("t", b"1\n")
    )
    assert send(server, sent, t_structure="a UInt8").body == "5\n"
    assert send(server, sent, READER, t_structure="a UInt8").body == "5\n"
    packed = gzip.compress(sent)
    assert send(server, packed, {**BASIC, "Content-Encoding": "gzip"}, t_structure="a UInt8").body == "5\n"
    twice = body(part("query", b"SELECT 1", file=False))
    assert send(server, twice, query="SELECT 2").status == 400
    assert send(server, body(part("user", b"default", file=False)), query="SELECT 2").status == 400
    assert (
        send(server, body(part("max_threads", b"1", file=False)), query="SELECT getSetting('max_threads')").body
        == "1\n"
    )
    assert send(server, body(part("no_such", b"1", file=False)), query="SELECT 1").code == 115


@pytest.mark.parametrize("headers", USERS)
@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, 36),
        ({"t_structure": "a UInt8 DEFAULT file('/etc/passwd')"}, 164),
        ({"t_structure": "a UInt8) ENGINE = File(CSV, '/etc/passwd') --"}, 164),
        ({"t_types": "UInt8, INDEX i a TYPE minmax"}, 62),
        ({"t_structure": "a UInt8, INDEX i a TYPE minmax"}, 164),
        ({"t_structure": "a UInt8", "t_format": "Values"}, 73),
        ({"t_structure": "a UInt8", "t_format": "Template"}, 73),
        ({"t_structure": "a UInt8", "t_format": "TSV SETTINGS readonly = 0"}, 73),
        ({"t_structure": "a NoSuchType"}, 50),
        ({"t_structure": "a UInt8", "u_structure": "a UInt8"}, 115),
    ],
)
def test_what_is_refused(server: Server, headers: dict[str, str], parameters: dict[str, str], code: int) -> None:
    answer = send(server, body(part("t", b"1\n")), headers, query="SELECT * FROM t", **parameters)
    assert answer.status >= 400
    assert answer.code == code


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"--b0und",
        b"--b0und\r\n\r\nx\r\n--b0und--",
        b"--b0und\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b0und--",
        b'--b0und\r\nContent-Disposition: form-data; name="t"; filename="t"\r\n\r\nx',
        b'--b0und more\r\nContent-Disposition: form-data; name="t"\r\n\r\nx\r\n--b0und--',
        b'--b0und\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--b0und--',
        body(part("t", b"1"), part("t", b"1")),
        body(part("t", b"MQ==", more="Content-Transfer-Encoding: base64\r\n")),
        body(*(part(f"t{number}", b"", file=False) for number in range(300))),
        body(*(part(f"t{number}", b"") for number in range(40))),
        body(part("t" * 20_000, b"")),
    ],
)
def test_bodies_that_are_not_well_formed(server: Server, sent: bytes) -> None:
    assert 400 <= send(server, sent, query="SELECT 1").status < 502
    assert Http(server)("SELECT 1").body == "1\n"


def test_a_body_in_any_pieces(server: Server) -> None:
    chance = random.Random(8)
    rows = b"".join(b"%d\r\n--b0un\r\n-\r\n" % number for number in range(2_000))
    whole = body(part("t", rows), part("n", b"7\n"))
    for _ in range(5):
        cuts = sorted(chance.sample(range(1, len(whole)), 40))
        pieces = iter([whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)])
        answer = send(
            server,
            pieces,
            READER,
            query="SELECT count() + any(a) FROM t, n",
            t_structure="s String",
            t_format="LineAsString",
            n_structure="a UInt8",
        )
        assert answer.body == "6007\n"


def test_the_size_of_a_readers_tables(server: Server) -> None:
    """The body of 64 KiB unpacks to more than a reader's tables may hold."""
    sent = gzip.compress(body(part("t", b"\0" * (257 << 20))), 1)
    answer = send(server, sent, {**READER, "Content-Encoding": "gzip"}, query="SELECT 1", t_structure="s String")
    assert answer.code == 117
    assert Http(server)("SELECT 1").body == "1\n"
