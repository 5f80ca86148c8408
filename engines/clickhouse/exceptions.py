"""ClickHouse's own errors: a code, a name and a text, as they cross the wire."""

from __future__ import annotations

import re

# The codes that this server raises itself; the engine brings its own with each message.
NAMES = {
    16: "NO_SUCH_COLUMN_IN_TABLE",
    36: "BAD_ARGUMENTS",
    40: "CHECKSUM_DOESNT_MATCH",
    48: "NOT_IMPLEMENTED",
    50: "UNKNOWN_TYPE",
    57: "TABLE_ALREADY_EXISTS",
    60: "UNKNOWN_TABLE",
    62: "SYNTAX_ERROR",
    73: "UNKNOWN_FORMAT",
    89: "UNKNOWN_COMPRESSION_METHOD",
    99: "UNKNOWN_PACKET_FROM_CLIENT",
    101: "UNEXPECTED_PACKET_FROM_CLIENT",
    115: "UNKNOWN_SETTING",
    117: "INCORRECT_DATA",
    131: "TOO_LARGE_STRING_SIZE",
    158: "TOO_MANY_ROWS",
    164: "READONLY",
    167: "TOO_DEEP_AST",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    307: "TOO_MANY_BYTES",
    344: "SUPPORT_IS_DISABLED",
    372: "SESSION_NOT_FOUND",
    373: "SESSION_IS_LOCKED",
    374: "INVALID_SESSION_TIMEOUT",
    394: "QUERY_WAS_CANCELLED",
    516: "AUTHENTICATION_FAILED",
    1001: "STD_EXCEPTION",
}
QUERY_WAS_CANCELLED = 394

_CODE = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?")


_NAMED = re.compile(r"\(([A-Z][A-Z0-9_]*)\)(?: \(version [^)]*\))?\s*$")


def name_of(text: str) -> str:
    """The name of an error at the end of the engine's text, "" when there is none."""
    found = _NAMED.search(text)
    return found[1] if found else ""


class ServerError(Exception):
    """An error that a client receives with ClickHouse's code; the connection continues. `text` is without code and name."""

    def __init__(self, code: int, text: str, *, name: str | None = None) -> None:
        self.code = code
        self.name = name if name is not None else NAMES[code]
        self.text = text
        super().__init__(f"Code: {code}. {self.wire_text}")

    @property
    def wire_text(self) -> str:
        """The text as a ClickHouse server writes it: `DB::Exception: … (NAME)`."""
        return f"DB::Exception: {self.text} ({self.name})" if self.name else f"DB::Exception: {self.text}"


class ProtocolError(ServerError):
    """The client broke the protocol or one of its limits; it receives one error, and the connection ends."""


def from_engine(error: Exception) -> ServerError:
    """Read code, text and name out of an engine error; one without a code becomes STD_EXCEPTION (1001)."""
    message = str(error)
    found = _CODE.search(message)
    if not found:
        return ServerError(1001, message)
    # The engine's text ends in its own "(NAME)".
    return ServerError(int(found[1]), message[found.end() :], name="")
