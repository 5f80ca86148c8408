"""Thousands of statements by a reader: they leak nothing, write nothing and connect nowhere, over every interface."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from desk.cli import main
from engines.clickhouse import reader_rules
from engines.clickhouse.reader_functions import AGGREGATES, FUNCTIONS, REFUSED
from tests.contract.engine_clickhouse.conftest import PASSWORD, READER_PASSWORD, Server
from tests.contract.engine_clickhouse.reader_corpus import Attempt, Trap, attempts
from tests.contract.engine_clickhouse.reader_tables_corpus import about_temporary, structures
from tests.contract.engine_clickhouse.test_http import Answer, Http
from tests.long import long

SEED = 20261126
NATIVE, HTTP_EACH, CLI, TEMPORARY_EACH, EXTERNAL_EACH = 1_900, 200, 24, 400, 100
"""Together over 3,000 statements. `make test-long` draws twice as many, and `make soak` further ones by the ten thousand."""
Ask = Callable[[str], tuple[int, str]]


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    trap = Trap(tmp_path / "trap")
    yield trap
    trap.close()


@pytest.fixture
def reaching(server: Server) -> tuple[list[str], list[str]]:
    """Every function and every table function of this engine that no list allows."""
    admin = server.client()
    functions = {row[0] for row in admin.execute("SELECT name FROM system.functions")} - FUNCTIONS - AGGREGATES
    tables = {row[0] for row in admin.execute("SELECT name FROM system.table_functions")} - reader_rules.TABLE_FUNCTIONS
    admin.disconnect()
    assert {"file", "dictGet", "aiGenerate"} <= functions
    assert {"url", "file", "executable", "remote", "s3", "python", "eval", "input"} <= tables
    return sorted(functions), sorted(tables)


def test_each_function_is_on_one_list(server: Server) -> None:
    """A newer engine brings functions: they are judged before readers get them."""
    admin = server.client()
    there = {row[0] for row in admin.execute("SELECT name FROM system.functions WHERE origin = 'System'")}
    refused = {name for names in REFUSED.values() for name in names}
    assert there - FUNCTIONS - AGGREGATES - refused == set()
    assert (FUNCTIONS | AGGREGATES | refused) - there == set()
    low = [{name.lower() for name in names} for names in (FUNCTIONS | AGGREGATES, refused)]
    assert low[0] & low[1] == set()
    combinators = {row[0] for row in admin.execute("SELECT name FROM system.aggregate_function_combinators")}
    assert combinators == set(reader_rules.COMBINATORS)
    for names, table in (
        (reader_rules.TABLE_FUNCTIONS, "table_functions"),
        (reader_rules.TABLE_ENGINES - {"ReplicatedMergeTree"}, "table_engines"),
        (reader_rules.SETTINGS, "settings"),
    ):
        assert names - {row[0] for row in admin.execute(f"SELECT name FROM system.{table}")} == set()
    admin.disconnect()


def over_native(server: Server) -> Iterator[Ask]:
    client = server.client(user="reader", password=READER_PASSWORD)

    def ask(sql: str) -> tuple[int, str]:
        try:
            rows = client.execute(sql, with_column_types=True)
        except ServerException as error:
            return error.code, str(error)
        return 0, repr(rows)

    yield ask
    client.disconnect()


def over_http(server: Server, method: str) -> Iterator[Ask]:
    http = Http(server)
    headers = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}

    def ask(sql: str) -> tuple[int, str]:
        answer = http(sql, headers=headers) if method == "POST" else http(query=sql, headers=headers)
        return (0 if answer.status == 200 else answer.code), answer.body

    yield ask


def check(ask: Ask, trap: Trap, made: Iterator[Attempt]) -> Counter[int]:
    codes: Counter[int] = Counter()
    for attempt in made:
        code, answer = ask(attempt.sql)
        assert not trap.leaked(answer), attempt.sql
        assert PASSWORD not in answer, attempt.sql
        assert attempt.reaches is None or attempt.reaches == (code != 0), (attempt.sql, answer[:500])
        codes[code] += 1
    return codes


def everything(server: Server) -> list[str]:
    """What there is on the disk and in the engine."""
    admin = server.client()
    names = [repr(row) for row in admin.execute("SELECT database, name FROM system.tables ORDER BY ALL")]
    names += [repr(row) for row in admin.execute("SELECT name FROM system.databases ORDER BY ALL")]
    names += [repr(row) for row in admin.execute("SELECT name FROM system.user_defined_functions ORDER BY ALL")]
    admin.disconnect()
    return names + sorted(str(path) for path in server.directory.rglob("*"))


@pytest.fixture
def undisturbed(server: Server, trap: Trap, database: str) -> Iterator[None]:
    """Nothing was written and nobody was called, however the test ended."""
    before = everything(server)
    yield
    assert trap.hits == []
    assert trap.written() == []
    assert everything(server) == before


def test_the_trap_works(server: Server, trap: Trap) -> None:
    """For `default` it leaks, is written to and is called: a corpus that finds nothing has looked."""
    admin = server.client()
    assert trap.leaked(repr(admin.execute(f"SELECT file('{trap.secret}')")))
    with suppress(ServerException):
        admin.execute(
            f"SELECT * FROM url('http://127.0.0.1:{trap.port}/', 'CSV', 'a String') SETTINGS http_max_tries = 1"
        )
    assert trap.hits
    admin.execute(f"INSERT INTO FUNCTION file('{trap.folder}/out/x', 'CSV', 'a String') SELECT 'x'")
    assert trap.written()
    admin.disconnect()


# Long: twice as many. Each function and table function that reaches outside is among the first in each call's shape.
@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("times", [1, *long(2)])
def test_native(server: Server, trap: Trap, reaching: tuple[list[str], list[str]], times: int) -> None:
    count = times * NATIVE
    for ask in over_native(server):
        codes = check(ask, trap, attempts(trap, *reaching, seed=SEED, count=count))
    assert sum(codes.values()) == count
    assert codes[164] > count / 2  # and not mere syntax errors
    assert codes[62] < count / 3


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("times", [1, *long(2)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_http(server: Server, trap: Trap, reaching: tuple[list[str], list[str]], method: str, times: int) -> None:
    count = times * HTTP_EACH
    for ask in over_http(server, method):
        made = list(attempts(trap, *reaching, seed=SEED + len(method), count=2_400))
        codes = check(ask, trap, iter(made[:: 2_400 // count]))
    assert codes[164] > count / 2


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("times", [1, *long(2)])
def test_temporary_tables(server: Server, trap: Trap, reaching: tuple[list[str], list[str]], times: int) -> None:
    """All of it is refused, and what the reader's own tables hold afterwards is what it put there."""
    http = Http(server)
    reader = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}

    def ask(sql: str) -> Answer:
        return http(sql, headers=reader, session_id=trap.canary)

    assert ask("CREATE TEMPORARY TABLE mine (a String)").status == 200
    assert ask("INSERT INTO mine VALUES ('x')").status == 200
    codes: Counter[int] = Counter()
    for sql in about_temporary(trap, *reaching, seed=SEED, count=times * TEMPORARY_EACH):
        answer = ask(sql)
        assert answer.status != 200, sql
        assert not trap.leaked(answer.body), sql
        codes[answer.code] += 1
    assert codes[164] > times * TEMPORARY_EACH / 2
    assert ask("SHOW TEMPORARY TABLES").body == "mine\n"
    assert ask("SELECT * FROM mine").body == "x\n"


