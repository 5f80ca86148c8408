"""Reading a source's CSV with every cell accounted for: what is wrong is said with its line and column. Pure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Never

from counterpoise.errors import DeadLetterError

MAX_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; `origin` and `line` locate it in messages."""

    origin: str
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """A cell that must not be empty."""
        value = self.cells[column].strip()
        if not value:
            self.fail(column, value, "a text")
        return value

    def day(self, column: str) -> date:
        """A day as 2025-12-31 or 12/31/2025."""
        value = self.text(column)
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
        try:
            return datetime.strptime(value, "%m/%d/%Y").date()  # noqa: DTZ007  # a calendar day, no moment
        except ValueError:
            self.fail(column, value, "a day such as 2025-12-31")

    def amount(self, column: str) -> float:
        """A number that is finite and not negative."""
        value = self.optional_amount(column)
        if value is None:
            self.fail(column, "", "a number of 0 or more")
        return value

    def optional_amount(self, column: str) -> float | None:
        """As `amount`, or None for an empty cell."""
        text = self.cells[column].strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            self.fail(column, text, "a number of 0 or more")
        if not (math.isfinite(value) and value >= 0):
            self.fail(column, text, "a number of 0 or more")
        return value

    def fail(self, column: str, value: str, expected: str) -> Never:
        """Raise DeadLetterError for one cell."""
        raise DeadLetterError(
            "bad-source-cell", f"{self.origin}, line {self.line}, column {column}: {value[:80]!r}, expected {expected}"
        )


def read_table(text: str, origin: str) -> CsvTable:
    """Return the table of a CSV text with a header line.

    DeadLetterError where there is no header, a line is short or long, or it is not CSV.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header or len(set(header)) != len(header):
            raise DeadLetterError("bad-source-file", f"{origin}: expected a header line of distinct column names")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise DeadLetterError(
                    "bad-source-file",
                    f"{origin}, line {reader.line_num}: {len(cells)} cells under {len(header)} columns",
                )
            if len(rows) == MAX_ROWS:
                raise DeadLetterError("bad-source-file", f"{origin}: more than {MAX_ROWS} lines")
            rows.append(Row(origin, reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise DeadLetterError("bad-source-file", f"{origin}, line {reader.line_num}: not CSV: {error}") from error
    return CsvTable(origin, tuple(header), tuple(rows))


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A header and the lines below it."""

    origin: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def has(self, columns: Sequence[str]) -> bool:
        """Whether all of the columns are there."""
        return set(columns) <= set(self.header)
