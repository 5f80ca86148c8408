"""CONTRIBUTING's table of extension points, read as a machine reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

HEAD: Final = ("To add", "Write", "`make generate` writes")
_SPAN: Final = re.compile(r"`([^`]+)`")
_PLACEHOLDERS: Final = {"NAME": r"[A-Za-z0-9_-]+", "NNNN": r"\d{4}"}


@dataclass(frozen=True)
class Pattern:
    """A path as a row names it: NAME stands for a name, NNNN for a number."""

    text: str

    def matches(self, path: str) -> bool:
        parts = re.split("(NAME|NNNN)", self.text)
        return re.fullmatch("".join(_PLACEHOLDERS.get(part, re.escape(part)) for part in parts), path) is not None


@dataclass(frozen=True)
class Row:
    """What somebody adds, and the files of it: those to write by hand, and those that follow."""

    what: str
    write: tuple[Pattern, ...]
    generated: tuple[Pattern, ...]

    @property
    def folder(self) -> str:
        """The example's name: `a rule on a metric` is rule_on_a_metric."""
        return self.what.split(" ", 1)[1].replace(" ", "_")


def rows(page: str) -> Iterator[Row]:
    """The rows of the table under HEAD. A code span with a slash is a path; every other one is prose."""
    lines = iter(page.splitlines())
    for line in lines:
        if _cells(line) == HEAD:
            break
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return
        what, write, generated = _cells(line)
        yield Row(what, _patterns(write), _patterns(generated))


def differences(patterns: Iterable[Pattern], paths: Iterable[str]) -> list[str]:
    """Where a row and the files of a change part: a file that no pattern names, and a pattern without a file."""
    wanted, found = list(patterns), list(paths)
    unnamed = [path for path in found if not any(pattern.matches(path) for pattern in wanted)]
    unused = [pattern.text for pattern in wanted if not any(pattern.matches(path) for path in found)]
    return [f"{path} is not in the row" for path in unnamed] + [
        f"{text} is in the row, and not needed" for text in unused
    ]


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split(" | ")) if line.startswith("|") else ()


def _patterns(cell: str) -> tuple[Pattern, ...]:
    return tuple(Pattern(span) for span in _SPAN.findall(cell) if "/" in span)
