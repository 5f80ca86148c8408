"""Whatever a contract accepts fits the columns that it is written to: a message can never stop the service that stores it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from clickhouse_driver.columns.service import write_column
from clickhouse_driver.context import Context
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.score_messages import MessageRows, windows_of
from alerts.signals.window_counts import WindowPlace
from counterpoise.clickhouse.columns import Column, as_list, encode
from counterpoise.clickhouse.rows.block_rows import block_columns
from counterpoise.clickhouse.rows.dead_letter_rows import dead_letter_columns
from counterpoise.clickhouse.rows.release_rows import (
    FIRST_DAY,
    LAST_DAY,
    chunk_columns,
    current_columns,
    event_json,
    observation_columns,
    release_columns,
)
from counterpoise.clickhouse.sql_files import sql_root
from counterpoise.contracts.blocks import BlockEvent, BlockRequest
from counterpoise.contracts.dead_letters import DeadLetter
from counterpoise.contracts.pairs import PairEvent
from counterpoise.contracts.releases import ReleaseEvent
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.contracts.topic_schemas import CARRIED, schema_of
from counterpoise.contracts.topics import DEAD_LETTERS
from counterpoise.series.release import Head, make_release
from streams.asymmetry.columns import asymmetry_tombstones
from streams.asymmetry.fold.score import Pair, RowKey
from streams.intake.dead_letter import RawMessage, parsed_letter
from tests.unit.kafka.schema_values import values

VERSION = 2**63 - 1


class _Buffer(BytesIO):
    """What the driver writes strings to."""

    def write_strings(self, items: Any, encoding: str | None = None) -> None:
        for item in items:
            self.write(item.encode(encoding or "utf-8") if isinstance(item, str) else item)


def types_of(table: str) -> dict[str, str]:
    """The declared type of each column."""
    text = (sql_root() / "tables" / f"{table}.sql").read_text(encoding="utf-8")
    return dict(re.findall(r"^    (?!INDEX )(\w+) (.+?) (?:DEFAULT|COMMENT|CODEC)", text, re.MULTILINE))


def store(table: str, columns: Mapping[str, Column]) -> None:
    """Write them as an insert does."""
    context = Context()
    context.client_settings = {"use_numpy": False, "strings_as_bytes": False, "strings_encoding": "utf-8"}
    context.settings = {}
    types = types_of(table)
    for name, column in columns.items():
        if encode(types[name], column) is None:
            write_column(context, name, types[name], as_list(column), _Buffer(), types_check=False)


def store_block(event: BlockEvent) -> None:
    store("blocks_log", block_columns([event], ["canonical"], VERSION))


def store_release(event: ReleaseEvent) -> None:
    if event.period_start < FIRST_DAY.isoformat() or event.period_end > LAST_DAY.isoformat():
        return  # a letter: the worker refuses it
    store("release_chunks_log", chunk_columns([event], [event_json(event)], VERSION))
    try:
        release = make_release(Head.of(event), event.observations)
    except ValueError:
        return  # a letter too
    store("releases_log", release_columns([release], [event.withdrawn_at_ms], ["c"], VERSION))
    store("release_observations_log", observation_columns([release], VERSION))
    pointer = (event.series, event.kind, event.period_start, event.period_end, event.release_id)
    store("release_current_log", current_columns([pointer], VERSION))


def store_score(event: ScoreEvent) -> None:
    """Alerts compute with it and write what follows; here its numbers become arrays of fixed width."""
    windows = windows_of(event)
    for place, window in windows.items():
        rows = MessageRows([event], [windows])
        counts = rows.series(_Reads(event.chain, place, tuple(window.stored)))
        assert all(column.dtype != np.object_ for column in counts.further.values())


class _Reads:
    """A rule that reads a window with all that it has."""

    beside = ()

    def __init__(self, chain: str, place: WindowPlace, further: tuple[str, ...]) -> None:
        self.chain = chain
        self.view = place.view
        self.window_blocks = place.window_blocks
        self.further_columns = further


def store_pair(event: PairEvent) -> None:
    pair = Pair(event.series, event.list_id, event.chain, event.view, event.window_blocks)
    key: RowKey = (pair.key, "live", "day", date(2026, 1, 2))
    store("asymmetry_log", asymmetry_tombstones(pair, [key], VERSION))


def store_letter(event: DeadLetter) -> None:
    store("dead_letters_log", dead_letter_columns([event], 1, replayed_at_ms=event.seen_at_ms))


def store_nothing(event: BlockRequest) -> None:
    """A request is answered with blocks; nothing of it is stored."""


STORED: dict[type[Any], Callable[[Any], None]] = {
    BlockEvent: store_block,
    BlockRequest: store_nothing,
    ReleaseEvent: store_release,
    ScoreEvent: store_score,
    PairEvent: store_pair,
    DeadLetter: store_letter,
}


def repaired(model: type[Any], event: dict[str, Any]) -> dict[str, Any]:
    """Fields of a release that must fit each other do: chance alone seldom makes one whole."""
    if model is ReleaseEvent:
        event["period_start"], event["period_end"] = sorted((event["period_start"], event["period_end"]))
        event["chunks"] = max(event.get("chunks", 1), event.get("chunk", 0) + 1)
        event["withdrawn"] = False
        event.pop("withdrawn_at_ms", None)
        for one in event.get("observations", ()):
            low, high = one.pop("value_p5", None), one.pop("value_p95", None)
            if low is not None and high is not None:
                one["value_p5"], one["value_p95"] = sorted((low, high))
    return event


def test_every_topic_has_its_columns() -> None:
    assert {carried.model for carried in CARRIED.values()} == set(STORED)


@pytest.mark.parametrize("name", CARRIED)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_what_a_contract_accepts_fits_its_columns(name: str, data: st.DataObject) -> None:
    carried, schema = CARRIED[name], schema_of(CARRIED[name].topic)
    document = data.draw(values(schema, schema))
    events = [document] if carried.kind is None else document["events"]
    for event in events:
        made = carried.model.model_validate_json(json.dumps(repaired(carried.model, event)))
        STORED[carried.model](made)


LETTER = {
    "letter_id": "0" * 32,
    "service": "other",
    "reason": "bad-event",
    "detail": "",
    "topic": "x.blocks.v1",
    "partition": 0,
    "offset": 0,
    "index": 0,
    "payload": "//4=",
    "payload_bytes": 2,
    "payload_sha256": "0" * 64,
    "seen_at_ms": 1,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload", "abc"),
        ("payload", "é"),
        ("payload", "//4=\n"),
        ("payload", "===="),
        ("payload", "A" * 21_852),
        ("offset", 2**70),
        ("offset", 2**63),
        ("partition", 2**31),
        ("partition", -(2**40)),
        ("index", 2**40),
        ("payload_bytes", 2**70),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_letter_that_fits_no_row_becomes_a_letter_itself(field: str, value: object) -> None:
    value_bytes = json.dumps(LETTER | {field: value}).encode()
    letter = parsed_letter(RawMessage(DEAD_LETTERS.full_name("x"), 0, 7, b"other", value_bytes), 5)
    assert (letter.reason, letter.offset, letter.payload_bytes) == ("not-a-dead-letter", 7, len(value_bytes))
    store_letter(letter)


@pytest.mark.parametrize(
    ("field", "value"),
    [("offset", 2**63 - 1), ("partition", 2**31 - 1), ("partition", -1), ("payload", ""), ("payload", "A" * 21_848)],
    ids=lambda value: str(value)[:12],
)
def test_a_letter_at_its_bounds_is_stored_as_it_came(field: str, value: object) -> None:
    message = RawMessage(DEAD_LETTERS.full_name("x"), 0, 7, b"other", json.dumps(LETTER | {field: value}).encode())
    letter = parsed_letter(message, 5)
    assert letter == DeadLetter.model_validate(LETTER | {field: value})
    store_letter(letter)


def test_a_score_beyond_its_columns_does_not_decode() -> None:
    window = {"view": "raw", "window_blocks": 144, "n": 1, "unknown": 0, "pools_seen": 1, "leaders": [["a", 1]]}
    event: dict[str, Any] = {
        "chain": "bitcoin", "from_height": 1, "height": 1, "tip_hash": "0" * 64, "parent_hash": "0" * 64, "time": 1,
        "version": 1, "attribution_id": "a", "scored_at_ms": 1,
    }  # fmt: skip
    store_score(ScoreEvent.model_validate_json(json.dumps(event | {"windows": [window | {"stored": {"x": 2**64}}]})))
    with pytest.raises(ValidationError):
        ScoreEvent.model_validate_json(json.dumps(event | {"windows": [window | {"leaders": [["a", 2**63]]}]}))
