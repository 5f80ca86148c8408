"""clickhouse-driver with columns that are arrays: the driver's connection, its block streams replaced by ours.

The driver keeps the protocol, the settings, the parameters, the errors and every type without a fixed width. Only how the bytes of a
column get into and out of a block differs; `columns.py` says why.
"""

from __future__ import annotations

import errno
import logging
import select
import socket
import ssl
from collections.abc import Generator, Iterator, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from clickhouse_driver import Client, defines
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.columns.service import read_column, write_column
from clickhouse_driver.columns.stringcolumn import ByteFixedString
from clickhouse_driver.connection import Connection
from clickhouse_driver.errors import NetworkError, SocketTimeoutError, UnexpectedPacketFromServerError
from clickhouse_driver.protocol import ServerPacketTypes
from clickhouse_driver.reader import read_binary_str, read_binary_uint8
from clickhouse_driver.result import QueryInfo
from clickhouse_driver.streams.compressed import CompressedBlockInputStream, CompressedBlockOutputStream
from clickhouse_driver.streams.native import BlockInputStream, BlockOutputStream
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_str, write_binary_uint8

from counterpoise.clickhouse.columns import Column, array_dtype, as_list, encode, fixed_string_length
from counterpoise.clickhouse.port import connection_fault
from counterpoise.clickhouse.sent_table import SentTable
from counterpoise.errors import ConfigError
from counterpoise.runtime.tls import client_context
from counterpoise.settings.security import Tls

if TYPE_CHECKING:
    import numpy as np
else:
    from counterpoise.lazy_numpy import np

# The driver logs a traceback for every refused connection, and then raises; what we raise for it says the same in one line.
logging.getLogger("clickhouse_driver.connection").setLevel(logging.ERROR)


_AS_SENT = "SETTINGS optimize_on_insert = 0"
"""The server stores the rows as they come. It does not merge rows of one key before, which costs much of a large insert:
readers of such tables merge them."""

_TRUSTED_SECONDS = 1.0
"""So long after its last answer a server is not asked, before each statement, whether it is there: one that hangs is found later."""


