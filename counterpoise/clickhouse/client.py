"""The one way to ClickHouse: query, insert columns, run a statement. One object a thread."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from counterpoise.clickhouse.array_client import ArrayClient
from counterpoise.clickhouse.cluster import CONSISTENT, cluster_name
from counterpoise.clickhouse.columns import Column, array_dtype
from counterpoise.clickhouse.error_codes import translated
from counterpoise.clickhouse.sent_table import BLOCK_ROWS, SentTable
from counterpoise.settings.endpoints import ClickHouseTarget
from counterpoise.urls import is_local

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from counterpoise.lazy_numpy import np

_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Found = TypeVar("Found")

Params = Mapping[str, Any] | None
Names = list[tuple[str, str]]
"""(name, ClickHouse type) of each column of a result."""


class ClickHouse:
    """A connection to one database. It connects at the first call, and again at the next call after a failure: to the first of the
    target's servers that answers.

    Parameters stand in the SQL as `{name:Type}` and travel beside it, so that a value is never part of the statement. Not safe to
    share between threads. Raises RetryableError (network, timeout, overload), ConfigError (authentication, missing database or
    table); any other error of the server (`clickhouse_driver.errors.Error`) is a bug in the statement.

    Blocks are compressed with LZ4 on the way unless the server is on this machine, where it costs more than it saves.
    """

    def __init__(
        self,
        target: ClickHouseTarget,
        database: str,
        *,
        settings: Mapping[str, Any] | None = None,
        compression: bool | None = None,
    ) -> None:
        self._types: dict[str, dict[str, str]] = {}
        self._make_other = partial(ClickHouse, target, database, settings=settings, compression=compression)
        self._others: list[ClickHouse] = []
        self.target = target
        self.database = database
        local = all(is_local(host) for host, _ in target.addresses)
        self._client = ArrayClient(
            target.host,
            port=target.port,
            others=target.others,
            database=database,
            user=target.user,
            password=target.password.get_secret_value(),
            tls=target.tls,
            client_name="counterpoise",
            connect_timeout=target.connect_timeout_seconds,
            send_receive_timeout=target.query_timeout_seconds,
            sync_request_timeout=target.connect_timeout_seconds,
            compression="lz4" if (not local if compression is None else compression) else False,
            settings={**(settings or {}), "server_side_params": True, "namedtuple_as_json": False},
        )

    @property
    def server(self) -> str:
        """`host:port` of the server that answers; all addresses of the target without a connection."""
        return self._client.connection.address or self.target.where

    @property
    def where(self) -> str:
        """Server and database, for messages."""
        return f"{self.server}/{self.database or 'default'}"

    def __enter__(self) -> ClickHouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream(
        self,
        sql: str,
        params: Params = None,
        *,
        settings: Mapping[str, Any] | None = None,
        arrays: bool = False,
        query_id: str | None = None,
        tables: Sequence[SentTable] = (),
    ) -> Iterator[tuple[Names, list[Any]]]:
        """Blocks of a result as (names with types, columns); the first block has names only. Leaving early ends the query.

        Another connection of the same user ends it with `KILL QUERY WHERE query_id = …`, if `query_id` is given. The query reads
        `tables` by their names.
        """
        with translated(self.where):
            yield from self._client.blocks(sql, params or {}, settings, arrays=arrays, query_id=query_id, tables=tables)

    def query(
        self, sql: str, params: Params = None, *, settings: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows, as Python values: FixedString as bytes, DateTime64 as aware datetimes, Enum as its name,
        Tuple as a tuple, a String as str unless it is not UTF-8: then as bytes."""
        rows: list[tuple[Any, ...]] = []
        for _, columns in self.stream(sql, params, settings=settings):
            if columns:
                rows.extend(zip(*columns, strict=True))
        return rows

    def begin_query(self, sql: str, params: Params = None) -> Generator[None, None, list[tuple[Any, ...]]]:
        """`query` in two steps: the first one sends it, so that the server works while the thread asks for more elsewhere
        (`beside`)."""
        rows: list[tuple[Any, ...]] = []
        with translated(self.where):
            for heads, columns in self._client.blocks(sql, params or {}, None, arrays=False, pauses=True):
                if columns:
                    rows.extend(zip(*columns, strict=True))
                elif not heads:
                    yield
        return rows

    def query_columns(
        self, sql: str, params: Params = None, *, settings: Mapping[str, Any] | None = None
    ) -> dict[str, npt.NDArray[Any] | list[Any]]:
        """The result by column: numbers, Bool and DateTime64 as arrays (datetime64[ms] for scale 3), anything else as a list.

        A result without rows has its columns too, empty.
        """
        names: Names = []
        parts: list[list[Any]] = []
        for heads, columns in self.stream(sql, params, settings=settings, arrays=True):
            names = names or heads
            if columns:
                parts.append(columns)
        return {name: _joined(spec, [part[at] for part in parts]) for at, (name, spec) in enumerate(names)}

    def insert(self, table: str, columns: Mapping[str, Column]) -> int:
        """Insert one block of columns of equal length; the number of rows. No rows: nothing is sent.

        The server writes one block (up to a million rows) as a whole or not at all. A RetryableError leaves open whether it did:
        insert the same rows again, the tables keep one of them.
        """
        return finish(self.begin_insert(table, columns))

    def begin_insert(self, table: str, columns: Mapping[str, Column]) -> Generator[None, None, int]:
        """`insert` in steps, for one thread that has several on as many connections (`inserts_beside`): each step but the last
        ends where the server is to answer."""
        if not _TABLE.fullmatch(table):
            raise ValueError(f"not a table name: {table!r}")
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) != 1 or not all(_COLUMN.fullmatch(name) for name in columns):
            raise ValueError(f"columns of {table} need plain names and equal lengths: {lengths}")
        if not next(iter(lengths.values())):
            return 0
        with translated(self.where):
            return (yield from self._client.insert_columns(table, columns))

    def insert_if(self, table: str, columns: Mapping[str, Column], condition: str, params: Params = None) -> bool:
        """`insert`, if `condition` holds on the server once all rows have arrived there; otherwise nothing is written.

        Whether the server says that it wrote rows; one that says nothing about it may have done so.

        A process that sleeps on its way to an INSERT wakes to its decision of before. Here the server decides, with the rows in
        its hands: what happens between its decision and its write takes as long as one statement.
        """
        rows = len(next(iter(columns.values())))
        if rows > BLOCK_ROWS:
            raise ValueError(f"{rows} rows are more than {BLOCK_ROWS} at once")
        if not rows:
            return False
        types = self._types.pop(table, None) or dict(
            self.query(
                "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}",
                {"table": table},
            )
        )
        sent = SentTable(
            "arriving", tuple((name, types[name]) for name in columns), rows, lambda at: list(columns.values())
        )
        names = ", ".join(columns)
        sql = f"INSERT INTO {table} ({names}) SELECT {names} FROM arriving WHERE {condition}"  # noqa: S608
        for _ in self.stream(sql, params, tables=(sent,)):
            pass
        self._types[table] = types  # for the next call; after any error they are asked for again
        progress = self._client.last_query.progress
        return progress is not None and progress.written_rows > 0

    def execute(self, sql: str, params: Params = None, *, settings: Mapping[str, Any] | None = None) -> None:
        """Run a statement whose result nobody needs (DDL, INSERT … SELECT)."""
        for _ in self.stream(sql, params, settings=settings):
            pass

    def beside(self, number: int) -> ClickHouse:
        """A further connection like this one, for the same thread; 0 is this one. It is closed with it."""
        while len(self._others) < number:
            self._others.append(self._make_other())
        return self._others[number - 1] if number else self

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._client.disconnect()
        for other in self._others:
            other.close()


def finish(steps: Generator[None, None, Found]) -> Found:
    """What the steps return once all are done."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found


def _joined(spec: str, parts: list[Any]) -> npt.NDArray[Any] | list[Any]:
    dtype = array_dtype(spec)
    if dtype is not None:
        return np.concatenate(parts) if parts else np.empty(0, dtype)
    return [item for part in parts for item in part]


def connect(
    target: ClickHouseTarget,
    database: str,
    *,
    settings: Mapping[str, Any] | None = None,
    compression: bool | None = None,
) -> ClickHouse:
    """A client of `database` on `target`; opens no connection yet. `settings` go with every query."""
    return ClickHouse(target, database, settings=settings, compression=compression)


def connect_consistent(target: ClickHouseTarget, database: str) -> ClickHouse:
    """A client for a service: on a cluster it reads every acknowledged write, whichever server answers."""
    return connect(target, database, settings=CONSISTENT if cluster_name(target.cluster) else None)
