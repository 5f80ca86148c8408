"""INSERTs whose rows come after the statement: as blocks over the native protocol, as a body over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from typing import Final, NamedTuple

from engines.clickhouse import kept_blocks, packets, statement_routing
from engines.clickhouse.channel import Channel, ReceivedBlock
from engines.clickhouse.described_column import Described
from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import ProtocolError, ServerError
from engines.clickhouse.insert_head import InsertHead, parse_insert
from engines.clickhouse.statement_routing import quote_identifier

_KNOWN_HEADS: Final = 1000
_HEAD_CHARS: Final = 10_000
_INSERTABLE: Final = ("", "DEFAULT")
_EXCEPT = re.compile(r"\bEXCEPT\s*\(?(.*?)\)?\s*$", re.IGNORECASE | re.DOTALL)

# Takes what appends data and the columns that the data must have; False when the client gave up.
Feed = Callable[[Callable[[bytes], None], list[Described]], bool]


class Written(NamedTuple):
    rows: int
    size_bytes: int


def run(session: Session, head: InsertHead, data_format: str, feed: Feed, *, as_blocks: bool = False) -> Written:
    """Insert what `feed` appends in `data_format`, and commit: the rows are in their table when this returns.

    They first enter a temporary table, and an INSERT … SELECT moves them on. The engine's own streaming insert hides every error
    after the reading of the data (a full disk, too many parts, a constraint, a view that fails), and answers as if the rows
    were stored. A feed that gives up or raises leaves nothing.

    `as_blocks`: the feed appends whole blocks. A few of them need no table: the same INSERT … SELECT, which raises every error,
    reads them from memory. Three statements of four are saved.
    """
    head = _as_written(session, head)
    if head.structure:
        start, end = head.input_span
        create = f"ENGINE = Memory AS SELECT * FROM null({head.structure})"  # noqa: S608 - the client's own statement
        before, after = head.query[:start], head.query[end:]
        with closing(_Table(session, create, None, data_format)) as arrived:
            return arrived.moved_on(before, after) if feed(arrived.append, arrived.columns) else Written(0, 0)
    table = session.describe_target(head.target)
    sample = sample_columns(table, head)
    # All columns that can be written, because a DEFAULT may speak of one that the statement leaves out.
    resting = [column for column in table if column.default_kind in _INSERTABLE or column in sample]
    create = "(" + ", ".join(map(_declared, resting)) + ") ENGINE = Memory " + session.engine.any_type
    listed = ", ".join(quote_identifier(column.name) for column in sample)
    before = f"{head.into} ({listed}) {head.settings} SELECT {listed} FROM "  # noqa: S608 - quoted
    if as_blocks and kept_blocks.can_keep(sample):
        return _few_or_many(session, lambda: _Table(session, create, sample, data_format), sample, before, feed)
    with closing(_Table(session, create, sample, data_format)) as arrived:
        return arrived.moved_on(before) if feed(arrived.append, sample) else Written(0, 0)


def _as_written(session: Session, head: InsertHead) -> InsertHead:
    """The head as the engine writes it: what is cut into pieces has no comments, and one spelling."""
    known = session.engine.insert_heads
    statement = head.statement
    if (found := known.get(statement)) is None:
        statement_routing.refuse_unreadable(statement)
        tree = session.parser.parse(statement)
        if tree is None or tree["type"] != "InsertQuery":
            raise ServerError(62, "Syntax error: the statement before the data is not an INSERT.")
        found = parse_insert(session.parser.write(tree))
        if found is None or bool(found.structure) != bool(head.structure):
            raise ServerError(48, "An INSERT of this shape is not supported with data behind it.")
        if len(known) < _KNOWN_HEADS and len(statement) < _HEAD_CHARS:
            known[statement] = found
    return found


def _declared(column: Described) -> str:
    default = f" DEFAULT {column.default}" if column.default_kind == "DEFAULT" else ""
    return f"{quote_identifier(column.name)} {column.type}{default}"


class _Table:
    """The temporary table that rows enter first; `sample` are the columns of the data, or all. Close it."""

    def __init__(self, session: Session, create: str, sample: list[Described] | None, data_format: str) -> None:
        self._session = session
        self._name = "_input_" + session.identity.replace("-", "_")
        session.query(f"CREATE TEMPORARY TABLE {self._name} {create}")
        try:
            self.columns = session.describe(self._name) if sample is None else sample
            listed = ", ".join(quote_identifier(column.name) for column in self.columns)
            self._inserter = session.insert(f"INSERT INTO {self._name} ({listed})", data_format)
        except BaseException:
            self._drop()
            raise
        self.append = self._inserter.append

    def moved_on(self, before: str, after: str = "") -> Written:
        """`before` table `after` is the INSERT … SELECT that takes the rows on."""
        self._inserter.finish()
        return _written(self._session, before + self._name + after)

    def close(self) -> None:
        """Abort what was not finished, and drop the table."""
        try:
            self._inserter.close()
        finally:
            self._drop()

    def _drop(self) -> None:
        self._session.query(f"DROP TEMPORARY TABLE IF EXISTS {self._name}")


def _few_or_many(
    session: Session, make_table: Callable[[], _Table], sample: list[Described], before: str, feed: Feed
) -> Written:
    """Insert blocks from memory; through a table where they are many, none, or of other columns or types."""
    kept: list[bytes] = []
    with ExitStack() as stack:
        table: _Table | None = None

        def append(block: bytes) -> None:
            nonlocal table
            if table is None:
                kept.append(block)
                if sum(map(len, kept)) <= kept_blocks.FEW_BYTES and kept_blocks.is_as(block, sample):
                    return
                table = stack.enter_context(closing(make_table()))
                for one in kept:
                    table.append(one)
                kept.clear()
            else:
                table.append(block)

        if not feed(append, sample):
            return Written(0, 0)
        if table is None and kept:
            with kept_blocks.as_table(kept, sample) as source:
                return _written(session, before + source)
        return (table or stack.enter_context(closing(make_table()))).moved_on(before)


def _written(session: Session, sql: str) -> Written:
    result = session.query(sql)
    return Written(result.rows_written(), result.bytes_written())


def feed_blocks(channel: Channel, append: Callable[[bytes], None], sample: list[Described]) -> bool:
    """Send the columns to the client and read its blocks until the empty one; False when it sends Cancel instead."""
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


def feed_of(data: Iterable[bytes]) -> Feed:
    """What feeds pieces of data as they come."""

    def feed(append: Callable[[bytes], None], _sample: list[Described]) -> bool:
        for piece in data:
            if piece:
                append(piece)
        return True

    return feed


def _check_names(received: ReceivedBlock, names: set[bytes]) -> None:
    columns = received.block.columns
    if len({column.name for column in columns}) != len(columns):
        raise ServerError(15, "The block has a column twice.")
    # The engine would pass over a column that it does not know and fill the others with defaults.
    for column in columns:
        if column.name not in names:
            name = column.name.decode("utf-8", "replace")
            raise ServerError(16, f"The block has a column {name} that the INSERT does not name.")


def sample_columns(table: list[Described], head: InsertHead) -> list[Described]:
    """The columns that the data must have, in the order of the statement (`*` and EXCEPT expanded, Nested spread)."""
    ordinary = [column for column in table if column.default_kind in _INSERTABLE]
    if head.columns is None:
        return ordinary
    parts = statement_routing.split_list(head.columns)
    if parts and parts[0].startswith("*"):
        left_out = set()
        if found := _EXCEPT.search(head.columns):
            left_out = {statement_routing.unquote_identifier(name) for name in statement_routing.split_list(found[1])}
        return [column for column in ordinary if column.name not in left_out]
    known = {column.name: column for column in table}
    sample = []
    for part in parts:
        name = statement_routing.unquote_identifier(part)
        nested = [column for column in table if column.name.startswith(name + ".")]
        if name in known:
            sample.append(known[name])
        elif nested:
            sample += nested
        else:
            raise ServerError(16, f"No such column {name} in table {head.target}.")
    return sample
