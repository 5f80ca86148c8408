"""A small dataset with everything in it that a view has to tell apart: losers, a writer that was replaced, tombstones, two sets.

Chain `bitcoin`: 400 blocks from height 800000. The block that was first at 800350 lost. 800400 … 800402 were the tip of a longer but
lighter branch that was undone. A block whose parent is missing is parked at 800500. Chain `signet`: 20 blocks from height 10.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import Column, Constant, concatenate
from counterpoise.clickhouse.rows.alert_event_rows import alert_event_columns
from counterpoise.clickhouse.rows.attribution_rows import attribution_columns
from counterpoise.clickhouse.rows.block_rows import BlockStatus, block_columns
from counterpoise.clickhouse.rows.concentration_latest_rows import latest_columns
from counterpoise.clickhouse.rows.concentration_rows import concentration_columns, tombstone_columns
from counterpoise.clickhouse.rows.dead_letter_rows import dead_letter_columns
from counterpoise.clickhouse.rows.detector_rows import detector_columns, undone_detector_columns
from counterpoise.clickhouse.rows.drift_rows import drift_columns
from counterpoise.clickhouse.rows.share_forecast_rows import share_forecast_columns
from counterpoise.clickhouse.rows.time_window_rows import time_window_columns, undone_time_window_columns
from counterpoise.contracts.alert_transition import AlertEvidence, AlertTransition
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.dead_letters import DeadLetter, letter_id
from counterpoise.detectors.tracks import ALTERNATIVES, TRACKS
from counterpoise.estimates.drift import FAMILIES
from counterpoise.pools.attribution import Attribution, Candidate
from streams.blocks.fold.concentration import ConcentrationTable, score_blocks
from streams.blocks.fold.drift_history import DriftRow
from streams.blocks.fold.forecasts import ForecastRow
from streams.blocks.fold.summary import summarise
from streams.blocks.fold.time_windows import TimeWindows
from streams.blocks.sinks import daily_rows

CURRENT, SUPERSEDED = "r-current", "r-superseded"
WINDOWS = (144, 1008)
POOLS = ("unknown", "antpool", "f2pool", "foundry-usa", "ocean", "viabtc")
FIRST, LAST = 800_000, 800_399
ALERT = "00000000000000aa"


def block_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class OwnersFrom:
    """f2pool belongs to antpool's owner from a moment on."""

    boundaries: np.ndarray[Any, np.dtype[np.int64]]
    codes: np.ndarray[Any, Any]


OWNERS = OwnersFrom(np.array([1_690_120_000]), np.array([[0, 1, 2, 3, 4, 5], [0, 1, 1, 3, 4, 5]]))


def block(chain: str, height: int, name: str = "", prev: str = "") -> BlockEvent:
    return BlockEvent(
        chain=chain,
        height=height,
        hash=block_hash(f"{chain} {height} {name}"),
        prev_hash=block_hash(prev or f"{chain} {height - 1} "),
        time=1_690_000_000 + (height - FIRST if chain == "bitcoin" else height) * 600,
        bits=0x17053894,
        coinbase_script="03" + height.to_bytes(3, "little").hex(),
        payout_addresses=(f"bc1q{height}",),
        label="AntPool" if height % 2 else None,
        fees_sats=None if height % 3 else height,
        transactions=None if height % 4 == 3 else 1 if height % 10 == 0 else 2_000 + height % 7,
        size_bytes=None if height % 4 == 3 else 1_500_000 + height % 11,
        weight=None if height % 4 == 3 else 3_990_000 + height % 13,
        match_ratio=None if height % 2 else 1 - (height % 8) / 100,
        similarity_ratio=None if height % 2 else 0.99,
        expected_fees_sats=None if height % 2 else height + 100,
        expected_weight=None if height % 2 else 3_991_000,
        source="replay",
        seen_at_ms=1_690_000_000_000 + height,
    )


def pool_of(height: int) -> int:
    """A skewed, repeating pattern; every ninth block is nobody's."""
    return (3, 1, 3, 2, 3, 1, 5, 4, 0)[height % 9]


def attribution(height: int, *, other: bool = False) -> Attribution:
    code = 4 if other else pool_of(height)
    if not code:
        return Attribution("unknown", 0, "none")
    slug = POOLS[code]
    found = (Candidate(slug, "address", f"bc1q{height}", None),)
    if code == 5:
        return Attribution(
            slug,
            code,
            "address",
            found[0].matched,
            None,
            (*found, Candidate("ocean", "tag", "/x/", 4)),
            True,
            "someone",
        )
    return Attribution(slug, code, "tag", f"/{slug}/", 4, (Candidate(slug, "tag", f"/{slug}/", 4),))


