"""An embedded ClickHouse: chDB's engine behind ClickHouse's own native TCP protocol and HTTP interface, on loopback.

    python -m engines.clickhouse --path DIR --password-file FILE

`start_clickhouse` starts that as a process and waits until it answers; everything else speaks to it with an ordinary
ClickHouse client. One process owns a data directory; it is a real engine, and what it acknowledged survives its kill.

    process.py      start, stop and kill the server process         (imported by others)
    server.py       sockets, limits, shutdown                       native.py   one native connection
    http.py         the HTTP interface                              engine.py   chDB, and what can stop it from starting
    kept_blocks.py    a few rows on their way into a table
    external.py, multipart.py                                       tables that come along with a statement
    client_tables.py, temporary.py                                  a reader's temporary tables, kept between statements
    http_handler.py, http_statement.py, http_answer.py, framing.py  one request, its statement, its answer in pieces
    prepare.py      from a client's text to the text that runs       session.py  settings and rights of one client
    reader_rules.py, reader_functions.py                            what a reader's statement may do: lists of what is allowed
    limits.py, strangers.py                                         what one client may take from the others
    statements.py, insert_head.py                                   just enough SQL to route
    wire.py, types.py, blocks.py, native_form.py, compression.py, packets.py   the protocol's bytes
"""

from engines.clickhouse.process import ClickHouseProcess, start_clickhouse

__all__ = ["ClickHouseProcess", "start_clickhouse"]
