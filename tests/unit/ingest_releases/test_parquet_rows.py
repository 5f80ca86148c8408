"""Parquet files that decode to far more than they weigh: refused before the memory is taken."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from counterpoise.errors import DeadLetterError
from ingest.releases.mapping import parquet_rows as module
from ingest.releases.mapping.parquet_rows import parquet_rows


def packed(table: Any, **how: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", **how)
    return out.getvalue()


MEGABYTE = "x" * 1_000_000


def repeated(times: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([MEGABYTE]))


def dictionary() -> bytes:
    """4.7 GB of text: one value, 4,700 times."""
    return packed(pa.table({"who": repeated(4_700)}))


def list_of_texts() -> bytes:
    return packed(pa.table({"who": pa.ListArray.from_arrays([0, 4_700], repeated(4_700))}))


def deltas() -> bytes:
    texts = [MEGABYTE[:-4] + f"{n:04d}" for n in range(60)]
    return packed(pa.table({"who": texts}), use_dictionary=False, column_encoding={"who": "DELTA_BYTE_ARRAY"})


def zeros() -> bytes:
    return packed(pa.table({"who": ["\0" * 60_000_000]}), use_dictionary=False)


def list_of_numbers() -> bytes:
    values = pa.array([7], pa.int64()).take(pa.array([0] * 12_000_000, pa.int32()))
    return packed(pa.table({"n": pa.ListArray.from_arrays([0, len(values)], values)}))


READING = """
import resource, sys
from pathlib import Path
from counterpoise.errors import DeadLetterError
from ingest.releases.mapping import parquet_rows as module
module.MAX_DECODED_BYTES = 16 * 1024**2
content = Path(sys.argv[1]).read_bytes()
if sys.platform == "linux":
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 192 * 1024**2
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
try:
    module.parquet_rows(content, "bomb.parquet")
except DeadLetterError as error:
    print(error.reason)
"""


@pytest.mark.parametrize("bomb", [dictionary, list_of_texts, deltas, zeros, list_of_numbers])
def test_a_small_file_of_much_is_refused_in_little_memory(bomb: Any, tmp_path: Any) -> None:
    """In a process whose memory is bounded by the kernel: a refusal that first decodes would fail there."""
    content = bomb()
    assert len(content) < 2_000_000
    path = tmp_path / "bomb.parquet"
    path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", READING, str(path)], check=False, capture_output=True, text=True, timeout=120
    )
    assert (done.stdout.strip(), done.stderr[-2_000:]) == ("too-large", "")


def test_rows_of_every_kind_of_column_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"who": f"owner {n}", "usd": n, "tags": ["a", "b"] if n % 2 else None} for n in range(1_000)]
    content = packed(pa.Table.from_pylist(rows), row_group_size=300)
    expected = [{name: value for name, value in row.items() if value is not None} for row in rows]
    assert parquet_rows(content, "a.parquet") == expected
    monkeypatch.setattr(module, "MAX_DECODED_BYTES", 900_000)
    assert parquet_rows(content, "a.parquet") == expected
    monkeypatch.setattr(module, "MAX_DECODED_BYTES", 20_000)
    with pytest.raises(DeadLetterError, match="decodes to more than 20000 bytes"):
        parquet_rows(content, "a.parquet")


def test_what_is_no_parquet_is_named() -> None:
    with pytest.raises(DeadLetterError, match=r"a\.parquet: not Parquet: "):
        parquet_rows(b"PAR1 and nothing", "a.parquet")
