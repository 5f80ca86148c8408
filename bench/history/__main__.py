"""Every figure that must not grow with the history, on 282,174 blocks and on ten times as many.

    python -m bench.history [--blocks N] [--times 10] [--write]

The blocks are those of the packaged figures, repeated with heights, hashes and times going on. The worker of streams folds and stores
them in this process. Then queries, starts of streams and alerts, pages, API and bytes are measured, first on the short history.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bench.history.figures import RATIO_LIMIT, Value, grown, table
from bench.history.measured_services import NOISE_MS, alerts_start, desk_answers, streams_start
from bench.history.repeated_blocks import repeated
from bench.parts import portions, say
from bench.report import machine, write_part
from bench.side_by_side import add_against, chosen_options, compared
from bench.simulated_blocks import simulated
from bench.stand import engines
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.partition import partition_of
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.whole_line import BACKFILL_TAKE_MESSAGES, start_afresh
from engines.stack import records
from streams.blocks.worker import BlockWorker
from streams.intake.dead_letter import RawMessage
from streams.worker_store import WorkerStore
from testkit.generated_history import questions, rows_read

RUNS: Final = 15
POLL_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 600.0
CHAIN: Final = b"bitcoin"


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What was asked for; the parser ends the process where it makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=282_174, help="blocks of the short history")
    parser.add_argument("--times", type=int, default=10, help="how many times as long the other one is")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    add_against(parser)
    chosen = parser.parse_args(given)
    if chosen.blocks < 2:
        parser.error("--blocks is at least 2")
    if chosen.times < 2:
        parser.error("--times is at least 2")
    return chosen


def main() -> None:
    chosen = arguments(sys.argv[1:])
    if compared("history", chosen, chosen_options(chosen, "blocks", "times")):
        return
    configure_logging("text", "error")
    with engines(COUNTERPOISE_DESK__PORT="0"):
        settings = Settings.load()
        start_afresh(settings)
        base = simulated(chosen.blocks)
        events = repeated(base, chosen.blocks * chosen.times)
        short = measured(settings, events, base[0].height, chosen.blocks, chosen.blocks)
        long = measured(
            settings, events, base[0].height, chosen.blocks * chosen.times, chosen.blocks * (chosen.times - 1)
        )
    heads = f"{chosen.blocks:,} blocks", f"{chosen.blocks * chosen.times:,} blocks"
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    text = f"{machine()}; load {load}; limit of a ratio {RATIO_LIMIT}:\n\n{table(short, long, heads)}"
    print(text)
    print(f"\nabove the limit: {', '.join(grown(short, long)) or 'none'}")
    if chosen.write:
        write_part("history", text)


def measured(
    settings: Settings, events: Iterator[BlockEvent], first_height: int, blocks: int, new: int
) -> dict[str, Value]:
    """Store `new` more blocks, so that there are `blocks`, and measure."""
    say(f"{blocks:,} blocks: storing")
    with stored_by(settings) as store:
        for number, messages in enumerate(batches(settings, itertools.islice(events, new))):
            store.handle(messages)
            if number % 20 == 0:
                say(f"  batch {number}")
    tip = first_height + blocks - 1
    pid = next(record.pid for record in records(settings.state_dir) if record.name == "clickhouse")
    with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
        wait_for_merges(clickhouse)
        say("bytes and queries")
        found = bytes_per_block(clickhouse, blocks) | answers(clickhouse, questions(blocks, first_height=first_height))
    say("streams")
    found |= streams_start(settings, pid, tip)
    say("alerts")
    found |= alerts_start(settings, pid, tip)
    say("desk")
    return found | desk_answers(settings, tip)


@contextmanager
def stored_by(settings: Settings) -> Iterator[BlockWorker]:
    """The worker of streams, in this process."""
    with ServiceStatus("bench", settings.run_dir, SystemClock()) as status:
        waiter = Waiter(SystemClock(), status, lambda: False)
        store = WorkerStore(connect(clickhouse_target(settings), settings.dataset), waiter)
        worker = BlockWorker(store, dataset=settings.dataset, limit=DeadLetterLimit(0, 0.5))
        try:
            worker.assign(frozenset(range(BLOCKS.partitions)))
            yield worker
        finally:
            worker.close()


def batches(settings: Settings, events: Iterator[BlockEvent]) -> Iterator[list[RawMessage]]:
    """Messages as ingest packs them in a replay, in portions as streams takes them."""
    topic, partition = BLOCKS.full_name(settings.dataset), partition_of(CHAIN, BLOCKS.partitions)
    per_message = settings.ingest.events_per_message
    per_batch = per_message * int(BACKFILL_TAKE_MESSAGES)
    while portion := list(itertools.islice(events, per_batch)):
        yield [
            RawMessage(
                topic,
                partition,
                0,
                CHAIN,
                encode(part, kind=BLOCK_KIND, dataset=settings.dataset, producer="bench", sent_at_ms=0),
            )
            for part in portions(portion, per_message)
        ]


def wait_for_merges(clickhouse: ClickHouse) -> None:
    """Until no merge has run for three looks: bytes and rows read are those of a dataset at rest."""
    asked = "SELECT count(), sum(progress) FROM system.merges WHERE database = currentDatabase()"
    quiet, last, moved = 0, None, time.monotonic()
    while quiet < 3:
        [now] = clickhouse.query(asked)
        quiet = 0 if now[0] else quiet + 1
        if now != last:
            last, moved = now, time.monotonic()
        elif now[0] and time.monotonic() > moved + PATIENCE_SECONDS:
            raise SystemExit(f"merges stand still: {now}")
        time.sleep(POLL_SECONDS)


def bytes_per_block(clickhouse: ClickHouse, blocks: int) -> dict[str, Value]:
    """Compressed bytes of all tables, and of the five largest, by block."""
    rows = clickhouse.query(
        "SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = currentDatabase() "
        "GROUP BY table ORDER BY bytes DESC"
    )
    whole = {"bytes per block": Value(sum(int(size) for _, size in rows) / blocks, "bytes")}
    return whole | {f"bytes per block, {name}": Value(int(size) / blocks, "bytes") for name, size in sorted(rows[:5])}


def answers(clickhouse: ClickHouse, asked: dict[str, str]) -> dict[str, Value]:
    """Rows read and median time of each question."""
    found = {}
    for name, sql in asked.items():
        found[f"{name}: rows read"] = Value(rows_read(clickhouse, sql), "rows")
        times = []
        for _ in range(RUNS):
            began = time.perf_counter()
            clickhouse.query(sql)
            times.append((time.perf_counter() - began) * 1000)
        found[f"{name}: median"] = Value(statistics.median(times), "ms", NOISE_MS)
    return found


if __name__ == "__main__":
    main()
