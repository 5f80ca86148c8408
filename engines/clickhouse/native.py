"""One native connection: handshake, then one statement after the other in one session."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress

from engines.clickhouse import packets
from engines.clickhouse.auth import Users
from engines.clickhouse.channel import Channel, ReceivedBlock
from engines.clickhouse.engine import Engine
from engines.clickhouse.exceptions import ProtocolError, ServerError
from engines.clickhouse.execute import Statement
from engines.clickhouse.limits import Limits
from engines.clickhouse.session import Session
from engines.clickhouse.statements import quote_identifier, unquote_parameter
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
    external: list[str] = []
    try:
        _receive_external_tables(channel, session, external)
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
        for table in external:
            with suppress(ServerError):
                session.query(f"DROP TEMPORARY TABLE IF EXISTS {quote_identifier(table)}")


def _receive_external_tables(channel: Channel, session: Session, created: list[str]) -> None:
    """Blocks with a table's name until the unnamed empty one. All are read before an error is raised."""
    failure: ServerError | None = None
    while True:
        if channel.next_packet() != packets.CLIENT_DATA:
            raise ProtocolError(101, "Unexpected packet between a query and its data.")
        received = channel.read_block()
        if not received.table and not received.block.columns:
            break
        try:
            _store(session, received, created)
        except ServerError as error:
            failure = failure or error
    if failure:
        raise failure


def _store(session: Session, received: ReceivedBlock, created: list[str]) -> None:
    table = quote_identifier(received.table)
    if received.table not in created:
        columns = ", ".join(
            f"{quote_identifier(head.name.decode())} {head.type.decode()}" for head in received.block.columns
        )
        session.query(f"CREATE TEMPORARY TABLE {table} ({columns}) ENGINE = Memory")
        created.append(received.table)
        session.has_temporary_tables = True
    if received.block.rows:
        inserter = session.insert(f"INSERT INTO {table}", "Native")
        try:
            inserter.append(received.native)
            inserter.finish()
        finally:
            inserter.close()