def scored(chain: str, first: int, last: int, *, other: bool = False) -> ConcentrationTable:
    heights = range(first, last + 1)
    codes = np.array([4 if other else pool_of(height) for height in heights], np.uint16)
    times = np.array([block(chain, height).time for height in heights])
    return score_blocks(codes, times, 0, OWNERS, WINDOWS)


def write_summary(
    ch: ClickHouse, table: ConcentrationTable, events: list[BlockEvent], *, attribution_id: str, version: int
) -> None:
    """The newest row of each series and the days, as the worker writes them."""
    times = np.array([event.time for event in events])
    summary = summarise(table, events[0].height, times)
    where: dict[str, Any] = {"attribution_id": attribution_id, "chain": events[0].chain, "version": version}
    ch.insert("concentration_daily_log", daily_rows(summary.daily, **where))
    ch.insert(
        "concentration_latest_log",
        latest_columns(
            summary.newest,
            dict(enumerate(POOLS)),
            height=events[-1].height,
            tip_hash=bytes.fromhex(events[-1].hash),
            time=events[-1].time,
            **where,
        ),
    )
    write_states(ch, events, **where)


def fires_and_clears(track: int) -> tuple[int, int, int]:
    """Places of the blocks at which a track fires, clears and fires again: no two tracks have the same."""
    return 7 + 3 * track, 200 + 5 * track, 330 + 2 * track


def firing_bits(blocks: int) -> NDArray[np.uint32]:
    place, bits = np.arange(blocks), np.zeros(blocks, np.uint32)
    for track in range(TRACKS):
        fires, clears, again = fires_and_clears(track)
        firing = ((place >= fires) & (place < clears)) | (place >= again)
        bits |= firing.astype(np.uint32) << np.uint32(track)
    return bits


def write_states(ch: ClickHouse, events: list[BlockEvent], *, attribution_id: str, chain: str, version: int) -> None:
    """Detectors as `fires_and_clears` has them, and the drift at the last block."""
    heights = np.array([event.height for event in events])
    evidence = (heights[:, None] % 97 * np.arange(TRACKS)).astype(np.float32)
    hashes = [bytes.fromhex(event.hash) for event in events]
    where: dict[str, Any] = {"attribution_id": attribution_id, "chain": chain, "version": version}
    ch.insert(
        "detectors_log",
        detector_columns(
            evidence,
            firing_bits(len(heights)),
            {events[-1].height: [1.0] * (TRACKS * ALTERNATIVES)},
            from_height=int(heights[0]),
            tip_hashes=hashes,
            times=np.array([event.time for event in events]),
            **where,
        ),
    )
    rows = [
        DriftRow(view, family, int(heights[-1]), int(heights[0]), 9, 7e-8, np.nan, np.nan, (3, 1))
        for view in (0, 1)
        for family in FAMILIES
    ]
    ch.insert("drift_log", drift_columns(rows, {int(heights[-1]): hashes[-1]}, **where))
    made = [int(heights[-1]), int(heights[-1]) - 1_008]
    forecasts = [
        ForecastRow(view, height, (3, 1), 7e-8, 0.7, 0.66, 0.74, 0.2, 0.73 if height == made[0] else np.nan)
        for view in (0, 1)
        for height in made
        if height > 0
    ]
    when = dict.fromkeys(made, (hashes[-1], events[-1].time))
    ch.insert("share_forecasts_log", share_forecast_columns(forecasts, when, **where))
    first, times = int(heights[0]), np.array([event.time for event in events])
    fold = TimeWindows()
    fold.follow(first - 1, [(pool_of(event.height), event.time, event.bits) for event in events])
    hours = fold.score(first, int(heights[-1]), first, OWNERS).columns
    ch.insert(
        "time_windows_log",
        time_window_columns(hours, (), from_height=first, tip_hashes=hashes, times=times, **where),
    )


