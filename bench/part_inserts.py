"""Blocks of rows as files in the engine's native form, and their insert within one process: the part of a line that no server costs.

    python -m bench.part_inserts FOLDER

The second process of `bench.parts`: it makes the tables of FOLDER, inserts its blocks in their order, reads what the alerter reads,
and prints the CPU seconds of both as JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from clickhouse_driver.block import ColumnOrientedBlock
from clickhouse_driver.bufferedwriter import BufferedSocketWriter

from counterpoise.clickhouse.array_client import ArrayClient, _PlainWriter
from counterpoise.clickhouse.columns import Column

TABLES: Final = "tables.json"
"""In the folder: {database, create, read}: statements that make the tables, and those that read."""
_BUFFER_BYTES: Final = 1 << 20
_NUMBERED = re.compile(r"(\d+)-([a-z_]+)\.native")


class _Bytes:
    """What the driver's buffer writes to, in place of a socket."""

    def __init__(self) -> None:
        self.data = bytearray()

    def sendall(self, data: bytes) -> None:
        self.data += data


def native_block(types: Mapping[str, str], columns: Mapping[str, Column]) -> bytes:
    """The columns as FORMAT Native has them, encoded as the client of the services encodes them."""
    context = ArrayClient("127.0.0.1", settings={"namedtuple_as_json": False}).connection.context  # connects to nobody
    context.server_info = SimpleNamespace(used_revision=0)
    target = _Bytes()
    block = ColumnOrientedBlock([(name, types[name]) for name in columns], list(columns.values()))
    _PlainWriter(BufferedSocketWriter(target, _BUFFER_BYTES), context).write(block)
    return bytes(target.data)


class RowFiles:
    """In place of a client: keeps what would be inserted, and counts the rows of each table."""

    def __init__(self, folder: Path, types: Mapping[str, Mapping[str, str]]) -> None:
        self._folder, self._types = folder, types
        self.rows: dict[str, int] = {}
        self.inserts = 0

    def insert(self, table: str, columns: Mapping[str, Column]) -> int:
        """Write the rows to a file; as `ClickHouse.insert`, none where there are none."""
        rows = len(next(iter(columns.values())))
        if rows:
            file = self._folder / f"{self.inserts:06d}-{table}.native"
            file.write_bytes(native_block(self._types[table], columns))
            self.inserts += 1
            self.rows[table] = self.rows.get(table, 0) + rows
        return rows

    def begin_insert(self, table: str, columns: Mapping[str, Column]) -> Generator[None, None, int]:
        """As `ClickHouse.begin_insert`."""
        yield
        return self.insert(table, columns)

    def beside(self, number: int) -> RowFiles:
        """As `ClickHouse.beside`: files need no further connection."""
        return self


def block_files(folder: Path) -> list[tuple[str, Path]]:
    """(table, file) in the order of the inserts."""
    found = [(match, file) for file in folder.iterdir() if (match := _NUMBERED.fullmatch(file.name))]
    return [(match[2], file) for match, file in sorted(found, key=lambda one: int(one[0][1]))]


def insert_all(connection: Any, database: str, files: Sequence[tuple[str, Path]]) -> float:
    """CPU seconds of this process, its threads included, in which the engine stores every block. The files are read before."""
    blocks = [(table, file.read_bytes()) for table, file in files]
    began = time.process_time()
    for table, block in blocks:
        insert = connection.send_insert(f"INSERT INTO {database}.{table}", "Native")
        connection.insert_append(insert, block)
        connection.insert_done(insert)
    return time.process_time() - began


def read_all(connection: Any, statements: Sequence[str]) -> float:
    """CPU seconds of the reading statements. Merges stand still meanwhile."""
    connection.query("SYSTEM STOP MERGES")
    began = time.process_time()
    for statement in statements:
        connection.query(statement, "Native")
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    from chdb import _chdb  # noqa: PLC0415 - the process that measures it alone has the engine

    plan = json.loads((folder / TABLES).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as data:
        connection = _chdb.connect(data)
        connection.query(f"CREATE DATABASE {plan['database']} ENGINE = Atomic")
        for statement in plan["create"]:
            connection.query(statement)
        inserted = insert_all(connection, plan["database"], block_files(folder))
        read = read_all(connection, plan["read"])
        connection.close()
    print(json.dumps({"insert": inserted, "read": read}))


if __name__ == "__main__":
    main()
