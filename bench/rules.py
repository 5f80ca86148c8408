"""Many rules at a hundred scores a second: lag, CPU, checkpoint bytes and queries, beside the same with one rule.

    python -m bench.rules [--rules 1000] [--blocks N] [--rate 100] [--old 4000] [--near] [--write]
                         [--against COMMIT]

The rules are derived from the shipped ones over a grid of lines, holds, windows and pools (`bench.many_rules`); about one in a
thousand changes its state at a block. With `--near` as many run too whose lines lie where the values are: more than one in a
hundred changes.

The alerter runs on the embedded engines. Another process stores each score and appends its message, as streams does. Every rule has
`--old` rows in alert_events_log. The blocks are of the past, so that transitions are recorded and not sent. Lag is from a message's
append to the stored checkpoint of its height. `--write` puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import multiprocessing
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, cast

import numpy as np

from alerts.evaluate import Evaluation
from alerts.evaluated import EvaluatedScores, SharedSeries
from alerts.machine.checkpoints import SHARED_PATH, CheckpointRow
from alerts.service import run_alerts
from alerts.store.alert_state_log import AlertStateLog
from alerts.store.concentration_log import ConcentrationLog
from bench.fold import HISTORY_BLOCKS, load
from bench.many_rules import derived_rules, near_rules
from bench.report import Figure, machine, table, write_part
from bench.side_by_side import add_against, chosen_options, compared
from bench.stand import engines
from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.columns import Column, concatenate
from counterpoise.clickhouse.rows.concentration_rows import concentration_columns
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.scores import SCORE_KIND, ScoreEvent
from counterpoise.contracts.topics import SCORES
from counterpoise.kafka.clients import make_producer
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from desk.cli.whole_line import start_afresh
from streams.blocks.attribution_store import flip, store_set
from streams.blocks.fold.chain_fold import Scored
from streams.blocks.fold.concentration import ConcentrationTable, TableCache, score_blocks
from streams.blocks.fold.score_message import score_event

BEFORE_BLOCKS = 4_500
"""Scored heights that the alerter finds when it starts: more than any rule looks back on."""

READ_AHEAD_SECONDS = 0.2
LAG_LIMIT_MS = 100.0
CHECKPOINT_LIMIT_KIB = 64.0
PATIENCE_SECONDS = 120.0

_OLD_ROWS = """
INSERT INTO alert_events_log (alert_id, sequence, rule_id, rule_hash, state, previous_state, reason, notify, event_time, recorded_at,
    start_height, summary, chain, view, window_blocks, height, tip_hash, evidence, version)
SELECT substring(lower(hex(SHA256(concat(rule_id, toString(intDiv(at, 4)))))), 1, 16), at % 4 AS step,
    concat('rule-', leftPad(toString(intDiv(number, {old:UInt64})), 4, '0')) AS rule_id, '0',
    ['pending', 'firing', 'resolved', 'retracted'][step + 1], '', 'observed', false,
    toDateTime64('2020-01-01 00:00:00', 3, 'UTC') AS then, then, at, 'of the past',
    'bitcoin', 'raw', 1008, at AS height, lower(hex(SHA256(toString(at)))), '{}', number + 1
FROM (SELECT number, number % {old:UInt64} AS at FROM numbers({rows:UInt64}))
"""


@dataclass(slots=True)
class History:
    """Made blocks: what is stored before the alerter starts, and the scores that come one by one, each with its rows."""

    stored: dict[str, Column]
    tip: int
    scores: list[tuple[dict[str, Column], ScoreEvent]]
    table: ConcentrationTable


@dataclass(frozen=True, slots=True)
class _Tip:
    """What `score_event` reads of a fold's result."""

    table: ConcentrationTable
    from_height: int
    height: int
    parent_hash: bytes


@dataclass(slots=True)
class Measured:
    """What the alerters did, the first one and the one that is measured.

    `stored_at`: (height, wall time) of each checkpoint. `evaluation_ms` is of each score: of those that were evaluated together, each
    has its part; `together` is how many they were. `changed` counts rules that changed at a score, `most_reads` the reads of one
    series in one evaluation.
    """

    stored_at: list[tuple[int, float]] = field(default_factory=list)
    checkpoint_bytes: dict[int, int] = field(default_factory=dict)
    evaluation_ms: list[float] = field(default_factory=list)
    together: list[int] = field(default_factory=list)
    transitions: int = 0
    changed: int = 0
    reads: Counter[SharedSeries] = field(default_factory=Counter)
    most_reads: int = 0


