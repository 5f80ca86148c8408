"""What runs in a session of the engine: a SELECT, block by block, and an INSERT, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping

from engines.clickhouse.engine import EngineConnection, Result
from engines.clickhouse.exceptions import ServerError, from_engine


def refuse_bytes(sql: str, parameters: Mapping[str, str]) -> None:
    """Raise 117 for text that stands for bytes which are not UTF-8."""
    try:
        for text in (sql, *parameters, *parameters.values()):
            text.encode()
    except UnicodeEncodeError:
        raise ServerError(117, "The statement, a setting or a parameter is not UTF-8.") from None


class Stream:
    """The blocks of a running SELECT, each written alone in the format. Always closed, even after an error."""

    def __init__(
        self, connection: EngineConnection, sql: str, parameters: Mapping[str, str], output_format: str
    ) -> None:
        refuse_bytes(sql, parameters)
        self._connection = connection
        self.rows = 0
        self.empty = b""  # what the format writes where there are no rows
        try:
            self._stream = connection.send_query(sql, output_format, params=parameters)
        except RuntimeError as error:
            raise from_engine(error) from None
        self._open = True

    def fetch(self) -> bytes | None:
        """The next block, or None after the last."""
        try:
            chunk = self._connection.streaming_fetch_result(self._stream)
        except RuntimeError as error:
            self._open = False
            raise from_engine(error) from None
        if chunk is None or not chunk.rows_read():
            self._open = False
            self.empty = chunk.bytes() if chunk is not None and not self.rows else b""
            return None
        self.rows += chunk.rows_read()
        return chunk.bytes()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._connection.streaming_cancel_query(self._stream)


class Inserter:
    """A running INSERT: `append` data in its format, then `finish`. Without `finish`, `close` aborts it."""

    def __init__(self, connection: EngineConnection, sql: str, data_format: str) -> None:
        refuse_bytes(sql, {})
        self._connection = connection
        try:
            self._insert = connection.send_insert(sql, data_format)
        except RuntimeError as error:
            raise from_engine(error) from None
        self._open = True

    def append(self, data: bytes) -> None:
        try:
            self._connection.insert_append(self._insert, data)
        except RuntimeError as error:
            raise from_engine(error) from None

    def finish(self) -> Result:
        """Commit; returns only after the rows are in the table."""
        self._open = False
        try:
            return self._connection.insert_done(self._insert)
        except RuntimeError as error:
            raise from_engine(error) from None

    def close(self) -> None:
        if self._open:
            self._open = False
            self._connection.insert_cancel(self._insert)