@pytest.mark.usefixtures("undisturbed")
def test_external_tables(server: Server, trap: Trap, reaching: tuple[list[str], list[str]]) -> None:
    http = Http(server)
    reader = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}
    bound = "multipart/form-data; boundary=b"
    sent = b'--b\r\nContent-Disposition: form-data; name="ext"; filename="ext"\r\n\r\nx\n\r\n--b--\r\n'

    def ask(**described: str) -> Answer:
        return http(sent, headers={**reader, "Content-Type": bound}, query="SELECT * FROM ext", **described)

    assert ask(ext_structure="a String").body == "x\n"
    for structure in structures(trap, reaching[0], seed=SEED, count=EXTERNAL_EACH):
        answer = ask(ext_structure=structure)
        assert answer.status != 200, structure
        assert not trap.leaked(answer.body), structure
        types = structure.partition(" ")[2]
        answer = ask(ext_types=types)
        assert answer.status != 200, types
        assert not trap.leaked(answer.body), types
    admin = server.client()
    formats = {row[0] for row in admin.execute("SELECT name FROM system.formats WHERE is_input")}
    admin.disconnect()
    assert "Values" in formats - reader_rules.DATA_FORMATS
    for name in sorted(formats - reader_rules.DATA_FORMATS):
        assert ask(ext_structure="a String", ext_format=name).code == 73, name


