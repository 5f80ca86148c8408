"""Files of blocks in three formats: what is read, what is derived, and every mistake's own line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import ConfigError
from ingest.blocks.sources import replay_formats
from ingest.blocks.sources.replay_source import ReplaySource
from testkit.manual_clock import ManualClock
from tests.shared import shared_data

ROWS: list[dict[str, Any]] = [
    {"height": 100, "time": 1_700_000_000, "pool": "antpool"},
    {"height": 101, "time": 1_700_000_600, "pool": "f2pool"},
    {"height": 102, "time": 1_700_000_500, "pool": "unknown"},
    {"height": 103, "time": 1_700_001_900, "pool": None},
]


def events_of(path: Path, first: int = 0, last: int = 10**9) -> list[BlockEvent]:
    source = ReplaySource(path, "bitcoin", ManualClock())
    return [event for batch in source.blocks(first, last) for event in batch.events]


def as_csv(directory: Path) -> Path:
    path = directory / "blocks.csv"
    lines = [f"{row['height']},{row['time']},{row['pool'] or ''}" for row in ROWS]
    path.write_text("\n".join(["height,time,pool", *lines]) + "\n")
    return path


def as_jsonl(directory: Path) -> Path:
    path = directory / "blocks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def as_parquet(directory: Path) -> Path:
    path = directory / "blocks.parquet"
    times = [datetime.fromtimestamp(row["time"], UTC) for row in ROWS]
    columns = {
        "Height": pa.array([row["height"] for row in ROWS], pa.uint32()),
        "date": pa.array(times, pa.timestamp("us", "UTC")),
        "pool_slug": pa.array([row["pool"] for row in ROWS], pa.string()).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("write", [as_csv, as_jsonl, as_parquet])
def test_every_format_gives_the_same_blocks(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    events = events_of(write(tmp_path))
    assert [(e.height, e.time, e.label) for e in events] == [
        (100, 1_700_000_000, "antpool"),
        (101, 1_700_000_600, "f2pool"),
        (102, 1_700_000_500, None),
        (103, 1_700_001_900, None),
    ]
    assert all(e.synthetic and e.bits == 0x1D00FFFF and e.source == "replay" for e in events)
    assert events == events_of(as_csv(tmp_path))


def test_hashes_are_a_chain_and_the_same_every_time(tmp_path: Path) -> None:
    events = events_of(as_csv(tmp_path))
    assert events[0].prev_hash == "0" * 64
    assert [e.prev_hash for e in events[1:]] == [e.hash for e in events[:-1]]
    assert len({e.hash for e in events}) == 4
    assert [e.hash for e in events] == [e.hash for e in events_of(as_csv(tmp_path))]


@pytest.mark.parametrize("rows_in_chunk", [1, 2, 3, 4_096])
def test_a_part_of_a_file_has_the_hashes_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_in_chunk: int
) -> None:
    whole = events_of(as_jsonl(tmp_path))
    monkeypatch.setattr(replay_formats, "CHUNK_ROWS", rows_in_chunk)
    assert events_of(as_jsonl(tmp_path), 102, 102) == whole[2:3]
    assert events_of(as_jsonl(tmp_path), 101, 10**9) == whole[1:]
    assert events_of(as_jsonl(tmp_path), 0, 99) == []
    assert events_of(as_jsonl(tmp_path), 104, 200) == []


def test_another_row_before_gives_other_hashes_after(tmp_path: Path) -> None:
    path = as_csv(tmp_path)
    before = events_of(path)
    path.write_text(path.read_text().replace("f2pool", "viabtc"))
    after = events_of(path)
    assert [a.hash == b.hash for a, b in zip(before, after, strict=True)] == [True, False, False, False]


def test_tip_says_where_the_file_begins_and_ends(tmp_path: Path) -> None:
    tip = ReplaySource(as_csv(tmp_path), "bitcoin", ManualClock()).tip()
    assert (tip.lowest_height, tip.height) == (100, 103)


def test_evidence_and_real_hashes_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    a, b, c = "0a" * 32, "0b" * 32, "0c" * 32
    rows = [
        {
            "height": 7,
            "timestamp": "2024-06-01T00:00:00Z",
            "hash": a,
            "prev": "09" * 32,
            "scriptsig": "03AABB",
            "bits": "1d00ffff",
        },
        {
            "height": 8,
            "timestamp": "2024-06-01T00:10:00+00:00",
            "hash": b,
            "prev": a,
            "addresses": ["x", "y"],
            "bits": 5,
        },
        {"height": 8, "timestamp": "2024-06-01 00:11:00", "hash": c, "prev": a, "addresses": "x y", "fees": 12},
    ]
    for row in rows:
        row.setdefault("scriptsig", None)
        row.setdefault("addresses", None)
        row.setdefault("bits", None)
        row.setdefault("fees", None)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    events = events_of(path)
    assert [e.hash for e in events] == [a, b, c]
    assert [e.prev_hash for e in events] == ["09" * 32, a, a]
    assert [e.time for e in events] == [1_717_200_000, 1_717_200_600, 1_717_200_660]
    assert [e.bits for e in events] == [0x1D00FFFF, 5, 0x1D00FFFF]
    assert [e.coinbase_script for e in events] == ["03aabb", "", ""]
    assert [e.payout_addresses for e in events] == [(), ("x", "y"), ("x", "y")]
    assert [e.fees_sats for e in events] == [None, None, 12]
    assert not any(e.synthetic for e in events)
    assert [e.hash for e in events_of(path, 8, 8)] == [b, c]


@pytest.mark.parametrize("hashes", [False, True])
@pytest.mark.parametrize(
    "names", [("transaction_count", "size", "weight"), ("tx_count", "size_bytes", "Weight"), ("nTx", "Size", "weight")]
)
def test_contents_of_blocks_are_read_and_what_is_none_is_left_out(
    tmp_path: Path, names: tuple[str, str, str], hashes: bool
) -> None:
    given = [(3_000, 1_500_000, 3_990_000), (1, 0, -4), ("", "many", "3990000"), (None, 2**40, 4_000_000)]
    path = tmp_path / "contents.csv"
    lines = ["height,time,pool," + ",".join(names) + (",hash,prev_hash" if hashes else "")]
    for at, cells in enumerate(given):
        written = ["" if cell is None else str(cell) for cell in cells]
        chained = [f"{at + 1:064x}", f"{at:064x}"] if hashes else []
        lines.append(",".join([str(7 + at), str(1_717_200_000 + 600 * at), "antpool", *written, *chained]))
    path.write_text("\n".join(lines) + "\n")
    assert [(e.transactions, e.size_bytes, e.weight) for e in events_of(path)] == [
        (3_000, 1_500_000, 3_990_000),
        (1, None, None),
        (None, None, 3_990_000),
        (None, None, 4_000_000),
    ]


TIME = "expected a time in UTC: seconds since 1970, a timestamp, or text like 2024-06-01T12:00:00Z"
FILL = "Replay with --gaps unknown (or COUNTERPOISE_INGEST__REPLAY__GAPS=unknown) to count them as unknown"

HEIGHT = "height or blockheight or number or blocknumber or blockid or id"

MISTAKES: list[tuple[str, str, str]] = [
    (
        "a.csv",
        "height,pool\n1,x\n",
        "no column for time: expected one named time or timestamp or date or headertime or blocktime; it has: height, pool",
    ),
    ("a.csv", "time,pool\n1,x\n", f"no column for height: expected one named {HEIGHT}; it has: time, pool"),
    (
        "a.csv",
        "height,time\n1,5\n",
        "no column names the producer: expected a column pool, coinbase_script or payout_addresses; it has: height, time",
    ),
    (
        "a.csv",
        "height,time,pool,prev\n1,5,x,y\n",
        "it has a column for prev_hash and none for hash: give both, hash alone, or neither",
    ),
    (
        "a.csv",
        "height,time,pool\n1,5,x\nzwei,6,y\n",
        "column 'height', row 2: 'zwei': expected a whole number, 0 to 2147483647",
    ),
    (
        "a.csv",
        "height,time,pool\n1,5,x\n,6,y\n",
        "column 'height', row 2: it is empty: expected a whole number, 0 to 2147483647",
    ),
    ("a.csv", "height,time,pool\n-1,5,x\n", "column 'height', row 1: '-1': expected a whole number, 0 to 2147483647"),
    ("a.csv", "height,time,pool\n1e3,5,x\n", "column 'height', row 1: '1e3': expected a whole number, 0 to 2147483647"),
    (
        "a.csv",
        "height,time,pool\n1,5,x\n2,yesterday,x\n",
        f"column 'time', row 2: 'yesterday': {TIME}",
    ),
    (
        "a.csv",
        "height,time,pool\n1,1700000000000,x\n",
        f"column 'time', row 1: '1700000000000': {TIME}",
    ),
    (
        "a.csv",
        "height,time,pool\n1,5,x\n3,6,x\n",
        f"column 'height', row 2: height 3 follows 1, expected 2. {FILL}",
    ),
    (
        "a.csv",
        "height,time,pool\n1,5,x\n1,6,x\n",
        "column 'height', row 2: height 1 follows 1, expected 2. Sort the file by height, with one row for each",
    ),
    (
        "a.csv",
        f"height,time,pool\n1,5,{'x' * 129}\n",
        f"column 'pool', row 1: '{'x' * 79}: expected text of at most 128 characters",
    ),
    (
        "a.csv",
        "height,time,coinbase\n1,5,03aa\n2,6,xyz\n",
        "column 'coinbase', row 2: 'xyz': expected an even number of hexadecimal digits, at most 2000",
    ),
    (
        "a.csv",
        f"height,time,pool,hash,prev\n1,5,x,{'0a' * 32},{'0b' * 31}\n",
        f"column 'prev', row 1: '{'0b' * 31}': expected 64 hexadecimal digits",
    ),
    (
        "a.csv",
        "height,time,pool,bits\n1,5,x,0\n",
        "column 'bits', row 1: '0': expected a compact target: eight hexadecimal digits or a whole number",
    ),
    ("a.csv", "height,time,pool\n", "it has no rows: a replay needs at least one block"),
    ("a.csv", "", f"no column for height: expected one named {HEIGHT}; it has: none"),
    (
        "a.jsonl",
        '{"height":1,"time":5,"pool":"x"}\n{"height":2,\n',
        "row 2: not JSON: EOF while parsing a value at line 2 column 0",
    ),
    ("a.jsonl", "[1]\n", "row 1: expected a JSON object on each line"),
    (
        "a.jsonl",
        '{"height":true,"time":5,"pool":"x"}\n',
        "column 'height', row 1: 'True': expected a whole number, 0 to 2147483647",
    ),
    (
        "a.jsonl",
        '{"height":1.5,"time":5,"pool":"x"}\n',
        "column 'height', row 1: '1.5': expected a whole number, 0 to 2147483647",
    ),
    ("a.txt", "x", "the ending '.txt' is not known: expected .parquet, .csv, .tsv, .jsonl or .ndjson"),
]


@pytest.mark.parametrize(("name", "text", "message"), MISTAKES)
def test_each_mistake_has_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        ReplaySource(path, "bitcoin", ManualClock()).tip()
    assert str(caught.value) == f"{path}: {message}"


def test_a_missing_file_says_what_to_give(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    with pytest.raises(
        ConfigError, match="no such file: a replay takes a Parquet, CSV or JSON lines file, or the word figures"
    ):
        ReplaySource(path, "bitcoin", ManualClock()).tip()


def test_a_text_that_is_called_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("height,time,pool\n")
    with pytest.raises(ConfigError, match="not a readable Parquet file"):
        ReplaySource(path, "bitcoin", ManualClock()).tip()


def test_a_csv_row_with_too_many_cells_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("height,time,pool\n1,5,x\n2,6,y,z\n")
    with pytest.raises(ConfigError, match="row 2: 4 columns: expected 3"):
        ReplaySource(path, "bitcoin", ManualClock()).tip()


def test_the_real_blocks() -> None:
    source = ReplaySource(shared_data("blocks/mainnet_664063_946236.parquet"), "bitcoin", ManualClock())
    assert (source.facts.rows, source.facts.lowest_height, source.facts.highest_height) == (282_174, 664_063, 946_236)
    last = [event for batch in source.blocks(946_235, 946_236) for event in batch.events]
    assert [(e.height, e.label) for e in last] == [(946_235, "viabtc"), (946_236, "poolin")]
    assert datetime.fromtimestamp(last[1].time, UTC) == datetime(2026, 4, 22, 21, 50, 3, tzinfo=UTC)
