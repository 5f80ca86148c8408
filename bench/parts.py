"""The whole line beside its parts, in one run on the same blocks: what the work costs, and what the line makes of it.

    python -m bench.parts [--blocks N] [--source FILE] [--against COMMIT] [--rounds 3]

The parts are the work that no line can leave out: JSON of the envelopes, their validation, the fold, the insert of the same rows
within one process, and one read of the columns that the alerter judges. Each is in CPU seconds of one process without Kafka or a
server. The ratio is wall time of the line ÷ (CPU seconds of the parts ÷ cores). The making of rows is shown and not counted.

With `--against` a run at another commit alternates with each of ours; the benchmark itself is this one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from pydantic_core import from_json

from bench.line import wait_for_services
from bench.other_commit import by_turns
from bench.part_inserts import TABLES, RowFiles
from bench.report import cpu_seconds, machine
from bench.stand import engines
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import decode, encode
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.replay_line import alerts_reached
from desk.cli.whole_line import BACKFILL_TAKE_MESSAGES, Services, start_afresh
from engines.stack import records
from ingest.blocks.replay_job import run_replay
from ingest.blocks.sources.replay_source import FIGURES, replay_source
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold, FoldResult
from streams.blocks.sinks import BlockSinks

COUNTED: Final = ("decode", "validate", "fold", "insert", "read")
"""Parts of the sum; each is one of `Parts`."""
TEXTS: Final = {
    "decode": "JSON of the envelopes",
    "validate": "validation of the events",
    "fold": "fold: tree, pools, windows, detectors, forecasts",
    "rows": "rows in the native form (not counted)",
    "insert": "insert of these rows in one process",
    "read": "read of the columns that rules judge",
}
RATIO_LIMIT: Final = 3.0
POLL_SECONDS = 0.1
VERSION: Final = 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. `parts` and `processes` are CPU seconds by name; `wall` is from the first block published to the last one judged."""

    blocks: int
    parts: Mapping[str, float]
    processes: Mapping[str, float]
    wall: float

    @property
    def parts_seconds(self) -> float:
        """CPU seconds of the parts that are counted."""
        return sum(self.parts[name] for name in COUNTED)

    def ratio(self, cores: int) -> float:
        """Wall time of the line ÷ (CPU seconds of the parts ÷ cores)."""
        return self.wall / (self.parts_seconds / cores)

    def figures(self, cores: int) -> dict[str, float]:
        """Every figure by the name of its row; seconds, but for the last, which is the ratio."""
        of_parts = {TEXTS[name]: self.parts[name] for name in TEXTS}
        of_line = {f"line: {name}": seconds for name, seconds in self.processes.items()}
        return {
            **of_parts,
            "parts, sum": self.parts_seconds,
            **of_line,
            "line: all processes": sum(self.processes.values()),
            "line: wall": self.wall,
            f"line: wall ÷ (parts ÷ {cores} cores)": self.ratio(cores),
        }