def a_hash(height: int) -> bytes:
    return sha256(f"bench {height}".encode()).digest()


def make_history(blocks: int) -> History:
    attribution = AttributionSet.default()
    codes, _ = load(None, attribution)
    first = HISTORY_BLOCKS
    total = first + BEFORE_BLOCKS + blocks
    times = int(time.time()) - 90 * 86_400 + 600 * np.arange(total, dtype=np.int64)
    cache = TableCache()

    def columns(table: ConcentrationTable, low: int, high: int) -> dict[str, Column]:
        return concentration_columns(
            table.columns(),
            attribution_id=attribution.attribution_id,
            chain="bitcoin",
            from_height=low,
            tip_hashes=[a_hash(height) for height in range(low, high)],
            times=times[low:high],
            version=low,
        )

    start = first + BEFORE_BLOCKS
    before = score_blocks(codes[:start], times[:start], first, attribution.entity_table, table_cache=cache)
    scores = []
    for height in range(start, total):
        low = height - HISTORY_BLOCKS
        table = score_blocks(
            codes[low : height + 1],
            times[low : height + 1],
            HISTORY_BLOCKS,
            attribution.entity_table,
            table_cache=cache,
        )
        scored = cast(Scored, _Tip(table, height, height, a_hash(height - 1)))
        event = score_event(scored, _block(height, int(times[height])), attribution, version=height, scored_at_ms=0)
        scores.append((columns(table, height, height + 1), event))
    return History(columns(before, first, start), start - 1, scores, before)


def _block(height: int, at: int) -> BlockEvent:
    return BlockEvent(
        chain="bitcoin",
        height=height,
        hash=a_hash(height).hex(),
        prev_hash=a_hash(height - 1).hex(),
        time=at,
        bits=0x1D00FFFF,
        label="antpool",
        source="replay",
        seen_at_ms=at * 1000,
        synthetic=True,
    )


def send_scores(scores: Sequence[tuple[dict[str, Column], ScoreEvent]], rate: float, sent: Queue[list[float]]) -> None:
    """As streams does, in a process of its own: rows first, then the messages. Puts the wall time of each append.

    The rows of READ_AHEAD_SECONDS go in at once: an insert for each score would take longer than the time between two.
    """
    settings = Settings.load()
    producer = make_producer(kafka_target(settings), "bench")
    topic = SCORES.full_name(settings.dataset)
    appended: dict[int, float] = {}
    group = max(1, round(rate * READ_AHEAD_SECONDS))

    def note(at: int) -> Callable[[Any], None]:
        return lambda _: appended.setdefault(at, time.time())

    groups = [scores[first : first + group] for first in range(0, len(scores), group)]
    rows = [reduce(concatenate, (columns for columns, _ in together)) for together in groups]
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        begin = time.monotonic() + 0.5
        for number, together in enumerate(groups):
            ch.insert("concentration_log", rows[number])
            for at, (_, event) in enumerate(together, number * group):
                time.sleep(max(0.0, begin + at / rate - time.monotonic()))
                value = encode([event], kind=SCORE_KIND, dataset=settings.dataset, producer="bench", sent_at_ms=0)
                producer.send(topic, key=b"bitcoin", value=value).add_callback(note(at))
        producer.flush(timeout=30)
    producer.close()
    sent.put([appended[at] for at in range(len(scores))])


