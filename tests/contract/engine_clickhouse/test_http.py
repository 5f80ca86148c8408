"""The HTTP interface: with plain requests, and with an unmodified clickhouse-connect."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import clickhouse_connect
import lz4.frame
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.contract.engine_clickhouse.conftest import PASSWORD, READER_PASSWORD, Server, secret_file
from tests.waiting import PATIENCE_SECONDS


class Answer(NamedTuple):
    status: int
    body: str
    headers: Mapping[str, str]

    @property
    def code(self) -> int:
        return int(self.headers["X-ClickHouse-Exception-Code"])


BASIC = {"Authorization": "Basic " + base64.b64encode(f"default:{PASSWORD}".encode()).decode()}


class Http:
    """Requests to one server, as `default` unless told otherwise."""

    def __init__(self, server: Server) -> None:
        self.port = server.http_port

    def __call__(
        self,
        body: bytes | str | Iterator[bytes] | None = None,
        *,
        method: str = "",
        path: str = "/",
        headers: Mapping[str, str] = BASIC,
        **parameters: Any,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        target = path + ("?" + urlencode(parameters) if parameters else "")
        data = body.encode() if isinstance(body, str) else body
        connection.request(method or ("GET" if body is None else "POST"), target, data, dict(headers))
        answer = connection.getresponse()
        read = Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
        connection.close()
        return read

    @contextmanager
    def open(
        self, sql: str, *, headers: Mapping[str, str] = BASIC, **parameters: Any
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to a statement, to be read in pieces."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        connection.request("POST", "/?" + urlencode(parameters), sql.encode(), dict(headers))
        try:
            yield connection.getresponse()
        finally:
            connection.close()

    def bytes(self, sql: str, *, headers: Mapping[str, str] = BASIC, **parameters: Any) -> bytes:
        """The answer to a statement as it came."""
        with self.open(sql, headers=headers, **parameters) as answer:
            return answer.read()


@pytest.fixture
def ask(server: Server) -> Http:
    return Http(server)


def test_play_leads_to_the_console_of_the_desk_where_one_runs(ask: Http, server: Server) -> None:
    assert (ask(path="/play").status, ask(path="/play").body[:26]) == (404, "There is no /play here: `c")
    for written, status in (
        ("http://127.0.0.1:8080", 307),
        ("https://desk.example:8443/risk", 307),
        ("javascript:alert(1)", 404),
        ("http://a/\r\nSet-Cookie: a=b", 404),
        ("", 404),
    ):
        secret_file(server.directory, "desk-address", written)
        answer = ask(path="/play", headers={})
        assert answer.status == status, written
        assert answer.headers.get("Location") == (f"{written}/sql" if status == 307 else None)
    (server.directory / "desk-address").unlink()


def test_ping_needs_no_password(ask: Http) -> None:
    assert ask(path="/ping", headers={})[:2] == (200, "Ok.\n")
    assert ask(headers={})[:2] == (200, "Ok.\n")
    assert ask(path="/nowhere").status == 404


@pytest.mark.parametrize(
    ("headers", "parameters"),
    [
        (BASIC, {}),
        ({"X-ClickHouse-User": "default", "X-ClickHouse-Key": PASSWORD}, {}),
        ({}, {"user": "default", "password": PASSWORD}),
        ({}, {"password": PASSWORD}),
        ({}, {"user": "reader", "password": READER_PASSWORD}),
    ],
)
def test_three_ways_to_say_who_one_is(ask: Http, headers: dict[str, str], parameters: dict[str, str]) -> None:
    assert ask("SELECT 1", headers=headers, **parameters)[:2] == (200, "1\n")


@pytest.mark.parametrize("headers", [{}, {"X-ClickHouse-Key": "wrong"}, {"Authorization": "Basic ZGVmYXVsdDp4"}])
def test_wrong_credentials(ask: Http, headers: dict[str, str]) -> None:
    answer = ask("SELECT 1", headers=headers)
    assert (answer.status, answer.code) == (403, 516)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "127.0.0.1:x"])
def test_a_host_that_is_not_ours_is_refused(ask: Http, host: str) -> None:
    answer = ask("SELECT 1", headers=BASIC | {"Host": host.format(port=ask.port)})
    assert answer.status == 403
    assert "X-ClickHouse-Exception-Code" not in answer.headers


def test_our_host_by_name_and_our_origin_pass(ask: Http) -> None:
    own = f"localhost:{ask.port}"
    assert ask("SELECT 1", headers=BASIC | {"Host": own, "Origin": f"http://{own}"}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1"])
def test_a_foreign_origin_is_refused(ask: Http, origin: str) -> None:
    assert ask("SELECT 1", headers=BASIC | {"Origin": origin.format(port=ask.port)}).status == 403


def test_get_only_reads(ask: Http) -> None:
    assert ask(query="SELECT 1 + 1")[:2] == (200, "2\n")
    for sql in ("CREATE DATABASE from_get", "INSERT INTO FUNCTION null('a UInt8') VALUES (1)", "SYSTEM FLUSH LOGS"):
        answer = ask(query=sql)
        assert (answer.status, answer.code) == (403, 164)
    assert ask(query="SELECT 1", method="PUT").status == 501


def test_the_reader_only_reads(ask: Http) -> None:
    headers = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}
    assert ask("SELECT 5", headers=headers).body == "5\n"
    assert ask("CREATE DATABASE theirs", headers=headers).code == 164
    assert ask("SELECT 1", headers=headers, max_threads=7).code == 164
    assert ask("SELECT file('/etc/passwd')", headers=headers).code == 164


def test_formats_parameters_and_settings(ask: Http) -> None:
    answer = ask(
        "SELECT {x:String} AS x, getSetting('max_threads') AS t FORMAT JSONCompact", param_x="a b", max_threads=3
    )
    assert json.loads(answer.body)["data"] == [["a b", 3]]
    assert answer.headers["X-ClickHouse-Format"] == "JSONCompact"
    assert ask("SELECT 1 AS a, 'x' AS b", default_format="CSVWithNames").body == '"a","b"\n1,"x"\n'
    assert ask("SELECT 1", no_such_setting=1).code == 115
    assert ask("SELECT", query="").code == 62
    assert ask("").code == 62
    assert ask("SELECT 1; SELECT 2").code == 62
    assert ask("SELECT * FROM nope").status == 404
    assert ask("1 AS b", query="SELECT 0 AS a,").body == "0\t1\n"
    assert json.loads(ask("SELECT number FROM numbers(7)").headers["X-ClickHouse-Summary"])["read_rows"] == "7"


def test_inserts_in_every_way(ask: Http, database: str) -> None:
    ask("CREATE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a", database=database)
    where: dict[str, Any] = {"database": database}
    insert = "INSERT INTO t FORMAT CSV"
    assert ask('INSERT INTO t FORMAT CSV\n1,"x"\n2,y\n', **where).status == 200
    assert ask(b'{"a": 3, "b": "z"}', query="INSERT INTO t FORMAT JSONEachRow", **where).status == 200
    assert ask("INSERT INTO t (b, a) VALUES ('v;(', 4), ('w', 5);", **where).status == 200
    assert ask("(6, 'six')", query="INSERT INTO t VALUES", **where).status == 200
    packed = b"".join(b"%d,g\n" % number for number in range(100, 50_100))
    assert ask(gzip.compress(packed), query=insert, headers=BASIC | {"Content-Encoding": "gzip"}, **where).status == 200
    assert (
        ask(lz4.frame.compress(b"7,l"), query=insert, headers=BASIC | {"Content-Encoding": "lz4"}, **where).status
        == 200
    )
    assert ask(iter([b"INSERT INTO t FORM", b"AT CSV\n8,c\n9", b",d\n"]), **where).status == 200
    answer = ask("INSERT INTO t SELECT a + 1, upper(b) FROM input('a UInt32, b String') FORMAT TSV\n9\tq\n", **where)
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "1"
    assert ask("SELECT count(), sum(a) FROM t WHERE a < 100", **where).body == "10\t55\n"
    assert ask("SELECT count() FROM t", **where).body == "50010\n"
    assert ask("1,x,too,many", query=insert, **where).status >= 400


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Encoding": "br"}, b"x", 415),
        ({"Content-Encoding": "gzip"}, b"not gzip", 400),
        ({"Content-Encoding": "lz4"}, b"not lz4!", 400),
        ({"Transfer-Encoding": "gzip"}, b"x", 501),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"x", 400),
    ],
)
def test_bodies_that_cannot_be_read(ask: Http, headers: dict[str, str], body: bytes, status: int) -> None:
    assert ask(body, headers=BASIC | headers).status == status


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(ask: Http) -> None:
    bomb = gzip.compress(bytes(70 << 20))
    assert ask(bomb, headers=BASIC | {"Content-Encoding": "gzip"}).status == 413


def test_sessions_keep_tables_between_requests(ask: Http) -> None:
    assert ask("CREATE TEMPORARY TABLE t (a UInt8) ENGINE = Memory", session_id="one").status == 200
    assert ask("SELECT count() FROM t", session_id="one").body == "0\n"
    assert ask("SELECT count() FROM t", session_id="other").code == 60
    assert ask("SELECT 1", session_id="third", session_check=1).code == 372
    assert ask("SELECT 1", session_id="one", session_timeout=100_000).code == 374
    reader = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}
    assert ask("SELECT count() FROM t", session_id="one", headers=reader).code == 60


@pytest.fixture
def connected(server: Server) -> Iterator[Any]:
    client = clickhouse_connect.get_client(host="127.0.0.1", port=server.http_port, password=PASSWORD)
    yield client
    client.close()


def test_clickhouse_connect_reads_and_writes(connected: Any, database: str) -> None:
    connected.database = database
    connected.command(
        "CREATE TABLE t (a UInt32, d DateTime64(3, 'UTC'), s LowCardinality(String), n Nullable(Float64),"
        " l Array(String)) ENGINE = MergeTree ORDER BY a"
    )
    rows = [
        (1, datetime(2024, 6, 1, tzinfo=UTC), "a", None, ["x"]),
        (2, datetime(2024, 6, 2, tzinfo=UTC), "b", 2.5, []),
    ]
    connected.insert("t", rows, column_names=["a", "d", "s", "n", "l"])
    got = connected.query("SELECT * FROM t WHERE a >= {least:UInt8} ORDER BY a", parameters={"least": 1})
    assert [(row[0], row[1].replace(tzinfo=UTC), *row[2:]) for row in got.result_rows] == rows
    assert connected.query_df("SELECT a FROM t ORDER BY a")["a"].tolist() == [1, 2]
    assert connected.query_arrow("SELECT a FROM t").num_rows == 2
    connected.insert("t", [(number, rows[0][1], "c", 0.5, []) for number in range(100_000)], column_names="*")
    assert connected.command("SELECT count() FROM t") == 100_002
    with pytest.raises(DatabaseError, match="code: 60"):
        connected.query("SELECT * FROM nope")


def test_clickhouse_connect_as_reader(server: Server) -> None:
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=server.http_port, username="reader", password=READER_PASSWORD
    )
    assert client.query("SELECT number FROM numbers(2)").result_rows == [(0,), (1,)]
    with pytest.raises(DatabaseError, match="code: 164"):
        client.command("CREATE DATABASE theirs")
    client.close()
