"""One server for all clients, and what each client's program printed, once per client and user."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients import table
from tests.clients.programs import PROGRAMS, command_of, run_steps
from tests.waiting import wait_for

if TYPE_CHECKING:
    from tests.engines import ClickHouseServer

Steps = dict[str, dict[str, Any]]

DATABASE = "clients"
TEXT = "it's \\ a 'täst'"
COLUMNS = {
    "i8": "Int8",
    "u64": "UInt64",
    "f64": "Float64",
    "dec": "Decimal(18, 2)",
    "day": "Date",
    "dt": "DateTime64(3, 'UTC')",
    "e": "Enum8('a' = 1, 'b' = 2)",
    "a": "Array(UInt8)",
    "n": "Nullable(String)",
    "lc": "LowCardinality(String)",
    "u": "UUID",
    "m": "Map(String, UInt8)",
    "b": "Bool",
}
_ROW = (
    "-1, 18446744073709551615, 0.1, 1.25, '2026-01-02', '2026-01-02 03:04:05.678', 'b', [1, 2, 3], NULL, 'x', "
    "'61f0c404-5cb3-11e7-907b-a6006ad3dba0', map('k', 1), true"
)

_FOUND = pytest.StashKey[table.Found]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-clients-table", action="store_true", help="write the table of docs/clients.md")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FOUND] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note what each test of a step found."""
    report: Any = yield
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if report.when == "call" and {"client", "user", "step"} <= parameters.keys():
        of_user = item.config.stash[_FOUND].setdefault(parameters["client"], {}).setdefault(parameters["user"], {})
        refused = parameters["user"] == "reader" and parameters["step"] == "insert"
        of_user[parameters["step"]] = ("refused" if refused else "yes") if report.passed else "no"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    found = session.config.stash[_FOUND]
    if found and session.config.getoption("--write-clients-table", default=False):
        table.write(found)


@pytest.fixture(scope="session")
def typed_table(clickhouse: ClickHouseServer) -> str:
    """The database of the clients, with its table `typed` of one row."""
    from counterpoise.clickhouse.client import connect

    with connect(clickhouse.target, "default") as server:
        server.execute(f"CREATE DATABASE {DATABASE}")
        columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
        server.execute(f"CREATE TABLE {DATABASE}.typed ({columns}) ENGINE = MergeTree ORDER BY i8")
        server.execute(f"INSERT INTO {DATABASE}.typed SELECT {_ROW}")
    return f"{DATABASE}.typed"


@pytest.fixture(scope="session")
def steps_of(clickhouse: ClickHouseServer, typed_table: str) -> Callable[[str, str], Steps]:
    """Run a client's program as a user. The first call runs it, later ones return or raise the same."""
    made: dict[tuple[str, str], Steps | Exception] = {}

    def run(client: str, user: str) -> Steps:
        command = command_of(client)
        if isinstance(command, str):
            pytest.skip(command)
        if (client, user) not in made:
            try:
                made[client, user] = _run(clickhouse, typed_table, command, list(PROGRAMS).index(client), user)
            except Exception as error:
                made[client, user] = error  # each step has failed with it; nothing runs twice
        found = made[client, user]
        if isinstance(found, Exception):
            raise found
        return found

    return run


def _run(clickhouse: ClickHouseServer, typed_table: str, command: list[str], number: int, user: str) -> Steps:
    from counterpoise.clickhouse.client import connect

    target = clickhouse.target if user == "default" else clickhouse.reader_target
    mark = f"slow_{number}_{user}"
    inserted = f"{DATABASE}.inserted_{number}_{user}"
    with connect(clickhouse.target, "default") as server:
        server.execute(f"CREATE TABLE {inserted} (n Int32, s String) ENGINE = MergeTree ORDER BY n")

        def is_running() -> bool:
            sql = "SELECT count() FROM system.processes WHERE position(query, {mark:String}) AND NOT position(query, 'position')"
            return bool(server.query(sql, {"mark": mark})[0][0])

        environment = {
            "CLIENT_PORT": str(clickhouse.port),
            "CLIENT_HTTP_PORT": str(clickhouse.http_port),
            "CLIENT_USER": user,
            "CLIENT_PASSWORD": target.password.get_secret_value(),
            "CLIENT_DATABASE": DATABASE,
            "CLIENT_SELECT": f"SELECT * FROM {typed_table}",
            "CLIENT_TEXT": TEXT,
            "CLIENT_TABLE": inserted,
            "CLIENT_STREAM": "SELECT number, toString(number) AS text FROM numbers(1000000)",
            "CLIENT_WRONG": f"SELECT * FROM {DATABASE}.absent",
            "CLIENT_SLOW": f"SELECT sum(sipHash64(number)) AS {mark} FROM numbers(1000000000000)",
            "CLIENT_QUERY_ID": mark,
        }
        steps = run_steps(command, environment, lambda: wait_for(is_running, f"{mark} to run"))
        wait_for(lambda: not is_running(), f"{mark} to be gone from the server")
    return steps
