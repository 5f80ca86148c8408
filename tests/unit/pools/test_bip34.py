"""BIP34 heights: the published vectors, real scripts, and bytes that are no script at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.pools.bip34 import coinbase_height
from tests.shared import shared_data


def test_every_published_vector() -> None:
    vectors = [
        v for v in json.loads(shared_data("vectors/metric_vectors.json").read_text()) if v["metric"] == "bip34_height"
    ]
    assert len(vectors) == 15
    assert [coinbase_height(bytes.fromhex(v["input"])) for v in vectors] == [v["expected"] for v in vectors]


def test_every_real_stale_block_says_what_its_reference_says() -> None:
    rows = [json.loads(line) for line in shared_data("coinbases/stale_coinbases.jsonl").read_text().splitlines()]
    assert len(rows) == 317
    assert [coinbase_height(bytes.fromhex(row["scriptsig"])) for row in rows] == [row["bip34_height"] for row in rows]


@pytest.mark.parametrize(
    ("script", "height"),
    [
        ("", None),
        ("51", 1),  # OP_1…OP_16 are how heights 1…16 are pushed
        ("60", 16),
        ("61", None),
        ("4f", None),  # OP_1NEGATE
        ("0180", None),  # a negative number
        ("028000", 128),  # the zero byte keeps it positive
        ("03b4c50c1b", 837044),
    ],
)
def test_edges(script: str, height: int | None) -> None:
    assert coinbase_height(bytes.fromhex(script)) == height


def test_a_script_before_bip34_claims_no_height_of_the_chain() -> None:
    script = bytes.fromhex("04ffff001d026f03")  # height 10000: the push is the compact target
    assert coinbase_height(script) == 0x1D00FFFF
    assert coinbase_height(bytes.fromhex("03b4c50c1b")) == 837_044


@given(st.binary(max_size=120))
def test_never_raises(script: bytes) -> None:
    height = coinbase_height(script)
    assert height is None or 0 <= height < 1 << 31