@contextmanager
def watching(measured: Measured) -> Iterator[None]:
    """Note what the alerter of this process does."""
    write, take, catch_up, read = (
        AlertStateLog.begin_write,
        Evaluation.take,
        Evaluation.catch_up,
        ConcentrationLog.series_of,
    )

    def timed_write(log: AlertStateLog, rows: Sequence[CheckpointRow], version: int) -> Generator[None, None, int]:
        stored = yield from write(log, rows, version)
        height = max((row.height for row in rows if row.rule_id == SHARED_PATH), default=0)
        measured.stored_at.append((height, time.time()))
        measured.checkpoint_bytes[height] = sum(
            len(row.rule_id) + len(row.chain) + len(row.tip_hash) + len(row.state) + 20 for row in rows
        )
        return stored

    def timed_take(evaluation: Evaluation, events: Sequence[ScoreEvent], batch: EvaluatedScores) -> int:
        before, began = len(batch.transitions), time.perf_counter()
        taken = take(evaluation, events, batch)
        if taken:
            found = batch.transitions[before:]
            measured.evaluation_ms += [(time.perf_counter() - began) * 1000 / taken] * taken
            measured.together.append(taken)
            measured.transitions += len(found)
            measured.changed += len({(one.rule_id, one.evidence.height) for one in found})
        return taken

    def counted_catch_up(evaluation: Evaluation, chain: str, **more: Any) -> EvaluatedScores:
        measured.reads.clear()
        found = catch_up(evaluation, chain, **more)
        measured.most_reads = max([measured.most_reads, *measured.reads.values()])
        return found

    def counted_read(log: ConcentrationLog, of: Any, *arguments: Any, **more: Any) -> Any:
        if isinstance(of, SharedSeries):  # else the evidence of a row
            measured.reads[of] += 1
        return read(log, of, *arguments, **more)

    methods: tuple[tuple[type, str, Any, Any], ...] = (
        (AlertStateLog, "begin_write", timed_write, write),
        (Evaluation, "take", timed_take, take),
        (Evaluation, "catch_up", counted_catch_up, catch_up),
        (ConcentrationLog, "series_of", counted_read, read),
    )
    for owner, name, watched, _ in methods:
        setattr(owner, name, watched)
    try:
        yield
    finally:
        for owner, name, _, original in methods:
            setattr(owner, name, original)


def prepare(settings: Settings, history: History) -> None:
    start_afresh(settings)
    target = kafka_target(settings)
    ensure_topics(target, settings.dataset, settings.kafka.replication_factor, partitions=settings.kafka.partitions)
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        attribution = AttributionSet.default()
        store_set(ch, attribution, 1)
        flip(ch, "bitcoin", attribution.attribution_id, 1)
        ch.insert("concentration_log", history.stored)


def add_old_rows(settings: Settings, rules: int, old: int) -> None:
    """Rows of alerts that ended long ago, as a desk has after years."""
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        ch.execute(_OLD_ROWS, {"old": old, "rows": old * rules})


@contextmanager
def alerter(settings: Settings, history: History) -> Iterator[tuple[ServiceStatus, float]]:
    """An alerter in a thread, that has read what is stored; its status, and the seconds until then."""
    stop = threading.Event()
    with ServiceStatus("alerts", settings.run_dir, SystemClock()) as status:
        thread = threading.Thread(
            target=run_alerts, args=(settings,), kwargs={"stop": stop, "status": status, "console": io.StringIO()}
        )
        began = time.monotonic()
        thread.start()
        try:
            wait_until(status, history.tip)
            yield status, time.monotonic() - began
        finally:
            stop.set()
            thread.join()


def run(
    folder: Path, name: str, history: History, rules: list[dict[str, Any]], *, old: int, rate: float
) -> list[Figure]:
    path = folder / "rules.yaml"
    path.write_text(json.dumps({"version": 1, "rules": rules}), encoding="utf-8")
    os.environ["COUNTERPOISE_ALERTS__RULES_FILE"] = str(path)
    settings, measured = Settings.load(), Measured()
    prepare(settings, history)
    context = multiprocessing.get_context("spawn")
    sent: Queue[list[float]] = context.Queue()
    with watching(measured):
        with alerter(settings, history) as (_, first_start):
            pass
        add_old_rows(settings, len(rules), old)
        with alerter(settings, history) as (status, start):
            child = context.Process(target=send_scores, args=(history.scores, rate, sent))
            cpu = time.process_time()
            child.start()
            appended = sent.get(timeout=PATIENCE_SECONDS + len(history.scores) / rate)
            wait_until(status, history.scores[-1][1].height)
            cpu = time.process_time() - cpu
            child.join()
    return figures(name, len(rules), history, measured, appended, cpu, (first_start, start), rate)


