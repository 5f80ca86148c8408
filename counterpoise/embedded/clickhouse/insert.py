"""INSERTs whose rows come as blocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from typing import Final

from counterpoise.embedded.clickhouse import packets, statements
from counterpoise.embedded.clickhouse.channel import Channel, ReceivedBlock
from counterpoise.embedded.clickhouse.exceptions import ProtocolError, ServerError
from counterpoise.embedded.clickhouse.session import Described, Session
from counterpoise.embedded.clickhouse.statements import InsertHead, quote_identifier

_INSERTABLE: Final = ("", "DEFAULT")
_EXCEPT = re.compile(r"(?:EXCEPT|\bEXCEPT)\s*\(?(.*?)\)?\s*$", re.IGNORECASE | re.DOTALL)


def receive(channel: Channel, session: Session, head: InsertHead) -> tuple[int, int]:
    """Tell the client the columns, take its blocks, commit; rows and bytes written, (0, 0) when it cancelled.

    Rows are in their table when this returns. An error leaves no further packet of the insert expected but those that
    the client sent before it heard of the error.
    """
    if session.user.readonly:
        raise ServerError(164, f"{session.user.name}: Cannot execute query in readonly mode.")
    if head.structure:
        return _through_input(channel, session, head)
    sample = sample_columns(session, head)
    listed = ", ".join(quote_identifier(column.name) for column in sample)
    sql = f"{head.into} ({listed}) {head.settings}" if head.columns is not None else f"{head.into} {head.settings}"
    with closing(session.insert(sql, "Native")) as inserter:
        rows = _blocks(channel, sample, inserter.append)
        if rows is None:
            return 0, 0
        result = inserter.finish()
    return result.rows_written() or rows, result.bytes_written()


def _through_input(channel: Channel, session: Session, head: InsertHead) -> tuple[int, int]:
    """`INSERT … SELECT … FROM input('…')`: the engine takes no data with a SELECT, so rows rest in a temporary table."""
    table = "_input_" + session.identity.replace("-", "_")
    session.query(f"CREATE TEMPORARY TABLE {table} ENGINE = Memory AS SELECT * FROM null({head.structure})")  # noqa: S608
    try:
        sample = session.describe(table)
        with closing(session.insert(f"INSERT INTO {table}", "Native")) as inserter:
            if _blocks(channel, sample, inserter.append) is None:
                return 0, 0
            inserter.finish()
        start, end = head.input_span
        result = session.query(head.query[:start] + table + head.query[end:])
        return result.rows_written(), result.bytes_written()
    finally:
        session.query(f"DROP TEMPORARY TABLE IF EXISTS {table}")


def _blocks(channel: Channel, sample: list[Described], append: Callable[[bytes], None]) -> int | None:
    """Take blocks until the empty one; the number of rows, or None when the client cancelled."""
    channel.send_header((column.name, column.type) for column in sample)
    names = {column.name.encode() for column in sample}
    rows = 0
    while True:
        packet = channel.next_packet()
        if packet == packets.CLIENT_CANCEL:
            return None
        if packet != packets.CLIENT_DATA:
            raise ProtocolError(101, f"Unexpected packet {packet} within an INSERT.")
        received = channel.read_block()
        if received.block.rows:
            _check_names(received, names)
            append(received.native)
            rows += received.block.rows
        channel.send(packets.no_profile_events(channel.revision))
        if not received.block.rows:
            return rows


def _check_names(received: ReceivedBlock, names: set[bytes]) -> None:
    # The engine would pass over a column that it does not know and fill the others with defaults.
    for column in received.block.columns:
        if column.name not in names:
            raise ServerError(
                16, f"The block has a column {column.name.decode('utf-8', 'replace')} that was not asked for."
            )


def sample_columns(session: Session, head: InsertHead) -> list[Described]:
    """The columns that the data must have, in the order of the statement (`*` and EXCEPT expanded, Nested spread)."""
    table = session.describe(head.target)
    ordinary = [column for column in table if column.default_kind in _INSERTABLE]
    if head.columns is None:
        return ordinary
    parts = statements.split_list(head.columns)
    if len(parts) == 1 and parts[0].startswith("*"):
        left_out = set()
        if found := _EXCEPT.search(parts[0]):
            left_out = {statements.unquote_identifier(name) for name in statements.split_list(found[1])}
        return [column for column in ordinary if column.name not in left_out]
    known = {column.name: column for column in table}
    sample = []
    for part in parts:
        name = statements.unquote_identifier(part)
        nested = [column for column in table if column.name.startswith(name + ".")]
        if name in known:
            sample.append(known[name])
        elif nested:
            sample += nested
        else:
            raise ServerError(16, f"No such column {name} in table {head.target}.")
    return sample
