"""INSERTs whose rows come after the statement: as blocks over the native protocol, as a body over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from typing import Final, NamedTuple

from counterpoise.embedded.clickhouse import packets, statements
from counterpoise.embedded.clickhouse.channel import Channel, ReceivedBlock
from counterpoise.embedded.clickhouse.exceptions import ProtocolError, ServerError
from counterpoise.embedded.clickhouse.insert_head import InsertHead
from counterpoise.embedded.clickhouse.session import Described, Session
from counterpoise.embedded.clickhouse.statements import quote_identifier, quote_string

_INSERTABLE: Final = ("", "DEFAULT")
_EXCEPT = re.compile(r"\bEXCEPT\s*\(?(.*?)\)?\s*$", re.IGNORECASE | re.DOTALL)

# Takes what appends data and the columns that the data must have; False when the client gave up.
Feed = Callable[[Callable[[bytes], None], list[Described]], bool]


class Written(NamedTuple):
    rows: int
    size_bytes: int


def run(session: Session, head: InsertHead, data_format: str, feed: Feed) -> Written:
    """Insert what `feed` appends in `data_format`, and commit: the rows are in their table when this returns.

    A feed that gives up or raises leaves nothing of what the engine had not written yet; as in any ClickHouse, earlier
    blocks of a large insert may already stand.
    """
    if head.structure:
        start, end = head.input_span
        before, after = head.query[:start], head.query[end:]
        written = _through_table(
            session, head.structure, before=before, after=after, data_format=data_format, feed=feed
        )
        return written or Written(0, 0)
    sample = sample_columns(session, head)
    listed = ", ".join(quote_identifier(column.name) for column in sample)
    columns = f"({listed})" if head.columns is not None else ""
    if session.has_constraint(head.target):
        structure = quote_string(", ".join(f"{quote_identifier(column.name)} {column.type}" for column in sample))
        select = f"{head.into} ({listed}) {head.settings} SELECT {listed} FROM "  # noqa: S608
        written = _through_table(session, structure, before=select, after="", data_format=data_format, feed=feed)
        return written or Written(0, 0)
    return _append(session, f"{head.into} {columns} {head.settings}", data_format, feed, sample) or Written(0, 0)


def _append(session: Session, sql: str, data_format: str, feed: Feed, sample: list[Described]) -> Written | None:
    """The engine's streaming insert; None when the feed gave up."""
    with closing(session.insert(sql, data_format)) as inserter:
        if not feed(inserter.append, sample):
            return None
        result = inserter.finish()
        return Written(result.rows_written(), result.bytes_written())


def _through_table(
    session: Session, structure: str, *, before: str, after: str, data_format: str, feed: Feed
) -> Written | None:
    """Rows rest in a temporary table of this `structure` and go on with the INSERT … SELECT `before` table `after`.

    For `SELECT … FROM input('…')`, which the engine's streaming insert does not take, and for tables with a CONSTRAINT,
    which it would not check.
    """
    table = "_input_" + session.identity.replace("-", "_")
    session.query(f"CREATE TEMPORARY TABLE {table} ENGINE = Memory AS SELECT * FROM null({structure})")  # noqa: S608
    try:
        if _append(session, f"INSERT INTO {table}", data_format, feed, session.describe(table)) is None:
            return None
        result = session.query(before + table + after)
        return Written(result.rows_written(), result.bytes_written())
    finally:
        session.query(f"DROP TEMPORARY TABLE IF EXISTS {table}")


def feed_blocks(channel: Channel, append: Callable[[bytes], None], sample: list[Described]) -> bool:
    """Tell the client the columns and take its blocks until the empty one; False when it sends Cancel instead."""
    channel.send_header((column.name, column.type) for column in sample)
    names = {column.name.encode() for column in sample}
    while True:
        packet = channel.next_packet()
        if packet == packets.CLIENT_CANCEL:
            return False
        if packet != packets.CLIENT_DATA:
            raise ProtocolError(101, f"Unexpected packet {packet} within an INSERT.")
        received = channel.read_block()
        if received.block.rows:
            _check_names(received, names)
            append(received.native)
        channel.send(packets.no_profile_events(channel.revision))
        if not received.block.rows:
            return True


def _check_names(received: ReceivedBlock, names: set[bytes]) -> None:
    # The engine would pass over a column that it does not know and fill the others with defaults.
    for column in received.block.columns:
        if column.name not in names:
            name = column.name.decode("utf-8", "replace")
            raise ServerError(16, f"The block has a column {name} that the INSERT does not name.")


def sample_columns(session: Session, head: InsertHead) -> list[Described]:
    """The columns that the data must have, in the order of the statement (`*` and EXCEPT expanded, Nested spread)."""
    table = session.describe(head.target)
    ordinary = [column for column in table if column.default_kind in _INSERTABLE]
    if head.columns is None:
        return ordinary
    parts = statements.split_list(head.columns)
    if parts and parts[0].startswith("*"):
        left_out = set()
        if found := _EXCEPT.search(head.columns):
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
