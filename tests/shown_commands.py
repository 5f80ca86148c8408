"""Every command that a page, a help text, a message or a file of deploy/ shows, and whether the command line takes it.

A line of a code block is parsed as a shell would pass it: commands, options, their values and arguments. A command in running text is
a mention: its names and options must exist, and its arguments may be left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import typer
import typer.main

from desk.cli.lazy_group import load
from desk.cli.root import ENTRIES, app
from desk.named_queries import named_queries

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
OPERATION: Final = (
    ROOT / "docker-compose.yml",
    *sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file()),
)
PRODUCT: Final = ("alerts", "counterpoise", "desk", "engines", "ingest", "streams", "sql")

_FENCE: Final = re.compile(r"\s*```")
_CALL: Final = re.compile(r"(?<![\w./=:-])(?:\S*/)?counterpoise (.*)|\bmigrate ((?:doctor|replay|backup)\b.*)")
"""By name or path; or as the arguments of the image, after the service `migrate`."""
_NO_COMMAND: Final = re.compile(
    r"/counterpoise\b|-[nu] counterpoise|DATABASE counterpoise|counterpoise demo:|counterpoise (?:[a-z]+ )?…"
)
"""Slack's slash command, a namespace, unit or database of this name, the demo's first line, and a command without its name."""


@dataclass(frozen=True, slots=True)
class Shown:
    """`arguments` as a shell passes them; `whole`: with all that it needs, not a mention."""

    place: str
    arguments: tuple[str, ...]
    whole: bool


def split(text: str) -> tuple[str, ...]:
    """What a shell passes, up to a comment, a pipe, a redirection or the next command."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    found: list[str] = []
    for token in lexer:
        if set(token) <= set(";&|<>"):
            return tuple(found[:-1] if token.startswith(">") and found[-1:] == ["2"] else found)
        found.append(token)
    return tuple(found)


def of_line(line: str, place: str, *, whole: bool) -> Iterator[Shown]:
    """The commands of one line of a shell, or of one code span."""
    for part in re.split(r"&& ", line):
        if not _NO_COMMAND.search(part) and (call := _CALL.search(part)):
            yield Shown(place, split(call[1] or call[2]), whole)


def of_page(path: Path) -> Iterator[Shown]:
    """Lines of code blocks, and code spans of the text around them."""
    text, fenced = [], False
    for number, line in enumerate(path.read_text(encoding="utf-8").replace("\\\n", "").splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield from of_line(line, f"{path.name}:{number}", whole=True)
        else:
            text.append(line)
            continue
        text.append("")
    for span in re.findall(r"`([^`]+)`", "\n".join(text)):
        yield from of_line(" ".join(span.split()), f"{path.name}: {span}", whole=False)


def of_comments(path: Path) -> Iterator[Shown]:
    """Commands in the comments of a file of deploy/."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("#"):
            yield from of_line(line.strip("# "), f"{path.name}:{number}", whole=False)


def of_messages(path: Path) -> Iterator[Shown]:
    """Commands in the code spans of messages; a place that is filled in is some word."""
    for span in re.findall(r"`(counterpoise [^`\n]+)`", path.read_text(encoding="utf-8")):
        yield from of_line(re.sub(r"\{[^{}]*\}", "X", span), f"{path.name}: {span}", whole=False)


@cache
def all_shown() -> list[Shown]:
    """Of the whole repository."""
    product = [
        path for room in PRODUCT for kind in ("*.py", "*.html", "*.yaml", "*.sql") for path in (ROOT / room).rglob(kind)
    ]
    return [
        *(shown for page in PAGES for shown in of_page(page)),
        *(shown for path in OPERATION for shown in of_comments(path)),
        *(shown for path in product for shown in of_messages(path)),
        *(
            Shown(f"help of {name}: {example}", split(example.removeprefix("counterpoise ")), True)
            for name, entry in ENTRIES.items()
            for example in entry.examples
        ),
    ]


def mistake(shown: Shown) -> str | None:
    """Why the command line would refuse it."""
    command: Any = typer.main.get_command(app)
    rest, path = list(shown.arguments), ["counterpoise"]
    while hasattr(command, "commands"):
        options = {text: one for one in command.params for text in (*one.opts, *one.secondary_opts)}
        while rest and rest[0].startswith("-"):
            option = options.get(name := rest.pop(0))
            if name in ("-h", "--help"):
                return None
            if option is None:
                return f"{' '.join(path)} has no option {name}"
            if not option.is_flag:
                rest = rest[1:]
        if not rest:
            return None
        if (name := rest.pop(0)) not in command.commands:
            return f"{' '.join(path)} has no command {name}"
        command = load(name, ENTRIES[name]) if len(path) == 1 else command.commands[name]
        path.append(name)
    if path[-1] == "sql" and (wrong := _wrong_parameters(rest)):
        return wrong
    if shown.whole:
        return _refusal(command, path[-1], rest)
    known = {text for one in command.params for text in (*one.opts, *one.secondary_opts)} | {"-h", "--help", "-"}
    return next(
        (f"{' '.join(path)} has no option {one}" for one in rest if one.startswith("-") and one not in known), None
    )


def _refusal(command: Any, name: str, arguments: list[str]) -> str | None:
    try:
        command.make_context(name, arguments)
    except (typer.Exit, SystemExit):
        return None
    except Exception as refused:  # of typer's own mistakes; which class they share depends on its version
        said = f"{type(refused).__name__}: {getattr(refused, 'message', refused)}"
        return None if "does not exist" in said else said  # a file of the reader's
    return None


def _wrong_parameters(arguments: list[str]) -> str | None:
    values = dict(pairwise(arguments))
    if (name := values.get("--name")) is None or name.isupper():
        return None
    if name not in named_queries():
        return f"there is no named query {name}"
    known = {parameter.name for parameter in named_queries()[name].parameters}
    given = {value.partition("=")[0] for option, value in pairwise(arguments) if option == "--param"}
    return f"{name} has no parameter {', '.join(sorted(given - known))}" if given - known else None
