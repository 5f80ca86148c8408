"""What this server does not let through, whatever the engine would say."""

from __future__ import annotations

from typing import Final

from counterpoise.embedded.clickhouse.exceptions import ServerError
from counterpoise.embedded.clickhouse.session import Session

SELECTS: Final = frozenset({"SELECT", "WITH", "FROM"})
_READS: Final = SELECTS | {"EXPLAIN", "DESCRIBE", "DESC", "SHOW", "EXISTS"}
_SESSION_ONLY: Final = frozenset({"SET", "USE"})


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