@pytest.mark.parametrize("user", ["reader", "default"])
def test_counterpoise_sql(
    server: Server,
    trap: Trap,
    reaching: tuple[list[str], list[str]],
    *,
    user: str,
    database: str,
    undisturbed: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Also as `default`, whose statements `counterpoise sql` sends with the setting readonly."""
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__HOST", "127.0.0.1")
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PORT", str(server.port))
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__USER", user)
    password = "password" if user == "default" else "reader-password"
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE", str(server.directory / password))
    monkeypatch.setenv("COUNTERPOISE_DATASET", database)

    def ask(sql: str) -> tuple[int, str]:
        code = main(["sql", sql])
        captured = capfd.readouterr()
        return code, captured.out + captured.err

    made = list(attempts(trap, *reaching, seed=SEED, count=NATIVE))
    chosen = [attempt for attempt in made[:: NATIVE // CLI] if "\0" not in attempt.sql]
    codes = check(ask, trap, iter(chosen))
    assert set(codes) <= {0, 2}
    assert codes[2] > CLI / 2


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_many_more(
    server: Server, trap: Trap, reaching: tuple[list[str], list[str]], undisturbed: None, seed: int
) -> None:
    for ask in over_native(server):
        check(ask, trap, attempts(trap, *reaching, seed=seed, count=20_000))


def test_the_default_user_by_get(server: Server, trap: Trap) -> None:
    """A GET of `default` reads like a reader: it must be safe to follow."""
    http = Http(server)
    for sql in (
        f"SELECT file('{trap.secret}')",
        f"SELECT 1 /* /* */ FORMAT /* /* */ TSV SETTINGS */ , file('{trap.secret}') -- */",
        "SELECT 1 /* /* */ FORMAT CSV */ */; CREATE DATABASE hidden",
        f"SELECT 1 INTO OUTFILE '{trap.folder}/out/x'",
    ):
        answer = http(query=sql)
        assert answer.status >= 400 or answer.body == "1\n", sql
        assert not trap.leaked(answer.body)
    assert trap.written() == []


def test_tables_of_other_engines_are_not_for_readers(server: Server, trap: Trap, database: str) -> None:
    """A table, a view on it, a dictionary and a function of `default` reach outside; a reader does not through them."""
    admin = server.client(database=database)
    admin.execute("CREATE TABLE plain (a String) ENGINE = MergeTree ORDER BY a")
    admin.execute(f"CREATE TABLE page (a String) ENGINE = URL('http://127.0.0.1:{trap.port}/', 'CSV')")
    admin.execute("CREATE VIEW over_page AS SELECT a FROM page")
    admin.execute("CREATE VIEW twice_over AS SELECT * FROM over_page")
    lent = f"SELECT * FROM url('http://127.0.0.1:{trap.port}/', 'CSV', 'a String')"
    admin.execute(f"CREATE VIEW lent DEFINER = default SQL SECURITY DEFINER AS {lent}")
    admin.execute(f"CREATE VIEW own_rights AS {lent}")
    admin.execute("CREATE VIEW over_plain AS SELECT * FROM plain")
    admin.execute("CREATE VIEW least AS SELECT number FROM numbers(10) WHERE number >= {x:UInt8}")
    admin.execute("CREATE FUNCTION corpus_reads AS x -> file(x)")
    admin.execute(
        "CREATE DICTIONARY dict (id UInt64, name String) PRIMARY KEY id"
        f" SOURCE(HTTP(url 'http://127.0.0.1:{trap.port}/' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)"
    )
    trap.hits.clear()
    reader: Client = server.client(user="reader", password=READER_PASSWORD, database=database)
    try:
        for sql in (
            "SELECT * FROM page",
            "SELECT * FROM over_page",
            "SELECT * FROM twice_over",
            "SELECT * FROM lent",
            "SELECT 1 IN page",
            f"SELECT 1 IN {database}.page",
            "SELECT * FROM dict",
            "SELECT * FROM plain JOIN dict ON toString(dict.id) = plain.a",
            "SELECT dictGet('dict', 'name', 1)",
            "SELECT * FROM merge('.*')",
            f"SELECT corpus_reads('{trap.secret}')",
            f"SELECT arrayMap(corpus_reads, ['{trap.secret}'])",
            "DESCRIBE page",
        ):
            with pytest.raises(ServerException) as caught:
                reader.execute(sql)
            assert caught.value.code == 164, sql
        with pytest.raises(ServerException) as caught:  # by the engine's own rights of a reader
            reader.execute("SELECT * FROM own_rights")
        assert caught.value.code == 497
        assert trap.hits == []
        assert reader.execute("SELECT * FROM over_plain") == []
        assert reader.execute("SELECT * FROM least(x = 8)") == [(8,), (9,)]
    finally:
        reader.disconnect()
        admin.execute("DROP FUNCTION corpus_reads")
        admin.disconnect()
