"""Statements over the native protocol: queries that stream, inserts that wait for blocks, and all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial

from engines.clickhouse import insert, kept_external, native_blocks, packets, statement_routing, temporary
from engines.clickhouse.additions import additions, typed
from engines.clickhouse.channel import Channel
from engines.clickhouse.described_column import Described
from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import QUERY_WAS_CANCELLED, ServerError
from engines.clickhouse.insert import Written
from engines.clickhouse.insert_head import parse_insert
from engines.clickhouse.native_form import zoned_types
from engines.clickhouse.prepare import Prepared, prepared
from engines.clickhouse.watcher import Watch
from engines.clickhouse.wire import ByteReader, ConnectionClosedError


class Statement:
    """One statement on its way: `run` sends everything but an exception, which it raises as ServerError."""

    def __init__(self, channel: Channel, session: Session, sql: str, parameters: Mapping[str, str]) -> None:
        self._channel = channel
        self._session = session
        self._sql = sql
        self._parameters = {**session.parameters, **parameters}
        self._reported: dict[str, int] = {}
        session.progress.clear()

    def run(self) -> None:
        if statement_routing.first_word(self._sql) == "INSERT" and (written := self._insert()):
            delta = {"written_rows": written.rows, "written_bytes": written.size_bytes}
            self._channel.send(packets.progress(delta, self._channel.revision), packets.END_OF_STREAM)
            return
        with kept_external.from_memory(self._session, self._sql) as sql, prepared(self._session, sql) as ready:
            if ready.nothing:
                self._finish()
            else:
                self._run(ready)

    def _insert(self) -> Written | None:
        """Insert the rows that come as blocks, and for a reader those in the text; None for any other statement."""
        session = self._session
        head = parse_insert(self._sql)
        if head is None or session.reads_only:
            return None
        inline = self._sql[head.data_start :].strip(" \t\r\n;")
        from_blocks = partial(insert.feed_blocks, self._channel)
        if session.user.readonly:
            if inline:
                return temporary.insert(session, head, head.format, insert.feed_of([inline.encode()]))
            return temporary.insert(session, head, "Native", from_blocks)
        return None if inline else insert.run(session, head, "Native", from_blocks, as_blocks=True)

    def _run(self, ready: Prepared) -> None:
        with self._channel.watching(self._session.interrupt) as watch:
            try:
                if ready.write is not None:
                    written = ready.write(self._parameters)
                    self._finish(written_rows=written.rows, written_bytes=written.size_bytes)
                elif ready.streams:
                    self._stream(ready, watch)
                else:
                    self._whole(ready)
            except ServerError as error:
                if watch.gone:
                    raise ConnectionClosedError("the client left while its statement ran") from None
                if not (watch.cancelled and error.code == QUERY_WAS_CANCELLED):
                    raise
                self._channel.send(packets.END_OF_STREAM)

    def _whole(self, ready: Prepared) -> None:
        """Run to the end, then send: everything that is small or has no rows."""
        result = self._session.query(ready.text, "Native", self._parameters)
        self._session.note(ready.word)
        reader = ByteReader(data=result.bytes(), limit_bytes=self._channel.limits.block_bytes)
        rows = count = size_bytes = 0
        while ready.word != "INSERT" and reader.buffered():
            block = native_blocks.walk(reader, kind_bytes=False)
            if not count:
                self._channel.send_header((head.name, head.type) for head in block.columns)
            data = bytes(memoryview(reader.buf)[: reader.pos])
            size_bytes += self._channel.send_block(
                native_blocks.from_native(data, block, kind_bytes=self._channel.kind_bytes)
            )
            reader.compact()
            count += 1
            rows += block.rows
        if count:
            self._channel.send(packets.profile(rows, count, size_bytes))
        self._finish(written_rows=result.rows_written(), written_bytes=result.bytes_written())

    def _stream(self, ready: Prepared, watch: Watch) -> None:
        """Send each block as the engine makes it."""
        sql = ready.text
        types: Sequence[bytes] | None = None
        # Only this session can describe what reads its temporary tables, and only while nothing runs in it.
        described = self._describe(sql) if self._session.has_temporary_tables else None
        rows = count = size_bytes = 0
        with closing(self._session.stream(sql, self._parameters)) as stream:
            while data := stream.fetch():
                reader = ByteReader(data=data, limit_bytes=len(data))
                block = native_blocks.walk(reader, kind_bytes=False, to_the_end=False)
                if not count:
                    types = zoned_types(self._session, sql, self._parameters, block, described)
                    named = types or [head.type for head in block.columns]
                    self._channel.send_header(
                        (head.name, type_) for head, type_ in zip(block.columns, named, strict=True)
                    )
                self._report()
                pieces = native_blocks.from_native(data, block, kind_bytes=self._channel.kind_bytes, types=types)
                size_bytes += self._channel.send_block(pieces)
                count += 1
                rows += block.rows
                if watch.stopped:
                    raise ServerError(QUERY_WAS_CANCELLED, "Query was cancelled.")
        if not count:
            # The engine gives no bytes for an empty result; clients want its columns all the same.
            self._channel.send_header((column.name, column.type) for column in self._describe(sql))
        if ready.adds:
            self._add(ready, rows)
        self._report()
        self._channel.send(packets.profile(rows, count, size_bytes))
        self._finish()

    def _add(self, ready: Prepared, rows: int) -> None:
        """Send totals and extremes. FORMAT Native has neither, so the statement runs once more, in a format that has them."""
        found = additions(self._session, ready, self._parameters, rows)
        for packet, lines in ((packets.TOTALS_HEAD, found.totals), (packets.EXTREMES_HEAD, found.extremes)):
            if lines:
                data = typed(self._session.engine, found.columns, lines)
                block = native_blocks.walk(ByteReader(data=data, limit_bytes=len(data)), kind_bytes=False)
                pieces = native_blocks.renamed(data, block, found.columns, kind_bytes=self._channel.kind_bytes)
                self._channel.send_block(pieces, packet)

    def _describe(self, sql: str) -> list[Described]:
        return self._session.describe_query(sql, self._parameters)

    def _report(self) -> None:
        """Send what the engine has read since the last report, if anything."""
        if self._session.progress.get("read_rows", 0) > self._reported.get("read_rows", 0):
            self._channel.send(packets.progress(self._delta(), self._channel.revision))

    def _delta(self) -> dict[str, int]:
        now = dict(self._session.progress)
        keys = ("read_rows", "read_bytes", "total_rows_to_read", "elapsed_ns")
        delta = {key: now.get(key, 0) - self._reported.get(key, 0) for key in keys}
        self._reported = now
        return delta

    def _finish(self, **written: int) -> None:
        self._channel.send(packets.progress(self._delta() | written, self._channel.revision), packets.END_OF_STREAM)