def table(sides: Mapping[str, Sequence[Measured]], cores: int) -> list[str]:
    """Medians of each side as rows; with two sides the ratio of the first to the second."""
    heads = list(sides)
    found = [[run.figures(cores) for run in runs] for runs in sides.values()]
    compares = len(heads) > 1
    lines = [
        "| " + " | ".join(("CPU seconds", *heads, *(["ratio"] if compares else []))) + " |",
        "|" + "---|" * (1 + len(heads) + compares),
    ]
    for name in found[0][0]:
        medians = [statistics.median(figures[name] for figures in runs) for runs in found]
        cells = [name, *(f"{one:,.2f}" for one in medians)]
        if compares:
            cells.append(f"{medians[0] / medians[1]:.2f}" if medians[1] else "")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=282_174, help="how many blocks, from the lowest on")
    parser.add_argument(
        "--source", default=FIGURES, help="Parquet, CSV or JSONL of blocks; the packaged figures if left out"
    )
    parser.add_argument("--against", metavar="COMMIT")
    parser.add_argument("--rounds", type=int, help="runs of each side: 1, or 3 with --against")
    parser.add_argument("--json", action="store_true", help="one run as JSON, for --against")
    chosen = parser.parse_args()
    configure_logging("text", "warning")
    if chosen.json:
        found = measure(chosen.source, chosen.blocks)
        print(json.dumps([found.blocks, dict(found.parts), dict(found.processes), found.wall]))
        return
    rounds = chosen.rounds or (3 if chosen.against else 1)
    if chosen.against is None:
        sides = {"now": [measure(chosen.source, chosen.blocks) for _ in range(rounds)]}
    else:
        sides = compared(chosen.against, rounds, ["--source", str(chosen.source), "--blocks", str(chosen.blocks)])
    cores = os.cpu_count() or 1
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{machine()}; load {load}; {sides['now'][0].blocks:,} blocks; median of {rounds}\n")
    print("\n".join(table(sides, cores)))
    ratio = statistics.median(run.ratio(cores) for run in sides["now"])
    print(f"\nratio {ratio:.2f}, limit {RATIO_LIMIT:.2f}: {ratio / RATIO_LIMIT:.2f} of it")


def say(text: str) -> None:
    """Progress, away from the table."""
    print(text, file=sys.stderr, flush=True)


def compared(commit: str, rounds: int, options: Sequence[str]) -> dict[str, list[Measured]]:
    """Runs of both sides, each in a process of its own, by turns."""
    found: dict[str, list[Measured]] = {"now": [], commit: []}
    for side, printed in by_turns("parts", commit, rounds, ["--json", *options]):
        found[side].append(Measured(*json.loads(printed)))
    return found


def measure(source: str, blocks: int) -> Measured:
    """One run: the line on fresh engines, then its parts on the same blocks."""
    historical = source != FIGURES
    with engines(
        COUNTERPOISE_DATASET_KIND="historical" if historical else "simulated",
        COUNTERPOISE_STREAMS__TAKE_MESSAGES=BACKFILL_TAKE_MESSAGES,
    ) as folder:
        settings = Settings.load()
        path = Path(source) if historical else source
        opened = replay_source(settings, path, SystemClock())
        lowest = opened.tip().lowest_height
        highest = min(opened.tip().height, lowest + blocks - 1)
        say("the line")
        wall, processes = line(settings, path, highest)
        with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
            plan, types = tables_of(clickhouse, settings)
        say("the parts")
        events = [event for batch in opened.blocks(lowest, highest) for event in batch.events]
        opened.close()
        rows = folder / "parts"
        rows.mkdir()
        (rows / TABLES).write_text(json.dumps(plan), encoding="utf-8")
        parts = in_this_process(events, settings, RowFiles(rows, types)) | in_own_engine(rows)
    return Measured(len(events), parts, processes, wall)


def line(settings: Settings, source: Path | str, to_height: int) -> tuple[float, dict[str, float]]:
    """Wall seconds of the line, and the CPU seconds of its processes in that time."""
    start_afresh(settings)
    stop = threading.Event()
    with (
        Services(settings, settings.run_dir / "services.log"),
        ServiceStatus("ingest", settings.run_dir, SystemClock()) as status,
        connect(clickhouse_target(settings), settings.dataset) as clickhouse,
    ):
        pids = wait_for_services(settings) | {record.name: record.pid for record in records(settings.state_dir)}
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        producer, began = time.process_time(), time.perf_counter()
        report = run_replay(settings, source, stop=stop, status=status, speed=0.0, to_height=to_height)
        produced = time.process_time() - producer
        while not alerts_reached(clickhouse, settings.ingest.chain, report.last_height):
            time.sleep(POLL_SECONDS)
        wall = time.perf_counter() - began
        used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    return wall, {"producer": produced, **used}


