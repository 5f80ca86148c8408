"""Just enough SQL to route a statement: its first word, a FORMAT at its tail, its quotes.

Everything that decides a result is left to the engine. Statements are cut into tokens by one linear pattern, so that
quotes, comments and brackets cannot be mistaken for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from engines.clickhouse.exceptions import ServerError

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|\#[!\ ][^\n]*)
      | (?P<comment>/\*)
      | (?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
      | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<word>[A-Za-z_]\w*|\d\w*)
      | (?P<mark>.)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT = re.compile(r"/\*|\*/")
# In these, a FORMAT belongs to the statement itself.
KEEP_FORMAT: Final = frozenset({"CREATE", "ALTER", "ATTACH", "INSERT"})


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind == "word" else self.text


def tokens(sql: str, start: int = 0) -> Iterator[Token]:
    """The tokens of a statement without spaces and comments. A comment that is never closed hides the rest."""
    while found := _TOKEN.match(sql, start):
        start = found.end()
        kind = found.lastgroup or "mark"
        if kind == "comment":
            start = _comment_end(sql, start)
        elif kind != "space":
            yield Token("heredoc" if kind == "tag" else kind, found[0], found.start(), found.end())


def _comment_end(sql: str, start: int) -> int:
    """Where the comment ends whose `/*` ends at `start`: the engine nests them."""
    depth = 1
    for found in _COMMENT.finditer(sql, start):
        depth += 1 if found[0] == "/*" else -1
        if not depth:
            return found.end()
    return len(sql)


MAX_NESTING: Final = 300
"""Brackets within brackets; of some kinds, the engine's parser takes minutes for a few thousand."""

_NESTING = re.compile(
    r"""(?P<quoted>'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
      | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | --[^\n]* | \#[!\ ][^\n]*
      | (?P<comment>/\*) | (?P<open>[(\[{]) | (?P<close>[)\]}])""",
    re.DOTALL | re.VERBOSE,
)


def refuse_unreadable(sql: str) -> None:
    """Raise for bytes that are not UTF-8 (117) and for brackets nested deeper than MAX_NESTING (167)."""
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise ServerError(117, "The statement is not UTF-8.") from None
    if sum(map(sql.count, "([{")) > MAX_NESTING and _nesting(sql) > MAX_NESTING:
        raise ServerError(167, f"Brackets are nested more than {MAX_NESTING} deep.")


def _nesting(sql: str) -> int:
    deepest = depth = start = 0
    while found := _NESTING.search(sql, start):
        start = found.end()
        if found["comment"]:
            start = _comment_end(sql, start)
        elif found["open"]:
            depth += 1
            if depth > MAX_NESTING:
                return depth
            deepest = max(deepest, depth)
        elif found["close"]:
            depth -= 1
    return deepest


def first_word(sql: str) -> str:
    """The first keyword in upper case, brackets before it passed; "" when there is none."""
    for token in tokens(sql):
        if token.text != "(":
            return token.upper if token.kind == "word" else ""
    return ""


def unquote_identifier(text: str) -> str:
    """An identifier as it is stored: quotes and their escapes removed."""
    text = text.strip()
    if len(text) > 1 and text[0] in '`"' and text[-1] == text[0]:
        return re.sub(r"\\(.)", r"\1", text[1:-1].replace(text[0] * 2, text[0]), flags=re.DOTALL)
    return text


def split_list(text: str) -> list[str]:
    """Split at commas outside brackets and quotes; parts are stripped, empty parts dropped."""
    parts, depth, start = [], 0, 0
    for token in tokens(text):
        if token.text == "(":
            depth += 1
        elif token.text == ")":
            depth -= 1
        elif token.text == "," and depth == 0:
            parts.append(text[start : token.start].strip())
            start = token.end
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def quote_identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quote_string(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def escape_parameter(value: str) -> str:
    """A server-side parameter as the engine parses it: escaped like a field of TSV."""
    return "".join(_PARAMETER_ESCAPES.get(letter, letter) for letter in value)


_PARAMETER_ESCAPES: Final = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\0": r"\0", "\b": r"\b", "\f": r"\f"}
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "v": "\v", "e": "\x1b"}


def unquote_parameter(value: str) -> str:
    """A server-side parameter as the protocol carries it (a quoted literal) to the escaped text that the engine parses."""
    if len(value) < 2 or value[0] != "'" or value[-1] != "'":
        return value
    return re.sub(
        r"\\(x[0-9A-Fa-f]{2}|.)",
        lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 3 else _ESCAPES.get(m[1], m[1]),
        value[1:-1],
        flags=re.DOTALL,
    )