def insert_all(ch: ClickHouse, version: int, *, summaries: bool = True) -> None:
    """Write the whole dataset; every row under a version from `version` on. `summaries`: what older datasets have no tables for."""
    _names(ch, version)
    _chain(ch, "bitcoin", FIRST, LAST, version, summaries=summaries)
    _chain(ch, "signet", 10, 29, version, summaries=summaries)
    losers: list[tuple[BlockEvent, BlockStatus]] = [
        (block("bitcoin", 800_350, "lost"), "stale"),
        *((block("bitcoin", height, "lighter"), "stale") for height in (800_400, 800_401, 800_402)),
        (block("bitcoin", 800_500, "orphan", prev="nobody"), "parked"),
    ]
    events = [event for event, _ in losers]
    _insert_blocks(ch, block_columns(events, [status for _, status in losers], version + 1))
    for attribution_id in (CURRENT, SUPERSEDED):
        ch.insert(
            "attributions_log",
            attribution_columns(attribution_id, events, [attribution(event.height) for event in events], version + 1),
        )
        undone = tombstone_columns(
            attribution_id=attribution_id,
            chain="bitcoin",
            heights=[800_400, 800_401, 800_402],
            windows=WINDOWS,
            version=version + 1,
        )
        ch.insert("concentration_log", undone)
        if summaries:
            gone = [800_400, 800_401, 800_402]
            where: dict[str, Any] = {"attribution_id": attribution_id, "chain": "bitcoin", "version": version + 1}
            ch.insert("detectors_log", undone_detector_columns(gone, TRACKS, **where))
            ch.insert("time_windows_log", undone_time_window_columns(gone, **where))
            ch.insert(
                "drift_log",
                drift_columns((), {}, [(view, family, gone[-1]) for view in (0, 1) for family in FAMILIES], **where),
            )
            made = [(view, LAST + 3 - back) for view in (0, 1) for back in (0, 1_008)]
            ch.insert("share_forecasts_log", share_forecast_columns((), {}, made, **where))
    _alerts(ch, version, summaries=summaries)
    _dead_letters(ch, version)


def insert_what_lost(ch: ClickHouse, *, summaries: bool = True) -> None:
    """What an earlier writer left, under versions below every one of `insert_all(…, version ≥ 100)`: it must not show anywhere."""
    late = list(range(LAST - 5, LAST + 4))
    events = [block("bitcoin", height, "lighter") for height in late]
    _insert_blocks(ch, block_columns(events, ["canonical"] * len(events), 3))
    ch.insert("attributions_log", attribution_columns(CURRENT, events, [attribution(4, other=True)] * len(events), 3))
    table = scored("bitcoin", FIRST, LAST + 3, other=True)
    lighter = [block("bitcoin", height, "lighter") for height in range(FIRST, LAST + 4)]
    if summaries:
        write_summary(ch, table, lighter, attribution_id=CURRENT, version=3)
    hashes = [bytes.fromhex(event.hash) for event in lighter]
    times = np.array([block("bitcoin", height).time for height in range(FIRST, LAST + 4)])
    ch.insert(
        "concentration_log",
        concentration_columns(
            table.columns(),
            attribution_id=CURRENT,
            chain="bitcoin",
            from_height=FIRST,
            tip_hashes=hashes,
            times=times,
            version=3,
        ),
    )
    ch.insert(
        "attribution_pointer_log",
        {"chain": ["bitcoin"], "attribution_id": [SUPERSEDED], "flipped_at": [0], "version": [3]},
    )
    _alerts(ch, 3, value=0.99, summaries=summaries)


def _names(ch: ClickHouse, version: int) -> None:
    for attribution_id in (CURRENT, SUPERSEDED):
        for view in ("raw", "entity"):
            ch.insert(
                "pool_names_log",
                {
                    "attribution_id": Constant(attribution_id, len(POOLS)),
                    "view": [view] * len(POOLS),
                    "code": np.arange(len(POOLS)),
                    "slug": list(POOLS),
                    "name": [slug.title() for slug in POOLS],
                    "version": Constant(version, len(POOLS)),
                },
            )
        ch.insert(
            "attribution_sets_log",
            {
                "attribution_id": [attribution_id],
                "document": ["{}"],
                "created_at": [1_690_000_000_000],
                "version": [version],
            },
        )
    ch.insert(
        "attribution_pointer_log",
        {
            "chain": ["bitcoin", "signet"],
            "attribution_id": [CURRENT, CURRENT],
            "flipped_at": [1_690_000_000_000] * 2,
            "version": [version] * 2,
        },
    )


def _insert_blocks(ch: ClickHouse, columns: dict[str, Column]) -> None:
    """Into a table of an earlier version, too: what it has no column for is NULL after an upgrade."""
    there = {
        name
        for (name,) in ch.query(
            "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'blocks_log'"
        )
    }
    ch.insert("blocks_log", {name: column for name, column in columns.items() if name in there})


