"""Text from outside, written so that nothing in it acts on what shows it. Pure.

A coinbase, a Kafka message, a pushed owner or a file's name may hold control characters, which move a terminal's cursor or rewrite
its title, and format characters, which reverse the reading order or show nothing at all.
"""

from __future__ import annotations

import re
from typing import Final

_SPREADSHEET_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def visible(text: str, keep: str = "") -> str:
    r"""The same text with every character that does not print as its escape, except those in `keep` (such as a newline).

    These are control, format, surrogate, private and unassigned characters and the line and paragraph separators. Spaces of any width
    stay. An escape is one of JSON, so JSON stays JSON with the same values. A second call changes nothing.

    >>> visible("/ViaBTC/\x1b[2J\u202e"), visible("a\nb", keep="\n"), visible("F2Pool 七彩神仙鱼")
    ('/ViaBTC/\\u001b[2J\\u202e', 'a\nb', 'F2Pool 七彩神仙鱼')
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep or _is_space(char) else _escaped(char) for char in text)


def one_line(text: str, limit: int) -> str:
    r"""A person's text in one line of at most `limit` characters. Half a character, which UTF-8 does not have, is a question mark.

    >>> one_line(" reviewed\n by the  desk ", 12), one_line("caf\udce9", 20)
    ('reviewed by ', 'caf?')
    """
    return " ".join(text.encode("utf-8", "replace").decode().split())[:limit]


def spreadsheet_cell(text: str) -> str:
    """A text cell of CSV that no spreadsheet takes for a formula: an apostrophe stands before one; numbers stay.

    >>> spreadsheet_cell("=cmd|'/C calc'!A0"), spreadsheet_cell("-4.2e-3"), spreadsheet_cell("antpool"), spreadsheet_cell(" @a")
    ("'=cmd|'/C calc'!A0", '-4.2e-3', 'antpool', "' @a")
    """
    start = text.lstrip(" \u00a0\ufeff")
    safe = not start.startswith(_SPREADSHEET_STARTS) or _NUMBER.fullmatch(text)
    return text if safe else f"'{text}"


def _is_space(char: str) -> bool:
    return char.isspace() and char not in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"


def _escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
