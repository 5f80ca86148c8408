"""Every mistake of a file at once, and heights that it leaves out: generated files against what was done to them."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import ConfigError
from ingest.blocks.sources import replay_formats
from ingest.blocks.sources.replay_faults import MAX_SHOWN
from ingest.blocks.sources.replay_gaps import MAX_GAP_BLOCKS
from ingest.blocks.sources.replay_source import ReplaySource
from testkit.manual_clock import ManualClock

NAMES = ("height", "time", "pool", "coinbase", "bits")
BAD = {"height": "x1", "time": "soon", "coinbase": "0g", "bits": "0", "pool": "p" * 129}
MISTAKE = {
    "height": "a whole number, 0 to 2147483647",
    "time": "a time in UTC: seconds since 1970, a timestamp, or text like 2024-06-01T12:00:00Z",
    "coinbase": "an even number of hexadecimal digits, at most 2000",
    "bits": "a compact target: eight hexadecimal digits or a whole number",
    "pool": "text of at most 128 characters",
}


def problems(path: Path, **how: Any) -> tuple[int, list[str]]:
    """The number of mistakes, and those that are listed."""
    with pytest.raises(ConfigError) as caught:
        ReplaySource(path, "bitcoin", ManualClock(), **how).tip()
    notes = getattr(caught.value, "__notes__", [])
    head = str(caught.value).removeprefix(str(path))
    if not notes:
        return 1, [head.removeprefix(": ").split(". ")[0]]
    assert head.split(" mistakes, the first: ")[1].split(". ")[0] == notes[0].strip()
    others = [note for note in notes if note.startswith("  and ")]
    return int(head.split()[1].replace(",", "")), [note.strip() for note in notes if note not in others]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_each_bad_cell_and_row_is_listed_once_with_its_place(folder: Path, data: st.DataObject) -> None:
    rows = [[str(100 + n), str(1_700_000_000 + n), "antpool", "03aa", "1d00ffff"] for n in range(12)]
    cells = st.tuples(st.integers(0, 11), st.sampled_from(NAMES))
    wanted = []
    for n, name in data.draw(st.sets(cells, max_size=10)):
        rows[n][NAMES.index(name)] = BAD[name]
        wanted.append((n + 1, name, f"column {name!r}, row {n + 1}: {repr(BAD[name])[:80]}: expected {MISTAKE[name]}"))
    torn = data.draw(st.sets(st.integers(0, 11), max_size=3))
    for n in torn:
        rows[n].append("more")
        wanted = [one for one in wanted if one[0] != n + 1]
        wanted.append((n + 1, "", f"row {n + 1}: 6 columns: expected 5"))
    path = folder / "blocks.csv"
    path.write_text("".join(",".join(row) + "\n" for row in [list(NAMES), *rows]))
    if not wanted:
        assert ReplaySource(path, "bitcoin", ManualClock()).facts.rows == 12
        return
    count, listed = problems(path)
    # A row that is torn off leaves a gap in heights, too.
    gaps = [one for one in listed if " follows " in one]
    assert sorted(one for one in listed if one not in gaps) == sorted(one for _, _, one in wanted)
    assert count == len(listed) and (torn or not gaps)
    assert [int(one.split("row ")[1].split(":")[0]) for one in listed] == sorted(
        int(one.split("row ")[1].split(":")[0]) for one in listed
    )


def test_rows_after_one_that_is_skipped_keep_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_formats, "_CSV_BLOCK_BYTES", 64)
    path = tmp_path / "blocks.csv"
    lines = [f"{n},{n},x" for n in range(40)]
    lines[20] = "20,20"
    lines[30] = "30,then,x"
    path.write_text("\n".join(["height,time,pool", *lines]) + "\n")
    _, listed = problems(path)
    assert [one.split(": ")[0] for one in listed] == ["row 21", "column 'height', row 22", "column 'time', row 31"]


def test_mistakes_are_bounded_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "blocks.csv"
    path.write_text("height,time,pool\n" + "".join(f"{n},never,x\n" for n in range(9_000)))
    count, listed = problems(path)
    assert count == 9_000
    assert [one.split(":")[0] for one in listed] == [f"column 'time', row {n + 1}" for n in range(MAX_SHOWN)]


def test_bytes_of_another_encoding_are_named_with_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "blocks.csv"
    path.write_bytes("height,time,pool\n1,1,Zürich\n2,2,x\n3,never,Böhmen\n".encode("latin-1"))
    assert problems(path) == (
        3,
        [
            "row 1: byte 0xfc is not UTF-8",
            "row 3: byte 0xf6 is not UTF-8",
            f"column 'time', row 3: 'never': expected {MISTAKE['time']}",
        ],
    )


def test_each_line_that_is_no_json_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "blocks.jsonl"
    rows = ['{"height":1,"time":1,"pool":"x"}', "[1]", '{"height":2,"time":2,"pool":"x"}', "{"]
    path.write_text("\ufeff" + "\n".join(rows) + "\n")
    assert problems(path) == (
        2,
        [
            "row 2: expected a JSON object on each line",
            "row 4: not JSON: EOF while parsing an object at line 2 column 0",
        ],
    )


def block_hash(n: int) -> str:
    return sha256(str(n).encode()).hexdigest()


def rows_of(heights: list[int], hashes: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [{"height": h, "time": 1_700_000_000 + 600 * h, "pool": "antpool"} for h in heights]
    for row, h in zip(rows, heights, strict=True):
        if hashes:
            row["hash"] = block_hash(h)
        if hashes == "both":
            row["prev_hash"] = block_hash(h - 1)
    return rows


def events_of(path: Path, low: int = 0, high: int = 10**9) -> list[BlockEvent]:
    source = ReplaySource(path, "bitcoin", ManualClock(), fills_gaps=True)
    return [event for batch in source.blocks(low, high) for event in batch.events]


@settings(max_examples=60, deadline=None)
@given(
    kept=st.sets(st.integers(1, 60), min_size=1, max_size=50),
    hashes=st.sampled_from(["", "hash", "both"]),
    chunk=st.sampled_from([1, 3, 4_096]),
)
def test_a_gap_is_refused_or_filled_so_that_every_height_counts_once(
    folder: Path, kept: set[int], hashes: str, chunk: int
) -> None:
    heights = sorted(kept)
    path = folder / "gaps.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(heights, hashes)))
    breaks = sum(after - before > 1 for before, after in pairwise(heights))
    if breaks:
        assert problems(path)[0] == breaks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_formats, "CHUNK_ROWS", chunk)
        events = events_of(path)
        assert events_of(path, heights[0], heights[-1] - 1) == events[:-1]
    assert [event.height for event in events] == list(range(heights[0], heights[-1] + 1))
    assert [event.prev_hash for event in events[1:]] == [event.hash for event in events[:-1]]
    assert [event.time for event in events] == [1_700_000_000 + 600 * event.height for event in events]
    for event in events:
        known = event.height in kept
        named = hashes == "both" and event.height + 1 in kept
        assert event.label == ("antpool" if known else None)
        assert (event.hash == block_hash(event.height)) == (bool(known and hashes) or named) != event.synthetic


def test_branches_need_each_parent(tmp_path: Path) -> None:
    path = tmp_path / "branches.jsonl"
    rows = rows_of([5, 6, 7], "both")
    stale = {**rows[1], "hash": block_hash(60)}
    path.write_text("".join(json.dumps(row) + "\n" for row in [rows[0], stale, rows[2], rows[1]]))
    assert ReplaySource(path, "bitcoin", ManualClock()).facts.rows == 4
    orphan = {**rows[1], "hash": block_hash(61), "prev_hash": block_hash(62)}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, orphan]))
    problem = "column 'prev_hash', row 4: the block before height 6 is not in the file"
    assert problems(path) == (1, [problem])
    assert problems(path, fills_gaps=True) == (1, [problem])


def test_a_gap_of_more_than_a_year_is_not_filled(tmp_path: Path) -> None:
    path = tmp_path / "far.csv"
    path.write_text(f"height,time,pool\n1,5,x\n{MAX_GAP_BLOCKS + 3},6,x\n")
    _, [problem] = problems(path, fills_gaps=True)
    assert problem.endswith(f"expected 2: at most {MAX_GAP_BLOCKS:,} blocks are filled")
    path.write_text(f"height,time,pool\n1,5,x\n{MAX_GAP_BLOCKS + 2},6,x\n")
    assert ReplaySource(path, "bitcoin", ManualClock(), fills_gaps=True).facts.filled == MAX_GAP_BLOCKS
