"""Every mistake of a file of blocks at once: kept within bounds, counted without."""

from __future__ import annotations

from bisect import insort
from pathlib import Path
from typing import Final

from counterpoise.errors import ConfigError

MAX_SHOWN: Final = 40
"""Mistakes that a message lists, the first rows of the file first."""


class ReplayFileError(ConfigError):
    """A file with mistakes. The message is one line with the first of them; each of several is a note too."""


class FileFaults:
    """The mistakes found so far.

    Rows are numbered from 1 without the line of names. `skip` notes a row that no reader delivers: later rows keep their numbers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: list[tuple[int, int, str]] = []
        self._skipped: list[int] = []
        self._advice: dict[str, None] = {}
        self.count = 0

    def row_of(self, delivered: int) -> int:
        """The number in the file of the `delivered`-th row that the reader gave."""
        row = delivered
        for skipped in self._skipped:
            if skipped > row:
                break
            row += 1
        return row

    def add(self, row: int, problem: str, advice: str = "") -> None:
        """A mistake of the file's row `row`. Each advice stands once, at the end."""
        self.count += 1
        if advice:
            self._advice[advice] = None
        if len(self._first) < MAX_SHOWN or row < self._first[-1][0]:
            insort(self._first, (row, self.count, problem))
            del self._first[MAX_SHOWN:]

    def add_uncounted(self, others: int) -> None:
        """So many mistakes more, of rows after those that are kept."""
        self.count += others

    def skip(self, row: int, problem: str) -> None:
        """A row that cannot be read, and is not delivered."""
        insort(self._skipped, row)
        self.add(row, problem)

    def raise_any(self) -> None:
        """ReplayFileError where there is a mistake."""
        if not self.count:
            return
        [(_, _, first), *others] = self._first
        advice = "".join(f". {one}" for one in self._advice)
        if not others:
            raise ReplayFileError(f"{self._path}: {first}{advice}")
        error = ReplayFileError(f"{self._path} has {self.count:,} mistakes, the first: {first}{advice}")
        for _, _, problem in self._first:
            error.add_note(f"  {problem}")
        if self.count > len(self._first):
            error.add_note(f"  and {self.count - len(self._first):,} others")
        raise error