def _has_news(sock: socket.socket) -> bool:
    """Whether there is something to read where no answer is due: the connection's end, or a record of TLS."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


class _ArrayWriter:
    """Writes a block whose columns may be arrays, `Constant`s or `Coded`s."""

    def write(self: Any, block: Any) -> None:
        revision = self.context.server_info.used_revision
        if revision >= defines.DBMS_MIN_REVISION_WITH_BLOCK_INFO:
            block.info.write(self.fout)
        write_varint(block.num_columns, self.fout)
        write_varint(block.num_rows, self.fout)
        for index, (name, spec) in enumerate(block.columns_with_types):
            write_binary_str(name, self.fout)
            write_binary_str(spec, self.fout)
            if not block.num_columns:
                continue
            if revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION:
                write_binary_uint8(0, self.fout)
            items = block.get_column_by_index(index)
            try:
                raw = encode(spec, items)
            except (TypeError, ValueError) as error:
                raise type(error)(f"column {name}: {error}") from None
            if raw is not None:
                self.fout.write(raw)
            else:
                write_column(self.context, name, spec, as_list(items), self.fout, types_check=block.types_check)
        self.finalize()


class _ArrayReader:
    """Reads blocks; FixedString as bytes of the full length, and with `arrays` fixed-width columns as arrays."""

    arrays = False

    def read(self: Any, use_numpy: bool | None = None) -> Any:
        info = BlockInfo()
        revision = self.context.server_info.used_revision
        if revision >= defines.DBMS_MIN_REVISION_WITH_BLOCK_INFO:
            info.read(self.fin)
        n_columns, n_rows = read_varint(self.fin), read_varint(self.fin)
        heads: list[tuple[str, str]] = []
        data: list[Any] = []
        for _ in range(n_columns):
            name, spec = read_binary_str(self.fin), read_binary_str(self.fin)
            heads.append((name, spec))
            custom = revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION and bool(
                read_binary_uint8(self.fin)
            )
            if n_rows:
                data.append(self.read_items(spec, n_rows, custom))
        return ColumnOrientedBlock(columns_with_types=heads, data=data, info=info)

    def read_items(self: Any, spec: str, n_rows: int, custom: bool) -> Any:
        length = fixed_string_length(spec)
        if length is not None:
            if custom:  # sparse: the driver knows how
                column = ByteFixedString(length, context=self.context, has_custom_serialization=True)
                column.read_state_prefix(self.fin)
                return [item.ljust(length, b"\0") for item in column.read_data(n_rows, self.fin)]
            raw = self.fin.read(length * n_rows)
            return [raw[at : at + length] for at in range(0, length * n_rows, length)]
        dtype = array_dtype(spec) if self.arrays else None
        if dtype is None:
            return read_column(self.context, spec, n_rows, self.fin, has_custom_serialization=custom)
        if custom:
            if dtype.kind == "M":
                # The driver hands over datetimes; numpy keeps their milliseconds but not their zone, which is UTC here.
                values = read_column(self.context, spec, n_rows, self.fin, has_custom_serialization=True)
                return np.array([value.replace(tzinfo=None) for value in values], dtype)
            return np.array(read_column(self.context, spec, n_rows, self.fin, has_custom_serialization=True), dtype)
        return np.frombuffer(self.fin.read(dtype.itemsize * n_rows), dtype, n_rows)


class _PlainWriter(_ArrayWriter, BlockOutputStream):  # type: ignore[misc]
    pass


class _Lz4Writer(_ArrayWriter, CompressedBlockOutputStream):  # type: ignore[misc]
    pass


class _PlainReader(_ArrayReader, BlockInputStream):  # type: ignore[misc]
    pass


class _Lz4Reader(_ArrayReader, CompressedBlockInputStream):  # type: ignore[misc]
    pass


class ArrayConnection(Connection):  # type: ignore[misc]
    """The driver's connection with these streams, and with TLS as `tls` says; what no retry helps is a ConfigError."""

    tls: Tls | None = None
    _context: ssl.SSLContext | None = None
    _answered_at = float("-inf")
    """When the server last ended a statement, on the monotonic clock."""

    _faults: tuple[ConfigError, ...] = ()
    """What no waiting helps at some of the hosts; another may still let this client in, now or once it is back."""

    @property
    def address(self) -> str | None:
        """`host:port` of the server at the other end; None without a connection."""
        return self.get_description() if self.connected else None

    def connect(self) -> None:
        """Connect to the first host that answers, beginning with the one that did last."""
        self._faults = ()
        try:
            super().connect()
        except (NetworkError, SocketTimeoutError) as error:
            if len(self._faults) >= len(self.hosts):  # no host is away, and none can be used
                raise next(iter(self._faults)) from error
            raise

    def ping(self) -> bool | None:
        """Whether the server is there. It is not asked where it answered a moment ago and the connection has not ended since."""
        if monotonic() - self._answered_at < _TRUSTED_SECONDS and self.connected and not _has_news(self.socket):
            return True
        answer: bool | None = super().ping()
        return answer

    def receive_packet(self) -> Any:
        packet = super().receive_packet()
        if packet.type == ServerPacketTypes.END_OF_STREAM:
            self._answered_at = monotonic()
        return packet

    def _create_socket(self, host: str, port: int) -> Any:
        self._context = None if self.tls is None else client_context(self.tls)
        return super()._create_socket(host, port)

    def _create_ssl_context(self, ssl_options: Any) -> ssl.SSLContext | None:
        return self._context

    def _init_connection(self, host: str, port: int) -> None:
        try:
            super()._init_connection(host, port)
        except (OSError, EOFError, UnexpectedPacketFromServerError) as error:
            if isinstance(error, ConnectionRefusedError):
                raise
            why = connection_fault(self.tls, host, port, error)
            if why is not None:
                self._faults += (ConfigError(f"ClickHouse {host}:{port}: {why}"),)
                raise ConnectionAbortedError(errno.ECONNABORTED, why) from error
            if isinstance(error, EOFError):  # of which the driver tries no other host
                raise ConnectionResetError(errno.ECONNRESET, "the server closed the connection") from error
            raise

    def get_block_in_stream(self) -> Any:
        return (_Lz4Reader if self.compression else _PlainReader)(self.fin, self.context)

    def get_block_out_stream(self) -> Any:
        if self.compression:
            return _Lz4Writer(self.compressor_cls, self.compress_block_size, self.fout, self.context)
        return _PlainWriter(self.fout, self.context)


