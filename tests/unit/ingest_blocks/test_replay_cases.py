"""Files as people have them: dumps of explorers, spreadsheets of any separator and encoding."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shlex
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import ConfigError
from ingest.blocks.sources.replay_columns import NAMES, Layout
from ingest.blocks.sources.replay_source import ReplaySource
from testkit.manual_clock import ManualClock
from tests.shared import shared_cases

VERIFIES = [
    ("Blockchair, BigQuery", "dumps of 2024", "by shape", "columns, separators, encodings"),
]

BLOCKCHAIR: Final = (
    "id\thash\ttime\tbits\tcoinbase_data_hex\tguessed_miner\n"
    f"840000\t{'0' * 62}01\t2024-04-20 00:09:27\t386089497\t0340d10c192f5669614254432f\tViaBTC\n"
)
BIGQUERY: Final = (
    "hash,number,timestamp,bits,coinbase_param,transaction_count\n"
    f"{'0' * 62}01,840000,2024-04-20 00:09:27.000000 UTC,17034219,0340d10c192f5669614254432f,3050\n"
    f"{'0' * 62}02,840001,2024-04-20 00:12:07.000000 UTC,17034219,0341d10c2f466f756e6472792055534120506f6f6c,2980\n"
)


def events_of(path: Path) -> list[BlockEvent]:
    source = ReplaySource(path, "bitcoin", ManualClock())
    return [event for batch in source.blocks(0, 10**9) for event in batch.events]


def test_a_dump_of_blockchair(tmp_path: Path) -> None:
    path = tmp_path / "blockchair.tsv"
    path.write_text(BLOCKCHAIR)
    [event] = events_of(path)
    assert (event.height, event.hash, event.time) == (840_000, "0" * 62 + "01", 1_713_571_767)
    assert (event.bits, event.label, event.synthetic) == (386_089_497, "ViaBTC", False)
    assert bytes.fromhex(event.coinbase_script).endswith(b"/ViaBTC/")


def test_a_table_of_bigquery(tmp_path: Path) -> None:
    path = tmp_path / "bigquery.csv"
    path.write_text(BIGQUERY)
    first, second = events_of(path)
    assert [first.height, second.height] == [840_000, 840_001]
    assert [first.time, second.time] == [1_713_571_767, 1_713_571_927]
    assert (first.prev_hash, second.prev_hash) == ("0" * 64, first.hash)
    assert first.bits == second.bits == 0x1703_4219
    assert bytes.fromhex(second.coinbase_script).endswith(b"/Foundry USA Pool")


def test_hashes_without_parents_need_each_height(tmp_path: Path) -> None:
    path = tmp_path / "bigquery.csv"
    path.write_text(BIGQUERY.replace("840001", "840002"))
    with pytest.raises(ConfigError, match="row 2: height 840002 follows 840000, expected 840001"):
        events_of(path)


def test_milliseconds_after_texts_are_refused_at_their_row(tmp_path: Path) -> None:
    path = tmp_path / "mempool-utc.csv"
    rows = "840000,2024-04-20T00:09:27+00:00,ViaBTC\n840001,2024-04-20 00:12:07,Foundry USA\n"
    path.write_text(f"height,timestamp,pool\n{rows}840002,1713572400000,AntPool\n")
    with pytest.raises(ConfigError, match="column 'timestamp', row 3: '1713572400000': expected a time in UTC"):
        events_of(path)
    path.write_text(f"height,timestamp,pool\n{rows}")
    assert [event.time for event in events_of(path)] == [1_713_571_767, 1_713_571_927]


def read_blockchair(path: Path) -> list[object]:
    return [(e.height, e.label, e.bits, bytes.fromhex(e.coinbase_script)[-8:]) for e in events_of(path)]


def read_bigquery(path: Path) -> list[object]:
    return [(e.height, e.time, e.synthetic, bytes.fromhex(e.coinbase_script)[4:]) for e in events_of(path)]


def read_mempool(path: Path) -> list[object]:
    with pytest.raises(ConfigError) as caught:
        events_of(path)
    return [str(caught.value).removeprefix(f"{path}: ")]


RIGHT: Final[dict[str, tuple[Callable[[Path], list[object]], list[object]]]] = {
    "blockchair.tsv": (read_blockchair, [(840_000, "ViaBTC", 386_089_497, b"/ViaBTC/")]),
    "bigquery.csv": (
        read_bigquery,
        [
            (840_000, 1_713_571_767, False, b"\x19/ViaBTC/"),
            (840_001, 1_713_571_927, False, b"/Foundry USA Pool"),
        ],
    ),
    "mempool-utc.csv": (
        read_mempool,
        [
            "column 'timestamp', row 3: '1713572400000': expected a time in UTC: seconds since 1970, a timestamp, or text like "
            "2024-06-01T12:00:00Z"
        ],
    ),
}


def test_every_reported_file_has_its_right_answer() -> None:
    files = sorted(shared_cases("replay").iterdir())
    assert {file.name: RIGHT[file.name][0](file) for file in files} == {
        name: right for name, (_, right) in RIGHT.items()
    }


def test_an_id_beside_a_height_is_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "mempool.csv"
    path.write_text(f"id,height,timestamp,pool\n{'ab' * 32},7,1700000000,x\n")
    [event] = events_of(path)
    assert (event.height, event.hash) == (7, "ab" * 32)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_separator_encoding_and_line_end_gives_the_same_rows(
    tmp_path: Path, encoding: str, separator: str, end: str
) -> None:
    rows = [("Height", "Block_Time", "Pool"), ("7", "1700000000", "七彩神仙鱼"), ("8", "1700000600", '"A, B; C|D"')]
    path = tmp_path / "blocks.csv"
    path.write_bytes("".join(separator.join(row) + end for row in rows).encode(encoding))
    assert [(e.height, e.time, e.label) for e in events_of(path)] == [
        (7, 1_700_000_000, "七彩神仙鱼"),
        (8, 1_700_000_600, "A, B; C|D"),
    ]


@given(st.data())
def test_every_spelling_of_every_name_is_found(data: st.DataObject) -> None:
    def spelt(field: str) -> str:
        name = data.draw(st.sampled_from(NAMES[field]))
        return "".join(data.draw(st.sampled_from((c, c.upper(), f"_{c}", f" {c}", f"-{c}"))) for c in name)

    wanted = {field: spelt(field) for field in ("height", "time", "label", "script", "bits")}
    layout = Layout.detect(Path("x.csv"), data.draw(st.permutations([*wanted.values(), "transaction_count"])))
    assert {field: getattr(layout, field) for field in wanted} == wanted
    assert layout.hash is None


def zipped(raw: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("blocks.csv", raw)
    return written.getvalue()


@pytest.mark.parametrize(
    ("pack", "program"),
    [
        (gzip.compress, "gunzip --keep"),
        (bz2.compress, "bunzip2 --keep"),
        (partial(lzma.compress, format=lzma.FORMAT_XZ), "unxz --keep"),
        (lambda raw: bytes(cramjam.zstd.compress(raw)), "unzstd"),
        (zipped, "unzip"),
    ],
    ids=["gz", "bz2", "xz", "zst", "zip"],
)
@pytest.mark.parametrize("name", ["blocks 1.csv", "blocks.tsv.packed", "blocks.parquet", "blocks.jsonl"])
def test_a_packed_file_names_the_program_that_unpacks_it(
    tmp_path: Path, pack: Callable[[bytes], bytes], program: str, name: str
) -> None:
    """Blockchair's dumps are packed, and a name often hides it."""
    path = tmp_path / name
    path.write_bytes(pack(b"height,time,pool\n1,1700000000,antpool\n"))
    with pytest.raises(ConfigError) as caught:
        ReplaySource(path, "bitcoin", ManualClock()).tip()
    assert str(caught.value) == f"{path}: it is a packed file: unpack it first ({program} {shlex.quote(str(path))})"


def test_a_spreadsheet_is_to_be_saved_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "blocks.xlsx"
    path.write_bytes(zipped(b"<worksheet/>"))
    with pytest.raises(ConfigError, match="it is a spreadsheet: save the sheet as CSV"):
        ReplaySource(path, "bitcoin", ManualClock()).tip()
