"""Contracts and arrays as columns: every column of the table is there, with the value that the contract holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from counterpoise.clickhouse.columns import Column, as_list
from counterpoise.clickhouse.rows.alert_event_rows import alert_event_columns
from counterpoise.clickhouse.rows.attribution_rows import attribution_columns
from counterpoise.clickhouse.rows.block_rows import block_columns, coded, packed_hashes
from counterpoise.clickhouse.rows.concentration_rows import concentration_columns, tombstone_columns
from counterpoise.clickhouse.rows.dead_letter_rows import dead_letter_columns
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.dead_letters import DeadLetter
from counterpoise.metrics.stored_integers import STORED_COLUMNS
from counterpoise.pools.attribution import Attribution, Candidate
from tests.unit.clickhouse.declared_columns import stored_columns_of


def row(columns: dict[str, Column], place: int = 0) -> dict[str, Any]:
    return {name: as_list(column)[place] for name, column in columns.items()}


BLOCK = BlockEvent(
    chain="bitcoin",
    height=800_000,
    hash="00" * 3 + "ab" * 29,
    prev_hash="00" * 32,
    time=1_690_168_629,
    bits=0x17053894,
    coinbase_script="03a0bc0c",
    payout_addresses=("bc1qa", "bc1qb"),
    source="mempool",
    seen_at_ms=1_690_168_700_123,
)


def test_blocks() -> None:
    bare = BLOCK.model_copy(update={"fees_sats": 7, "label": "AntPool", "payout_addresses": (), "synthetic": True})
    columns = block_columns([BLOCK, bare], ["canonical", "parked"], 9)
    assert list(columns) == stored_columns_of("blocks_log")
    first, second = row(columns), row(columns, 1)
    assert bytes(first["hash"]).hex() == BLOCK.hash
    assert (first["time"], first["seen_at"]) == (1_690_168_629_000, 1_690_168_700_123)
    assert first["coinbase_script"] == bytes.fromhex("03a0bc0c")
    assert (first["fees_sats"], second["fees_sats"]) == (None, 7)
    contents = {
        "transactions": 3_823, "size_bytes": 1_578_209, "weight": 3_993_461, "match_ratio": 1.0, "similarity_ratio": 0.25,
        "expected_fees_sats": 0, "expected_weight": 3_991_920,
    }  # fmt: skip
    whole = block_columns([BLOCK, BLOCK.model_copy(update=contents)], ["canonical", "canonical"], 9)
    assert [row(whole)[name] for name in contents] == [None] * len(contents)
    assert [row(whole, 1)[name] for name in contents] == list(contents.values())
    assert (first["status"], second["status"]) == (2, 0)
    assert (first["label"], second["label"]) == ("", "AntPool")
    assert (first["payout_addresses"], second["payout_addresses"]) == (["bc1qa", "bc1qb"], [])
    with pytest.raises(ValueError, match="1 blocks but 2 statuses"):
        block_columns([BLOCK], ["stale", "stale"], 9)


def test_no_blocks_are_columns_without_rows() -> None:
    assert {len(column) for column in block_columns([], [], 9).values()} == {0}


def test_attributions() -> None:
    found = Attribution(
        "antpool",
        3,
        "address",
        "bc1qa",
        None,
        (
            Candidate("antpool", "address", "bc1qa", None),
            Candidate("ocean", "tag", "/O/", 4),
            Candidate("ocean", "label", "O", None),
        ),
        True,
        "someone",
    )
    columns = attribution_columns("r1", [BLOCK, BLOCK], [found, Attribution("unknown", 0, "none")], 9)
    assert list(columns) == stored_columns_of("attributions_log")
    first, second = row(columns), row(columns, 1)
    assert (first["pool_code"], first["method"], first["matched"], first["matched_offset"]) == (3, 3, "bc1qa", -1)
    assert (first["candidates"], first["conflict"], first["template_builder"]) == (
        ["antpool", "ocean"],
        True,
        "someone",
    )
    assert (second["pool_code"], second["method"], second["candidates"], second["template_builder"]) == (0, 0, [], "")


def test_concentration_points_into_its_blocks() -> None:
    table = {name: np.arange(4) for name in STORED_COLUMNS} | {
        "view_code": np.array([0, 0, 1, 1]),
        "window_blocks": np.full(4, 144),
        "index": np.array([0, 1, 0, 1], np.uint32),
    }
    columns = concentration_columns(
        table,
        attribution_id="r1",
        chain="bitcoin",
        from_height=800_000,
        tip_hashes=[b"a" * 32, b"b" * 32],
        times=np.array([5, 6]),
        version=9,
    )
    assert set(columns) == set(stored_columns_of("concentration_log"))
    assert as_list(columns["height"]) == [800_000, 800_001, 800_000, 800_001]
    assert as_list(columns["time"]) == [5_000, 6_000, 5_000, 6_000]
    assert bytes(as_list(columns["tip_hash"])[3]) == b"b" * 32


def test_a_tombstone_for_each_view_and_window() -> None:
    columns = tombstone_columns(attribution_id="r1", chain="bitcoin", heights=[7, 8], windows=[144, 1008], version=9)
    assert set(columns) == set(stored_columns_of("concentration_log"))
    keys = set(
        zip(as_list(columns["view"]), as_list(columns["window_blocks"]), as_list(columns["height"]), strict=True)
    )
    assert keys == {(view, window, height) for view in (0, 1) for window in (144, 1008) for height in (7, 8)}
    assert set(as_list(columns["is_deleted"])) == {1}


def test_dead_letters_keep_their_bytes() -> None:
    letter = DeadLetter(
        letter_id="0" * 32,
        service="streams",
        reason="not-json",
        detail="",
        topic="x.blocks.v1",
        partition=1,
        offset=2,
        index=-1,
        payload="//4=",
        payload_bytes=2,
        payload_sha256="0" * 64,
        seen_at_ms=3,
    )
    columns = dead_letter_columns([letter], 9)
    assert list(columns) == stored_columns_of("dead_letters_log")
    assert (row(columns)["payload"], row(columns)["event_index"], row(columns)["replayed_at"]) == (
        b"\xff\xfe",
        -1,
        None,
    )
    assert row(dead_letter_columns([letter], 9, replayed_at_ms=4))["replayed_at"] == 4


def test_alert_events() -> None:
    step = AlertTransition(
        alert_id="0" * 16,
        sequence=1,
        rule_id="no-block",
        rule_hash="0" * 12,
        state="firing",
        undoes=(0,),
        event_time=5,
        recorded_at_ms=6,
        summary="No block",
    )
    columns = alert_event_columns([step], 9)
    assert set(columns) == set(stored_columns_of("alert_events_log"))
    found = row(columns)
    assert (found["event_time"], found["recorded_at"], found["height"], found["value"]) == (5_000, 6, None, None)
    assert (found["previous_state"], found["chain"], found["undoes"]) == ("", "", [0])
    assert found["evidence"].startswith('{"chain":null')


def test_hashes_and_codes() -> None:
    assert packed_hashes([]).shape == (0, 32)
    assert as_list(coded(["b", "a", "b"])) == ["b", "a", "b"]
    assert coded(["b", "a", "b"]).values == ("b", "a")
