"""FORMAT Native in the form of a client's revision: over HTTP a client gives it as `client_protocol_version`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engines.clickhouse import native_blocks
from engines.clickhouse.described_column import Described
from engines.clickhouse.engine_session import Session
from engines.clickhouse.native_blocks import Block, ColumnHead
from engines.clickhouse.packets import KIND_BYTES
from engines.clickhouse.wire import ByteReader

_ZONES: Final = 54337  # DateTime('zone') with its zone


def zoned_types(
    session: Session, sql: str, parameters: Mapping[str, str], block: Block, described: list[Described] | None
) -> list[bytes] | None:
    """FORMAT Native drops the zone of a DateTime('zone') column: ask for the full types where there is one."""
    if not any(head.type == b"DateTime" for head in block.columns):
        return None
    described = described or session.describe_beside(sql, parameters)
    if not described or len(described) != len(block.columns):
        return None
    return [
        column.type.encode() if head.type == b"DateTime" else head.type
        for head, column in zip(block.columns, described, strict=True)
    ]


class NativeForm:
    """Turns what the engine writes as FORMAT Native for one statement into what a client of `revision` reads.

    Each block gets the block info in front of it, and by revision the zones of its types and the kind bytes. Revision 0
    changes nothing. Created before the statement runs: it may have to describe the statement first, if that is a SELECT.
    """

    def __init__(
        self, session: Session, sql: str, parameters: Mapping[str, str], revision: int, *, selects: bool
    ) -> None:
        self._session = session
        self._sql = sql
        self._parameters = parameters
        self._revision = revision
        self._types: list[bytes] | None = None
        self._first = True
        # Only this session can describe what reads its temporary tables, and only while nothing runs in it.
        wanted = selects and revision >= _ZONES and session.has_temporary_tables
        self._described = session.describe_query(sql, parameters) if wanted else None

    def __call__(self, data: bytes) -> bytes:
        """All blocks of `data`, which ends with a block."""
        if self._revision <= 0:
            return data
        kind_bytes = self._revision >= KIND_BYTES
        pieces: list[bytes] = []
        reader = ByteReader(data=data, limit_bytes=len(data))
        start = 0
        while start < len(data):
            block = native_blocks.walk(reader, kind_bytes=False)
            if self._first and self._revision >= _ZONES:
                self._types = zoned_types(self._session, self._sql, self._parameters, block, self._described)
            self._first = False
            moved = Block([ColumnHead(head.name, head.type, head.end - start) for head in block.columns], block.rows)
            pieces.append(native_blocks.BLOCK_INFO)
            pieces += native_blocks.from_native(
                data[start : reader.pos], moved, kind_bytes=kind_bytes, types=self._types
            )
            start = reader.pos
        return b"".join(pieces)