def _chain(ch: ClickHouse, chain: str, first: int, last: int, version: int, *, summaries: bool) -> None:
    heights = range(first, last + 1)
    events = [block(chain, height) for height in heights]
    _insert_blocks(ch, block_columns(events, ["canonical"] * len(events), version + 1))
    for attribution_id in (CURRENT, SUPERSEDED):
        other = attribution_id == SUPERSEDED
        ch.insert(
            "attributions_log",
            attribution_columns(
                attribution_id, events, [attribution(height, other=other) for height in heights], version + 1
            ),
        )
        table = scored(chain, first, last, other=other)
        if summaries:
            write_summary(ch, table, events, attribution_id=attribution_id, version=version + 1)
        rows = concentration_columns(
            table.columns(),
            attribution_id=attribution_id,
            chain=chain,
            from_height=first,
            tip_hashes=[bytes.fromhex(event.hash) for event in events],
            times=np.array([event.time for event in events]),
            version=version + 1,
        )
        # The last ten heights come again with the tombstones of a branch, in one insert, as a reorganisation writes them.
        undone = tombstone_columns(
            attribution_id=attribution_id, chain=chain, heights=[last + 50], windows=WINDOWS, version=version + 1
        )
        ch.insert("concentration_log", concatenate(rows, undone))


def _alerts(ch: ClickHouse, version: int, value: float = 0.76, *, summaries: bool) -> None:
    evidence = AlertEvidence(
        chain="bitcoin",
        view="raw",
        window_blocks=144,
        from_height=LAST - 143,
        height=LAST,
        tip_hash=block("bitcoin", LAST).hash,
        attribution_id=CURRENT,
        n=144,
        unknown=16,
        pools_seen=5,
        counts=(("foundry-usa", 48), ("antpool", 32)),
        sql=f"SELECT {value} AS value",
    )
    steps = [("pending", None), ("firing", "pending"), ("resolved", "firing")]
    ch.insert(
        "alert_events_log",
        alert_event_columns(
            [
                AlertTransition(
                    alert_id=ALERT,
                    sequence=sequence,
                    rule_id="top4-share",
                    rule_hash="0123456789ab",
                    state=state,
                    previous_state=previous,
                    event_time=1_690_200_000 + sequence,
                    recorded_at_ms=1_700_000_000_000,
                    start_height=LAST - 20,
                    value=value,
                    value_low=value,
                    value_high=0.9,
                    threshold=0.75,
                    summary="Four pools hold most",
                    evidence=evidence,
                )
                for sequence, (state, previous) in enumerate(steps)
            ],
            version + 2,
        ),
    )
    ch.insert(
        "alert_deliveries_log",
        {
            "alert_id": [ALERT],
            "sequence": [1],
            "notifier": ["console"],
            "action": ["post"],
            "status": ["sent"],
            "channel": [""],
            "message_ts": [""],
            "attempts": [1],
            "detail": [""],
            "updated_at": [1_700_000_000_000],
            "version": [version],
        },
    )
    if summaries:
        ch.insert(
            "alert_actions_log",
            {
                "action_id": ["0" * 16],
                "kind": ["acknowledge"],
                "target": [ALERT],
                "matchers": ["{}"],
                "author": ["ada"],
                "acted_at": [1_700_000_000_000],
                "version": [1],
            },
        )
    ch.insert("alert_mutes_log", {"rule_id": ["no-block"], "until": [0], "muted_at": [0], "version": [version]})


def dead_letter(payload: bytes, *, topic: str, offset: int, kept: int | None = None, index: int = 0) -> DeadLetter:
    digest = hashlib.sha256(payload).hexdigest()
    return DeadLetter(
        letter_id=letter_id(topic, 0, index, digest, offset),
        service="streams",
        reason="bad-event",
        detail="height: Input should be a valid integer",
        topic=topic,
        partition=0,
        offset=offset,
        index=index,
        key="bitcoin",
        payload=base64.b64encode(payload[:kept]).decode(),
        payload_bytes=len(payload),
        payload_sha256=digest,
        seen_at_ms=1_700_000_000_000 + offset,
    )


def _dead_letters(ch: ClickHouse, version: int) -> None:
    letters = [
        dead_letter(b'{"height":"x"}', topic="x.blocks.v1", offset=1),
        dead_letter(b"\xff\xfe" * 100, topic="x.blocks.v1", offset=2, kept=10, index=-1),
    ]
    ch.insert("dead_letters_log", dead_letter_columns(letters, version))