def wait_until(status: ServiceStatus, height: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while status.snapshot()["info"].get("height") != height:
        if time.monotonic() > deadline:
            raise SystemExit(f"the alerter did not reach height {height}: {status.snapshot()}")
        time.sleep(0.01)


def figures(  # noqa: PLR0917 - all that was measured
    of: str,
    rules: int,
    history: History,
    measured: Measured,
    appended: list[float],
    cpu: float,
    starts: tuple[float, float],
    rate: float,
) -> list[Figure]:
    heights = [event.height for _, event in history.scores]
    done = sorted(measured.stored_at)
    stored = [height for height, _ in done]
    lags_ms = [
        (done[int(np.searchsorted(stored, height))][1] - at) * 1000
        for height, at in zip(heights, appended, strict=True)
    ]
    # A start writes every row; a checkpoint may be of several scores.
    written = [(height, measured.checkpoint_bytes[height] / 1024) for height in stored if height >= heights[0]]
    per_score = [
        size / (height - before) for (before, _), (height, size) in itertools.pairwise(written) if before >= heights[0]
    ]
    taken = measured.evaluation_ms
    scores = len(heights)
    seconds = appended[-1] - appended[0]
    return [
        Figure(f"{of}: time between two scores", seconds / max(1, scores - 1) * 1000, "ms", 1000 / rate, "asked for"),
        Figure(f"{of}: lag, 99th percentile", float(np.percentile(lags_ms, 99)), "ms", LAG_LIMIT_MS),
        Figure(f"{of}: lag, median", float(np.median(lags_ms)), "ms", LAG_LIMIT_MS),
        Figure(f"{of}: evaluation of a score, 99th percentile", float(np.percentile(taken, 99)), "ms", 10.0),
        Figure(f"{of}: evaluation of a score, median", float(np.median(taken)), "ms", 10.0),
        Figure(f"{of}: scores evaluated together, mean", scores / len(measured.together), "", LAG_LIMIT_MS / 10),
        Figure(f"{of}: CPU of the alerter per score", cpu / scores * 1000, "ms", 10.0),
        Figure(f"{of}: checkpoint of a score, largest", max(per_score), "KiB", CHECKPOINT_LIMIT_KIB),
        Figure(f"{of}: checkpoint of a score, median", float(np.median(per_score)), "KiB", CHECKPOINT_LIMIT_KIB),
        Figure(
            f"{of}: checkpoint written at once, largest",
            max(size for _, size in written[1:]),
            "KiB",
            CHECKPOINT_LIMIT_KIB,
        ),
        Figure(f"{of}: reads of a series in one evaluation, most", float(measured.most_reads), "", 1.0),
        Figure(f"{of}: first start, over {BEFORE_BLOCKS:,} heights", starts[0], "s", 20.0),
        Figure(f"{of}: start, with all old rows", starts[1], "s", 20.0),
        Figure(f"{of}: transitions per score", measured.transitions / scores, "", float(rules)),
        Figure(f"{of}: rules that a score changes", measured.changed / scores / rules * 100, "%", 100.0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--blocks", type=int, default=2_000, help="how many scores are measured")
    parser.add_argument("--rate", type=float, default=100.0, help="scores a second")
    parser.add_argument("--old", type=int, default=4_000, help="rows of each rule before the start")
    parser.add_argument("--near", action="store_true", help="also as many rules with lines where the values are")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    add_against(parser)
    chosen = parser.parse_args()
    if compared("rules", chosen, chosen_options(chosen, "rules", "blocks", "rate", "old", "near")):
        return
    configure_logging("text", "error")
    history = make_history(chosen.blocks)
    sets = {f"{chosen.rules:,} rules": derived_rules(chosen.rules)}
    if chosen.near:
        sets[f"{chosen.rules:,} rules near their lines"] = near_rules(chosen.rules, history.table)
    sets["1 rule"] = derived_rules(1)
    found: list[Figure] = []
    for name, rules in sets.items():
        with engines(COUNTERPOISE_DATASET_KIND="live") as folder:
            found += run(folder, name, history, rules, old=chosen.old, rate=chosen.rate)
    load_average = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    head = (
        f"{machine()}; load {load_average}; {chosen.blocks:,} scores at {chosen.rate:g} per second, "
        f"{chosen.old:,} old rows per rule:"
    )
    text = f"{head}\n\n{table(found)}"
    print(text)
    if chosen.write:
        write_part("rules", text)


if __name__ == "__main__":
    main()
