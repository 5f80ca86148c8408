"""The arithmetic of `bench.parts`, and the native form of rows that its second process inserts."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from bench.part_inserts import RowFiles, block_files, native_block
from bench.parts import COUNTED, TEXTS, Measured, portions, table
from counterpoise.clickhouse.columns import Column

PARTS = {"decode": 0.5, "validate": 1.0, "fold": 2.0, "rows": 9.0, "insert": 1.5, "read": 1.0}


def test_the_ratio_is_wall_time_by_the_counted_parts_of_all_cores() -> None:
    run = Measured(1_000, PARTS, {"producer": 4.0, "streams": 8.0}, wall=9.0)
    assert run.parts_seconds == 6.0
    assert run.ratio(cores=2) == 3.0
    assert run.ratio(cores=4) == 6.0
    assert set(COUNTED) == set(TEXTS) - {"rows"}


def test_a_table_has_medians_and_with_two_sides_their_ratio() -> None:
    slow = [Measured(1, PARTS, {"streams": seconds}, wall=9.0) for seconds in (30.0, 20.0, 700.0)]
    fast = [Measured(1, PARTS, {"streams": 15.0}, wall=6.0)]
    assert "| line: streams | 30.00 |" in table({"now": slow}, 2)
    both = table({"now": slow, "before": fast}, 2)
    assert both[0] == "| CPU seconds | now | before | ratio |"
    assert "| line: streams | 30.00 | 15.00 | 2.00 |" in both
    assert "| line: wall ÷ (parts ÷ 2 cores) | 3.00 | 2.00 | 1.50 |" in both


def test_portions_lose_nothing() -> None:
    assert [list(part) for part in portions(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_native_block_is_what_the_engine_reads() -> None:
    columns: dict[str, Column] = {"height": np.array([7, 8], np.uint32), "pool": ["a", "bc"]}
    assert native_block({"pool": "String", "height": "UInt32"}, columns) == (
        b"\x02\x02" + b"\x06height\x06UInt32" + struct.pack("<2I", 7, 8) + b"\x04pool\x06String" + b"\x01a\x02bc"
    )


def test_row_files_keep_the_order_of_the_inserts(tmp_path: Path) -> None:
    files = RowFiles(tmp_path, {"later_log": {"n": "UInt8"}, "first_log": {"n": "UInt8"}})
    for table_name in ("later_log", "first_log", "later_log"):
        files.insert(table_name, {"n": np.array([1], np.uint8)})
    assert files.insert("first_log", {"n": np.array([], np.uint8)}) == 0
    assert [name for name, _ in block_files(tmp_path)] == ["later_log", "first_log", "later_log"]
    assert files.rows == {"later_log": 2, "first_log": 1}
    with pytest.raises(KeyError):
        files.insert("unknown_log", {"n": [1]})
