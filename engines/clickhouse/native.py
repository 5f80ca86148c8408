"""One native connection: handshake, then one statement after the other in one session."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress

from engines.clickhouse import packets
from engines.clickhouse.auth import Users
from engines.clickhouse.channel import Channel, ReceivedBlock
from engines.clickhouse.client_limits import Limits
from engines.clickhouse.engine import Engine
from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import ProtocolError, ServerError
from engines.clickhouse.execute import Statement
from engines.clickhouse.external import ExternalTable
from engines.clickhouse.statement_routing import quote_identifier, unquote_parameter
from engines.clickhouse.watcher import Watcher

log = logging.getLogger(__name__)


def serve(
    sock: socket.socket,
    engine: Engine,
    users: Users,
    watcher: Watcher,
    limits: Limits,
    *,
    refusal: ServerError | None = None,
    welcome: Callable[[], None] = lambda: None,
) -> None:
    """Serve one socket until its client leaves or breaks the protocol; never raises for a client's fault.

    `welcome` is called once the client is known. With a `refusal` the client receives it and gets no session;
    the caller closes the socket.
    """
    channel = Channel(sock, watcher, limits)
    session: Session | None = None
    try:
        session = _shake_hands(channel, engine, users, refusal)
        if session:
            welcome()
        while session and _serve_packet(channel, session):
            pass
    except ProtocolError as error:
        log.info("connection ended: %s", error)
        with suppress(OSError):
            channel.send(packets.exception(error))
    except OSError as error:  # the client left, or was silent for too long
        log.debug("connection ended: %s", error)
    finally:
        if session:
            session.close()


def _shake_hands(channel: Channel, engine: Engine, users: Users, refusal: ServerError | None) -> Session | None:
    """The client's session, or None after it received the reason for getting none."""
    if channel.reader.varint() != packets.CLIENT_HELLO:
        return None  # not a native client (HTTP, TLS …)
    hello = packets.read_hello(channel.reader)
    channel.revision = min(hello.revision, packets.REVISION)
    try:
        if refusal:
            raise refusal
        session = Session(engine, users.check(hello.user, hello.password), hello.database)
    except ServerError as error:
        channel.send(packets.exception(error))
        return None
    try:
        channel.send(packets.hello(engine.version, engine.timezone))
        if channel.revision >= packets.ADDENDUM:
            channel.reader.string()  # quota key
    except BaseException:
        session.close()
        raise
    channel.welcome()
    return session


def _serve_packet(channel: Channel, session: Session) -> bool:
    kind = channel.next_packet()
    if kind == packets.CLIENT_PING:
        channel.send(packets.PONG)
    elif kind == packets.CLIENT_QUERY:
        _serve_query(channel, session)
    elif kind == packets.CLIENT_DATA:
        channel.read_block()  # sent before the client saw that its INSERT failed
    elif kind != packets.CLIENT_CANCEL:  # one that comes after its statement's end means nothing
        raise ProtocolError(101, f"Unexpected packet {kind} from the client.")
    return True


def _serve_query(channel: Channel, session: Session) -> None:
    query = packets.read_query(channel.reader, channel.revision, channel.limits.sql_bytes)
    channel.compress(query.compressed)
    try:
        _receive_external_tables(channel, session)
        session.query_id = query.query_id
        session.apply(query.settings)
        parameters = {name: unquote_parameter(value) for name, value in query.parameters.items()}
        Statement(channel, session, query.sql, parameters).run()
    except ProtocolError:
        raise
    except ServerError as error:
        channel.send(packets.exception(error))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a bug of ours must cost one statement, not the server
        log.exception("a statement failed inside the server")
        channel.send(packets.exception(ServerError(1001, f"{type(error).__name__} inside the embedded server.")))
    finally:
        session.tables.external = []


def _receive_external_tables(channel: Channel, session: Session) -> None:
    """Blocks with a table's name until the unnamed empty one. All are read before an error is raised."""
    failure: ServerError | None = None
    tables: dict[str, ExternalTable] = {}
    while True:
        if channel.next_packet() != packets.CLIENT_DATA:
            raise ProtocolError(101, "Unexpected packet between a query and its data.")
        received = channel.read_block()
        if not received.table and not received.block.columns:
            break
        try:
            _add(tables, received)
            if sum(table.size for table in tables.values()) > channel.limits.block_bytes:
                raise ServerError(131, f"External tables of more than {channel.limits.block_bytes} bytes are refused.")
        except ServerError as error:
            failure = failure or error
            tables.clear()
    if failure:
        raise failure
    for table in tables.values():
        session.add_external(table)


def _add(tables: dict[str, ExternalTable], received: ReceivedBlock) -> None:
    if received.table not in tables:
        heads = (
            (head.name.decode("utf-8", "replace"), head.type.decode("utf-8", "replace"))
            for head in received.block.columns
        )
        structure = ", ".join(f"{quote_identifier(name)} {type_}" for name, type_ in heads)
        tables[received.table] = ExternalTable(received.table, structure, "Native")
    if received.block.rows:
        tables[received.table].pieces.append(received.native)
