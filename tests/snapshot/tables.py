"""Every table and view of a dataset: what it is, and what is in it.

A small one is written row by row. A big one is written as the number of its rows, a digest of each column, and the rows of a few
heights, so that a difference names the column and shows values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clickhouse_driver import Client

WHEN_OR_BY_WHOM = frozenset(
    {
        "version",  # epoch and sequence of the writer
        "seen_at",  # when the source saw the block
        "created_at",  # when an attribution set was stored first
        "flipped_at",  # when it became current
        "recorded_at",  # when a transition was stored
        "updated_at",  # when a message was accepted
        "sent_at",
        "message_ts",  # Slack's clock; the messages themselves are compared apart
        "attempts",  # how often a message was tried
        "age_days",  # until now
    }
)
"""Columns of ingest time, of writers and of tries."""

WHO_WROTE = frozenset(
    {"alert_receivers_log", "epochs_log", "datasets_log", "schema_migrations_log", "migrations_log", "views_log"}
    | {"services_log", "services"}
)
"""Tables of who claimed what when: they count the processes, and more processes ran where some were killed."""

TRACK_VERSIONS = ("seen_version", "frozen_version", "path")
"""Fields of an alerter's state that name row versions, or the alerter that wrote it."""

LEADER = "_leader"
"""The `rule_id` of the row that says which alerter leads since when."""

ROWS_WRITTEN = 2_500
VIEW_ROWS_DIGESTED = 1_000_000
EVERY_HEIGHT = 17
"""Of a view with more rows only each such height is digested: the table below it is digested whole."""
HEIGHTS_SHOWN = (664_063, 700_000, 800_000, 850_000, 900_000, 946_236)
PARAMETERS = {
    "view": "raw",
    "window": "1008",
    "pool": "antpool",
    "chain": "bitcoin",
    "height": "4294967295",
    "blocks": "105120",
}
"""Of parameterised views; `attribution_id` is the current one."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view; `source` is what to select from."""

    name: str
    head: str
    source: str
    is_view: bool
    columns: tuple[Column, ...]

    def schema(self) -> str:
        """As text: engine and keys, then a line for each column."""
        return "\n".join([self.head, *(f"  {c.name}  {c.type}  {c.comment}" for c in self.columns)]) + "\n"


class Dataset:
    """A database over the native protocol."""

    def __init__(self, port: int, password: str, name: str) -> None:
        self.name = name
        self._client = Client("127.0.0.1", port=port, database=name, user="default", password=password)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._client.execute(sql)
        return found

    def tables(self) -> Iterator[Table]:
        """By name."""
        given = {
            **PARAMETERS,
            "attribution_id": self.query("SELECT attribution_id FROM attribution_pointer_log FINAL")[0][0],
        }
        for name, engine, partition, order, primary, comment, create in self.query(
            "SELECT name, engine_full, partition_key, sorting_key, primary_key, comment, create_table_query FROM system.tables "
            "WHERE database = currentDatabase() ORDER BY name"
        ):
            is_view = engine == ""
            parameters = dict(re.findall(r"\{(\w+):\s*([^}]+)\}", create)) if is_view else {}
            bound = ", ".join(f"{p} = CAST('{given[p]}' AS {t})" for p, t in sorted(parameters.items()))
            source = f"`{name}`({bound})" if bound else f"`{name}`" + ("" if is_view else " FINAL")
            comments = dict(
                self.query(
                    f"SELECT name, comment FROM system.columns WHERE database = currentDatabase() AND table = '{name}'"
                )
            )
            columns = tuple(
                Column(row[0], " ".join(row[1].split()), comments.get(row[0], row[4]))
                for row in self.query(f"DESCRIBE (SELECT * FROM {source})" if bound else f"DESCRIBE TABLE `{name}`")
            )
            keys = f"partition by ({partition}), order by ({order}), primary key ({primary})"
            head = f"{name}: {'view' if is_view else engine + ', ' + keys}" + (
                f", parameters {parameters}" if bound else ""
            )
            yield Table(name, f"{head}\n{comment}", source, is_view, columns)

    def contents(self, table: Table) -> str:
        """Every row, or digests and some rows."""
        [(rows,)] = self.query(f"SELECT count() FROM {table.source}")
        if table.name in WHO_WROTE:
            return "not compared: who wrote when\n"
        kept = [c for c in table.columns if c.name not in WHEN_OR_BY_WHOM]
        lines = [f"{rows} rows; not compared: {', '.join(c.name for c in table.columns if c not in kept) or 'nothing'}"]
        if rows <= ROWS_WRITTEN:
            lines += self._rows(kept, table.source)
        else:
            by_height = any(c.name == "height" for c in kept)
            part = (
                f" WHERE height % {EVERY_HEIGHT} = 0"
                if by_height and table.is_view and rows > VIEW_ROWS_DIGESTED
                else ""
            )
            lines += [f"digests{part}", *self._digests(kept, table.source + part)]
            where = f" WHERE height IN {HEIGHTS_SHOWN}" if by_height else " ORDER BY ALL LIMIT 20"
            lines += self._rows(kept, table.source + where)
        return "\n".join(lines) + "\n"

    def _rows(self, columns: list[Column], source: str) -> list[str]:
        names = ", ".join(
            f"hex(`{c.name}`) AS `{c.name}`" if "FixedString" in c.type else f"`{c.name}`" for c in columns
        )
        found = [str(row) for (row,) in self.query(f"SELECT formatRowNoNewline('JSONEachRow', {names}) FROM {source}")]
        return sorted(_without_versions(row) for row in found if f'"rule_id":"{LEADER}"' not in row)

    def _digests(self, columns: list[Column], source: str) -> list[str]:
        """A column's digest does not depend on the order of rows; that of `whole rows` changes when values change places."""
        hashes = [
            f"sipHash64({f'toJSONString(`{c.name}`)' if 'Nullable' in c.type else f'`{c.name}`'})" for c in columns
        ]
        sums = ", ".join(f"hex(sum({one}))" for one in [*hashes, f"sipHash64({', '.join(hashes)})"])
        [found] = self.query(f"SELECT {sums} FROM {source}")
        return [
            f"{name}  {digest}" for name, digest in zip([*(c.name for c in columns), "whole rows"], found, strict=True)
        ]

    def close(self) -> None:
        self._client.disconnect()


def _without_versions(row: str) -> str:
    """The row; where it holds an alerter's state, without the row versions in it."""
    if not any(name in row for name in TRACK_VERSIONS):
        return row
    found = json.loads(row)
    state = {name: value for name, value in json.loads(found["state"]).items() if name not in TRACK_VERSIONS}
    return json.dumps({**found, "state": state}, ensure_ascii=False)