class ArrayClient(Client):  # type: ignore[misc]
    """The driver's client over an `ArrayConnection`. `others` are tried after the first host; the driver lowers their case."""

    def __init__(
        self, *args: Any, tls: Tls | None = None, others: Sequence[tuple[str, int]] = (), **kwargs: Any
    ) -> None:
        settings = kwargs.pop("settings", None)
        if tls is not None:
            kwargs |= {"secure": True, "server_hostname": tls.server_name}
        if others:
            kwargs["alt_hosts"] = ",".join(
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in others
            )
        super().__init__(*args, settings=settings, **kwargs)
        connection = ArrayConnection(*args, **kwargs)
        connection.tls = tls
        connection.context.settings = self.settings
        connection.context.client_settings = self.client_settings
        self.connections.clear()
        self.connection = connection

    def insert_columns(self, table: str, columns: Mapping[str, Column]) -> Generator[None, None, int]:
        """Send one block; rows inserted. The server says which types the columns have.

        It yields where the server is to answer: first when the statement is sent, then when the rows are. Closing it before its end
        closes the connection; whether the rows are stored is open then.
        """
        names = ", ".join(f"`{name}`" for name in columns)
        query = f"INSERT INTO {table} ({names}) {_AS_SENT} VALUES"
        done = False
        try:
            self.establish_connection(None)
            self.connection.server_info.session_timezone = None
            self.connection.send_query(query)
            self.connection.send_external_tables(None)
            yield
            sample = self.receive_sample_block()
            block = ColumnOrientedBlock(
                sample.columns_with_types, [columns[name] for name, _ in sample.columns_with_types]
            )
            self.connection.send_data(block)
            self.connection.send_data(ColumnOrientedBlock())
            yield
            self.receive_profile_events()
            self.receive_profile_events()
            self.receive_end_of_insert_query()
            rows: int = block.num_rows
            done = True
            return rows
        finally:
            if not done:
                self.disconnect()

    def blocks(
        self,
        query: str,
        params: Mapping[str, Any],
        settings: Mapping[str, Any] | None,
        *,
        arrays: bool,
        query_id: str | None = None,
        tables: Sequence[SentTable] = (),
        pauses: bool = False,
    ) -> Iterator[tuple[list[tuple[str, str]], list[Any]]]:
        """Run a query with the `tables` beside it; give (names with types, columns) block by block. The first has no rows
        and gives the types. With `pauses` one without types comes before it, once the query is sent.

        Leaving the iteration before its end closes the connection, which ends the query.
        """
        done = False
        try:
            self.establish_connection(settings)
            self.connection.server_info.session_timezone = None
            self.connection.send_query(query, query_id=query_id, params=dict(params))
            for table in tables:
                for columns in table.blocks():
                    block = ColumnOrientedBlock(list(table.structure), list(columns))
                    self.connection.send_data(block, table_name=table.name)
            self.connection.send_external_tables(None)
            if pauses:
                yield [], []
            self.connection.block_in.arrays = arrays
            self.last_query = QueryInfo()
            while True:
                packet = self.connection.receive_packet()
                if packet.type == ServerPacketTypes.EXCEPTION:
                    raise packet.exception
                if packet.type == ServerPacketTypes.END_OF_STREAM:
                    done = True
                    return
                if packet.type == ServerPacketTypes.DATA:
                    yield packet.block.columns_with_types, packet.block.data
                elif packet.type == ServerPacketTypes.PROGRESS:
                    self.last_query.store_progress(packet.progress)
        finally:
            if not done:
                self.disconnect()
            elif self.connection.block_in is not None:
                self.connection.block_in.arrays = False
