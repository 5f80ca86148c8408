"""The whole line: blocks through Kafka, Faust and ClickHouse, every score of every block and the alerter included.

    python -m bench.line [--blocks FILE] [--against COMMIT | --engine-against COMMIT] [--rounds 3]

Without a file the packaged counts are replayed (as many blocks, simulated). Three clocks: engines' start-up, the replay from
the first block published to the last one scored and judged (services already running), and the memory of the workers.

With `--against` this benchmark and that of another commit take turns, each with all of its commit's code, and figures of one name are
compared. With `--engine-against` the line of this commit runs on its own ClickHouse server and on another commit's, in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from dataclasses import replace
from pathlib import Path

from bench.engine import Side, served
from bench.other_commit import ROOT, tree_of
from bench.report import Figure, cpu_seconds, machine, peak_memory_mib, table
from bench.side_by_side import compared
from bench.stand import engines
from counterpoise.clickhouse.client import connect
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.service_status import ServiceStatus, read_status
from counterpoise.settings.endpoints import EmbeddedEndpoints, clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.replay_line import alerts_reached
from desk.cli.whole_line import BACKFILL_TAKE_MESSAGES, Services, start_afresh
from ingest.blocks.replay_job import run_replay

SECONDS_LIMIT = 20.0
MEMORY_LIMIT_MIB = 300.0
START_LIMIT_SECONDS = 3.0
READY_PATIENCE_SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=Path, help="Parquet, CSV or JSONL of blocks; the packaged figures if left out")
    peers = parser.add_mutually_exclusive_group()
    peers.add_argument("--against", metavar="COMMIT", help="compare with that commit's whole line")
    peers.add_argument("--engine-against", metavar="COMMIT", help="compare with that commit's ClickHouse server")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side, with one of the two")
    chosen = parser.parse_args()
    configure_logging("text", "warning")
    if compared("line", chosen, [f"--blocks={chosen.blocks.resolve()}"] if chosen.blocks else []):
        return
    began = time.perf_counter()
    with engines(
        COUNTERPOISE_DATASET_KIND="historical" if chosen.blocks else "simulated",
        COUNTERPOISE_STREAMS__TAKE_MESSAGES=BACKFILL_TAKE_MESSAGES,
    ):
        figures = [Figure("embedded engines, start-up", time.perf_counter() - began, "s", START_LIMIT_SECONDS)]
        source = chosen.blocks or "figures"
        if chosen.engine_against:
            figures = compare(source, chosen.engine_against, chosen.rounds)
        else:
            figures += run(Settings.load(), source)
    print(f"{machine()}\n\n{table(figures)}")


def compare(source: Path | str, commit: str, rounds: int) -> list[Figure]:
    """The figures of this commit's line on its own server, medians, against the same line on the server of `commit`.

    Each run has a server of its own, which begins empty.
    """
    found: dict[str, list[list[Figure]]] = {"now": [], commit: []}
    with tree_of(commit) as tree:
        trees = {"now": ROOT, commit: tree}
        for number in range(rounds):
            for name in list(trees)[:: 1 if number % 2 else -1]:
                with served(name, trees[name]) as side:
                    figures = run(on_server(Settings.load(), side), source)
                    used = cpu_seconds(side.pid)
                found[name].append([*figures, Figure("CPU of the ClickHouse server", used, "s", float("nan"))])
    pairs = [
        (
            figures[0].name,
            *(statistics.median(figure.value for figure in one) for one in (figures, peers)),
            figures[0].unit,
        )
        for figures, peers in zip(zip(*found["now"], strict=True), zip(*found[commit], strict=True), strict=True)
    ]
    return [Figure(name, mine, unit, theirs, commit) for name, mine, theirs, unit in pairs]


def on_server(settings: Settings, side: Side) -> Settings:
    """The embedded engines' addresses with this server in place of theirs."""
    replace(
        EmbeddedEndpoints.read(settings.state_dir),
        clickhouse_port=side.port,
        clickhouse_password_file=str(side.folder / "password"),
        clickhouse_reader_password_file=str(side.folder / "reader-password"),
    ).write(settings.state_dir)
    return settings


def run(settings: Settings, source: Path | str) -> list[Figure]:
    start_afresh(settings)
    clock, stop = SystemClock(), threading.Event()
    with (
        Services(settings, settings.run_dir / "services.log"),
        ServiceStatus("ingest", settings.run_dir, clock) as status,
        connect(clickhouse_target(settings), settings.dataset) as clickhouse,
    ):
        pids = wait_for_services(settings)
        began = time.perf_counter()
        report = run_replay(settings, source, stop=stop, status=status, speed=0.0)
        scored_seconds = time.perf_counter() - began
        while not alerts_reached(clickhouse, settings.ingest.chain, report.last_height):
            time.sleep(0.02)
        judged_seconds = time.perf_counter() - began
        memory = {name: peak_memory_mib(pid) for name, pid in pids.items()}
    blocks = report.blocks
    return [
        Figure(f"{blocks:,} blocks, first published to last scored", scored_seconds, "s", SECONDS_LIMIT),
        Figure(f"{blocks:,} blocks, first published to last judged by the alerter", judged_seconds, "s", SECONDS_LIMIT),
        *(Figure(f"peak memory of {name}", mib, "MiB", MEMORY_LIMIT_MIB) for name, mib in memory.items()),
    ]


def wait_for_services(settings: Settings) -> dict[str, int]:
    """Their process ids, once both say that they work."""
    deadline = time.monotonic() + READY_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = {name: read_status(settings.run_dir, name) for name in ("streams", "alerts")}
        if all(status is not None and status["state"] == "working" for status in found.values()):
            return {name: int(status["pid"]) for name, status in found.items() if status}
        time.sleep(0.1)
    raise SystemExit(f"services did not start: {json.dumps(found, default=str)}")


if __name__ == "__main__":
    main()
