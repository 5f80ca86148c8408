"""Our fold of the same blocks: envelopes of JSON to all rows of streams, and the windows alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence

import numpy as np

from bench.parts import portions
from bench.peers.rates import Rate
from bench.peers.window_answers import Totals
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import decode, encode
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import HISTORY_BLOCKS, RAW, VIEWS
from desk.cli.whole_line import BACKFILL_TAKE_MESSAGES
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold
from streams.blocks.fold.concentration import ConcentrationTable, TableCache, score_blocks

DATASET = "peers"
WINDOWS_BATCH = 5_000


def attributed(events: Sequence[BlockEvent]) -> list[int]:
    """The pool code of each block, which the peers are given."""
    attributor = Attributor(AttributionSet.default())
    return [attributor.attribute(event).code for event in events]


def peer_lines(events: Sequence[BlockEvent], pools: Sequence[int]) -> list[bytes]:
    """A block a line of JSON, its pool already named: less than our events have, and no evidence."""
    lines = []
    for place, (event, pool) in enumerate(zip(events, pools, strict=True)):
        facts = event.model_dump(include={"chain", "height", "hash", "prev_hash", "time", "bits"})
        lines.append(json.dumps({"place": place, **facts, "pool": pool}).encode())
    return lines


def whole_fold(events: Sequence[BlockEvent], per_message: int) -> Rate:
    """JSON, validation, block tree, attribution, every window with its intervals, detectors, drift and forecasts."""
    per_batch = int(BACKFILL_TAKE_MESSAGES)
    messages = [
        encode(part, kind=BLOCK_KIND, dataset=DATASET, producer="bench", sent_at_ms=0)
        for part in portions(events, per_message)
    ]
    fold = ChainFold(Attributor(AttributionSet.default()))
    scored = []
    began = time.process_time()
    for batch in portions(messages, per_batch):
        decoded = [decode(value, BlockEvent, kind=BLOCK_KIND, dataset=DATASET) for value in batch]
        result = fold.apply(event for one in decoded for event in one.events)
        if result.scored is not None:
            scored.append(result.scored.table)
    seconds = time.process_time() - began
    return Rate("Counterpoise, from JSON to all rows", len(events), seconds, sums(scored))


def windows_alone(pools: Sequence[int], times: Sequence[int]) -> Rate:
    """The part that peers have too: counts, metrics' integers and intervals of every window in both views."""
    codes, at = np.array(pools, np.uint16), np.array(times, np.int64)
    entities, cache = AttributionSet.default().entity_table, TableCache()
    found = []
    began = time.process_time()
    for first in range(0, len(codes), WINDOWS_BATCH):
        low, high = max(0, first - HISTORY_BLOCKS + 1), first + WINDOWS_BATCH
        found.append(score_blocks(codes[low:high], at[low:high], first - low, entities, table_cache=cache))
    seconds = time.process_time() - began
    return Rate("Counterpoise, its windows alone", len(pools), seconds, sums(found))


def sums(tables: Iterable[ConcentrationTable]) -> Totals:
    """Top 4, squares and Nakamoto numbers of the raw view, summed up by window."""
    totals: Totals = {}
    for table in tables:
        top4 = sum(getattr(table, f"c{rank}").astype(np.int64) for rank in range(1, 5))
        for window in sorted({int(one) for one in table.window_blocks}):
            rows = (table.view_code == VIEWS.index(RAW)) & (table.window_blocks == window)
            before = totals.get(window, (0, 0, 0))
            totals[window] = (
                before[0] + int(top4[rows].sum()),
                before[1] + int(table.s2[rows].sum()),
                before[2] + int(table.nakamoto_half[rows].astype(np.int64).sum()),
            )
    return totals
