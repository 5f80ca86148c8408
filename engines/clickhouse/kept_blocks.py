"""A few blocks of rows in the memory of this process, as a table that one statement reads.

A file without a name holds them for the length of the statement. Linux has such files; elsewhere nothing is kept.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

from engines.clickhouse.described_column import Described
from engines.clickhouse.native_blocks import walk
from engines.clickhouse.statement_routing import quote_identifier, quote_string, split_list
from engines.clickhouse.types import element_type
from engines.clickhouse.wire import ByteReader

FEW_BYTES: Final = 256 << 10
"""More than that is not kept: each connection may hold so much, and for many rows a table costs no more."""

_HAS_NAMELESS_FILES: Final = sys.platform == "linux" and Path("/proc/self/fd").is_dir()
_NULLABLE: Final = "Nullable("
_OF_OTHERS = re.compile(r"(?:Array|Tuple|Map)\((.*)\)", re.DOTALL)
# Types that a table function takes without further settings.
_PLAIN = re.compile(
    r"U?Int(?:8|16|32|64)|Float(?:32|64)|Bool|String|LowCardinality\(String\)|FixedString\([1-9]\d?\)|UUID|Date(?:32)?"
    r"|DateTime(?:\('UTC'\))?|DateTime64\(\d(?:, 'UTC')?\)|Enum(?:8|16)\(.*\)",
    re.DOTALL,
)


def can_keep(columns: Iterable[Described]) -> bool:
    """Whether blocks of these columns can be read back from memory."""
    return _HAS_NAMELESS_FILES and all(_is_plain(column.type) for column in columns)


@lru_cache(maxsize=1_000)
def _is_plain(spec: str) -> bool:
    if spec.startswith(_NULLABLE):  # of one value: a Nullable(Tuple(…)) needs a setting
        return _PLAIN.fullmatch(spec.removeprefix(_NULLABLE).removesuffix(")")) is not None
    if of_others := _OF_OTHERS.fullmatch(spec):
        return all(_is_plain(element_type(part)) for part in split_list(of_others[1]))
    return _PLAIN.fullmatch(spec) is not None


def is_as(block: bytes, columns: Sequence[Described]) -> bool:
    """Whether a block in the native form has exactly these columns, by name and type, in any order.

    Any other is converted where it enters a table: there NULL becomes the DEFAULT of its column, for example.
    """
    found = walk(ByteReader(data=block, limit_bytes=len(block)), kind_bytes=False).columns
    return sorted((head.name, head.type) for head in found) == sorted(
        (column.name.encode(), column.type.encode()) for column in columns
    )


@contextmanager
def as_table(blocks: Sequence[bytes], columns: Sequence[Described]) -> Iterator[str]:
    """A table function over the blocks, for the length of the block of code."""
    structure = ", ".join(f"{quote_identifier(column.name)} {column.type}" for column in columns)
    with os.fdopen(os.memfd_create("rows"), "wb") as file:
        file.writelines(blocks)
        file.flush()
        yield f"file('/proc/self/fd/{file.fileno()}', 'Native', {quote_string(structure)})"
