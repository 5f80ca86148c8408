"""Statements that this server refuses, whatever the engine allows."""

from __future__ import annotations

import re
from typing import Final

from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.session import Session
from engines.clickhouse.statements import tokens

SELECTS: Final = frozenset({"SELECT", "WITH", "FROM"})
_READS: Final = SELECTS | {"EXPLAIN", "DESCRIBE", "DESC", "SHOW", "EXISTS"}
_SESSION_ONLY: Final = frozenset({"SET", "USE"})
# A statement without any of these cannot name the function file (a backslash may spell it), and describes nothing.
_WORTH_A_LOOK = re.compile(r"file|\\|Identifier|DESC", re.IGNORECASE)


def refuse(session: Session, word: str, kind: str, *, read_only: bool = False) -> None:
    """Raise for a statement with this first `word` and this `kind` (Session.classify) that must not run.

    A session that may only read (its user's, the setting readonly, or a GET request: `read_only`) runs statements that
    the engine classes as reading, and SET and USE, which the engine judges: others raise READONLY (164). INTO OUTFILE
    would write a file of this process and raises 48.
    """
    if kind == "CONTROL" and word in _READS:
        raise ServerError(48, "INTO OUTFILE is the client's to do; this server does not write result files.")
    reads_only = read_only or session.user.readonly or session.reads_only
    if reads_only and kind not in ("READ_ONLY", "UNKNOWN") and word not in _SESSION_ONLY:
        raise ServerError(164, f"{session.user.name}: Cannot execute query in readonly mode.")


def refuse_outside(session: Session, sql: str, kind: str) -> None:
    """Raise READONLY (164) for a reader's statement that would look outside of the database.

    The engine as a library takes the whole file system for its own, and lets a read-only session call the function file()
    and describe a table function, which opens the file or address that it names: among them the password file of `default`.
    """
    if not session.user.readonly or not _WORTH_A_LOOK.search(sql):
        return
    written = session.formatted(sql)  # by the engine's own parser: no comment, escape or quote can hide a name
    if written is None:
        if kind == "UNKNOWN":
            return  # it does not parse, and the engine says where
        raise _outside(session, "a statement that cannot be checked")
    texts = [token.text for token in tokens(written) if token.kind != "quoted" or token.text[0] != "'"]
    if "file" in texts:
        raise _outside(session, "the function file")
    if "Identifier" in texts:
        raise _outside(session, "a parameter of type Identifier")
    if texts[:2] == ["DESCRIBE", "TABLE"] and texts[2] != "(" and "(" in texts:
        raise _outside(session, "to describe a table function")


def _outside(session: Session, what: str) -> ServerError:
    return ServerError(164, f"{session.user.name}: Cannot execute query in readonly mode: {what} is not for readers.")
