"""A table that a client sends along with its query, and that lives as long as the query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from counterpoise.clickhouse.columns import Column

BLOCK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class SentTable:
    """`structure` is (name, ClickHouse type) of each column. `columns_at` gives up to BLOCK_ROWS rows from a row on."""

    name: str
    structure: tuple[tuple[str, str], ...]
    rows: int
    columns_at: Callable[[int], Sequence[Column]]

    def blocks(self) -> Iterator[Sequence[Column]]:
        """The rows by blocks; one without rows for an empty table, which tells the server its columns."""
        for at in range(0, max(self.rows, 1), BLOCK_ROWS):
            yield self.columns_at(at)