def tables_of(clickhouse: ClickHouse, settings: Settings) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """The plan of `part_inserts`, and the types of every table's columns, as the line has them."""
    database = settings.dataset
    created = clickhouse.query(
        "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    )
    types: dict[str, dict[str, str]] = {}
    for name, column, kind in clickhouse.query(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"
    ):
        types.setdefault(name, {})[column] = kind
    read = [
        f"SELECT {columns} FROM {database}.concentration_log FINAL WHERE chain = '{settings.ingest.chain}' "
        f"AND view = '{view}' AND window_blocks = {window} ORDER BY height"
        for view, window, columns in judged(settings)
    ]
    return {"database": database, "create": [text for (text,) in created], "read": read}, types


def judged(settings: Settings) -> list[tuple[str, int, str]]:
    """(view, window, columns) of every series that a rule of the chain reads, each once with the columns of all."""
    from alerts.rules.rule import HeightRule  # noqa: PLC0415
    from alerts.rules_file import load_judged_rules  # noqa: PLC0415
    from alerts.signals.detector_columns import DETECTOR_COLUMNS  # noqa: PLC0415

    usual = ["height", "tip_hash", "time", "n", "unknown", "window_full", "pools_seen", "p_top4_above_75"]
    usual += [f"{letter}{rank}" for rank in range(1, 7) for letter in "cl"]
    found: dict[tuple[str, int], dict[str, None]] = {}
    for rule in load_judged_rules(settings.alerts.rules_file):
        if isinstance(rule, HeightRule) and rule.enabled and rule.chain == settings.ingest.chain:
            own = [name for name in rule.further_columns if name not in DETECTOR_COLUMNS]
            for place in ((rule.view, rule.window_blocks), *rule.beside):
                found.setdefault((place[0], place[1]), dict.fromkeys(usual)).update(dict.fromkeys(own))
    return [(view, window, ", ".join(names)) for (view, window), names in found.items()]


def in_this_process(events: Sequence[BlockEvent], settings: Settings, rows: RowFiles) -> dict[str, float]:
    """CPU seconds of JSON, validation, fold and rows, batch by batch as streams takes them."""
    per_message, per_batch = settings.ingest.events_per_message, int(BACKFILL_TAKE_MESSAGES)
    spent = dict.fromkeys(("decode", "validate", "fold", "rows"), 0.0)
    attribution = AttributionSet.default()
    fold = ChainFold(Attributor(attribution))
    sinks = BlockSinks(cast("ClickHouse", rows))
    for batch in portions(list(portions(events, per_message)), per_batch):
        raw = [
            encode(part, kind=BLOCK_KIND, dataset=settings.dataset, producer="bench", sent_at_ms=0) for part in batch
        ]
        began = time.process_time()
        for value in raw:
            from_json(value)
        parsed = time.process_time()
        decoded = [decode(value, BlockEvent, kind=BLOCK_KIND, dataset=settings.dataset) for value in raw]
        checked = time.process_time()
        result = fold.apply(event for one in decoded for event in one.events)
        folded = time.process_time()
        write(sinks, result, settings.ingest.chain, attribution)
        written = time.process_time()
        spent["decode"] += parsed - began
        # `decode` does both at once; what it costs beyond the JSON is the validation.
        spent["validate"] += max(0.0, (checked - parsed) - (parsed - began))
        spent["fold"] += folded - checked
        spent["rows"] += written - folded
    say(f"{rows.inserts:,} inserts, {sum(rows.rows.values()):,} rows")
    return spent


def write(sinks: BlockSinks, result: FoldResult, chain: str, attribution: AttributionSet) -> None:
    """The rows of one batch, by the sinks of streams."""
    sinks.write(result, chain=chain, attribution_set=attribution, version=VERSION)


def portions(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """`items` in pieces of `size`; the last may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def in_own_engine(rows: Path) -> dict[str, float]:
    """CPU seconds of insert and read in a process of their own."""
    say("insert and read in one process")
    run = subprocess.run(
        [sys.executable, "-m", "bench.part_inserts", str(rows)],
        stdout=subprocess.PIPE,
        env=os.environ | {"TZ": "UTC", "TMPDIR": tempfile.gettempdir()},
        check=True,
    )
    found: dict[str, float] = json.loads(run.stdout)
    return found


if __name__ == "__main__":
    main()
