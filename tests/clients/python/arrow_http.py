"""polars and DuckDB, which read Arrow and Parquet that this program fetches over HTTP with the standard library alone.

Run as `python -m tests.clients.python.arrow_http polars` or `… duckdb`.
"""

from __future__ import annotations

import io
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from tests.clients.python import steps

Rows = list[tuple[object, ...]]


class HttpFailedError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Http:
    """Statements over HTTP."""

    def __init__(self, asked: steps.Asked) -> None:
        self._asked = asked

    def url(self, **parameters: str) -> str:
        given = {"database": self._asked.database, **parameters}
        return f"/?{urllib.parse.urlencode(given)}"

    @property
    def headers(self) -> dict[str, str]:
        return {"X-ClickHouse-User": self._asked.user, "X-ClickHouse-Key": self._asked.password}

    def __call__(self, sql: str, body: bytes = b"", **parameters: str) -> bytes:
        where = f"http://127.0.0.1:{self._asked.http_port}" + self.url(**({"query": sql} if body else {}), **parameters)
        request = urllib.request.Request(where, body or sql.encode(), self.headers)
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                data: bytes = answer.read()
                return data
        except urllib.error.HTTPError as error:
            code = int(error.headers.get("X-ClickHouse-Exception-Code", "-1"))
            raise HttpFailedError(code, error.read().decode()) from None


def polars_rows(arrow: bytes) -> Rows:
    import polars

    return [tuple(row) for row in polars.read_ipc_stream(io.BytesIO(arrow)).rows()]


def polars_parquet(parquet: bytes) -> tuple[int, int]:
    import polars

    frame = polars.read_parquet(io.BytesIO(parquet))
    return frame.height, int(frame["number"].sum())


def polars_written() -> bytes:
    import polars

    file = io.BytesIO()
    polars.DataFrame({"n": [1, 2, 3], "s": ["row 1", "row 2", "row 3"]}).write_parquet(file)
    return file.getvalue()


def duckdb_rows(arrow: bytes) -> Rows:
    import duckdb

    table = pa.ipc.open_stream(arrow).read_all()
    with duckdb.connect() as connection:
        connection.register("answer", table)
        return [tuple(row) for row in connection.sql("SELECT * FROM answer").fetchall()]


def duckdb_parquet(parquet: bytes) -> tuple[int, int]:
    import duckdb

    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "answer.parquet"
        file.write_bytes(parquet)
        (found,) = connection.sql(f"SELECT count(*), sum(number) FROM '{file}'").fetchall()
        return int(found[0]), int(found[1])


def duckdb_written() -> bytes:
    import duckdb

    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "rows.parquet"
        connection.sql(f"COPY (SELECT range::INTEGER AS n, 'row ' || range AS s FROM range(1, 4)) TO '{file}'")
        return file.read_bytes()


LIBRARIES: dict[str, tuple[Callable[[bytes], Rows], Callable[[bytes], tuple[int, int]], Callable[[], bytes]]] = {
    "polars": (polars_rows, polars_parquet, polars_written),
    "duckdb": (duckdb_rows, duckdb_parquet, duckdb_written),
}


def main() -> None:
    asked = steps.asked()
    http = Http(asked)
    rows, parquet, written = LIBRARIES[sys.argv[1]]

    def query(sql: str, **parameters: str) -> Rows:
        return rows(
            http(sql, b"", default_format="ArrowStream", output_format_arrow_string_as_string="1", **parameters)
        )

    def insert() -> object:
        http(f"INSERT INTO {asked.table} FORMAT Parquet", written())
        return query(f"SELECT n, s FROM {asked.table} ORDER BY n")

    def cancel() -> object:
        """A client that hangs up stops its query."""
        connection = HTTPConnection("127.0.0.1", asked.http_port)
        connection.request("POST", http.url(query_id=asked.query_id), asked.slow.encode(), http.headers)
        steps.running()
        with suppress(OSError):
            connection.close()
        return "stopped"

    steps.run(
        {
            "connect": lambda: query("SELECT version()")[0][0],
            "list": lambda: sorted(str(row[0]) for row in query("SHOW TABLES")),
            "describe": lambda: [row[:2] for row in query("DESCRIBE TABLE typed")],
            "select": lambda: query(asked.select)[0],
            "parameters": lambda: query("SELECT {n:Int32}, {s:String}", param_n="7", param_s=escaped(asked.text))[0],
            "insert": insert,
            "stream": lambda: parquet(http(asked.stream, default_format="Parquet")),
            "error": lambda: query(asked.wrong),
            "cancel": cancel,
        },
        lambda error: (error.code, str(error)) if isinstance(error, HttpFailedError) else (-1, repr(error)),
    )


def escaped(text: str) -> str:
    """A parameter's text as the HTTP interface reads it: like a field of TSV."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


if __name__ == "__main__":
    main()
