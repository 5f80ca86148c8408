"""The SQL files that the package carries: tables, migrations, views, named queries and recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from counterpoise.errors import ConfigError

Folder = Literal["tables", "migrations", "views", "queries", "recipes"]


def sql_root() -> Path:
    """The folder that holds these: inside an installed package, else at the root of a checkout."""
    package = Path(__file__).resolve().parent.parent
    for root in (package / "_sql", package.parent / "sql"):
        if (root / "tables").is_dir():
            return root
    raise ConfigError(
        f"no SQL files in {package / '_sql'} or {package.parent / 'sql'}: the installation is not complete, install again"
    )


def sql_files(folder: Folder) -> list[Path]:
    """The `.sql` files of one folder by name."""
    return sorted((sql_root() / folder).glob("*.sql"))


def split_statements(text: str) -> list[str]:
    """The statements of a file: cut at each `;` outside quotes and comments. Comments stay; what holds nothing else is dropped."""
    statements: list[str] = []
    start = at = 0
    blank = True
    while at < len(text):
        two = text[at : at + 2]
        if two == "--":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end + 1
        elif two == "/*":
            end = text.find("*/", at + 2)
            at = len(text) if end < 0 else end + 2
        elif text[at] in "'`\"":
            at = _end_of_quoted(text, at)
            blank = False
        elif text[at] == ";":
            if not blank:
                statements.append(text[start:at].strip())
            at += 1
            start, blank = at, True
        else:
            blank = blank and text[at].isspace()
            at += 1
    if not blank:
        statements.append(text[start:].strip())
    return statements


def _end_of_quoted(text: str, start: int) -> int:
    """The place after the quoted text that begins at `start`; a backslash or a doubled quote does not end it."""
    quote, at = text[start], start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == quote:
            if text[at + 1 : at + 2] != quote:
                return at + 1
            at += 2
        else:
            at += 1
    return len(text)
