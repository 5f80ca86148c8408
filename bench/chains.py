"""CPU per block with 1, 2 and 4 chains on as many stream workers, and what a worker's start costs.

    python -m bench.chains [--blocks N] [--chains 1,2,4] [--write]

Every chain has N simulated blocks and a partition of its own. Counted are the CPU seconds of the workers, of Kafka and of ClickHouse
from the first block published until every chain is scored to its tip; the producer is not. Each count of chains has fresh engines.
Workers without a block poll too. What they and the engines use in that time is measured before, and a second figure is without it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from bench.parts import say
from bench.report import Figure, cpu_seconds, machine, table, write_part
from bench.side_by_side import add_against, chosen_options, compared
from bench.stand import ends_in_order, engines
from counterpoise.chain.chain_registry import CHAINS
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.service_status import ServiceStatus, read_status
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import INSTANCES, Settings
from desk.cli.whole_line import BACKFILL_TAKE_MESSAGES, start_afresh
from engines.stack import records
from ingest.blocks.backfill import run_backfill
from ingest.blocks.sources.simulated import FiguresSource

RATIO_LIMIT: Final = 1.1
START_LIMIT_SECONDS: Final = 1.5
PATIENCE_SECONDS: Final = 90.0
"""How long nothing may move before it is given up."""
POLL_SECONDS: Final = 0.1
SETTLE_SECONDS: Final = 5.0
"""In this time the workers have shared out the partitions."""
IDLE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One count of chains: CPU seconds by process (the workers together), and of each worker's start."""

    chains: int
    blocks: int
    cpu_seconds: Mapping[str, float]
    start_seconds: Sequence[float]
    wall_seconds: float
    idle_cores: float
    """CPU of all processes per second while no block comes."""

    def microseconds(self, name: str) -> float:
        """CPU time of a process per block, in millionths of a second."""
        return self.cpu_seconds[name] / self.blocks * 1e6

    @property
    def whole(self) -> float:
        """CPU time of all processes per block, in millionths of a second."""
        return sum(self.cpu_seconds.values()) / self.blocks * 1e6

    @property
    def without_idle(self) -> float:
        """`whole` less what the processes would have used in that time without a block."""
        return self.whole - self.idle_cores * self.wall_seconds / self.blocks * 1e6


def figures(runs: Sequence[Measured]) -> list[Figure]:
    """Each run against the first one, and the dearest start of a worker against its limit."""
    first = runs[0]
    found = []
    for run in runs[1:]:
        against = f"{chains_of(first.chains)}"
        head = f"{chains_of(run.chains)} on {run.chains} workers, CPU per block"
        found += [
            Figure(f"{head}: {name}", run.microseconds(name), "µs", first.microseconds(name), against)
            for name in run.cpu_seconds
        ]
        found.append(Figure(f"{head}: all", run.whole, "µs", first.whole, against))
        found.append(Figure(f"{head}: all, less idle", run.without_idle, "µs", first.without_idle, against))
    dearest = max(seconds for run in runs for seconds in run.start_seconds)
    return [*found, Figure("CPU of a worker's start, largest", dearest, "s", START_LIMIT_SECONDS)]


def chains_of(count: int) -> str:
    """`1 chain`, `4 chains`."""
    return f"{count} chain{'' if count == 1 else 's'}"


def chosen_chains(count: int) -> list[str]:
    """The first chains of the registry that lie in partitions of their own where there are `count` partitions."""
    by_partition: dict[int, str] = {}
    for chain in CHAINS.values():
        by_partition.setdefault(chain.number % count, chain.name)
    if len(by_partition) < count:
        raise ValueError(f"the registry has chains for {len(by_partition)} of {count} partitions")
    return [by_partition[partition] for partition in range(count)]


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What was asked for; the parser ends the process where it makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=40_000, help="blocks of each chain")
    parser.add_argument("--chains", type=lambda text: [int(one) for one in text.split(",")], default=[1, 2, 4])
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    add_against(parser)
    chosen = parser.parse_args(given)
    if chosen.blocks < 1:
        parser.error("--blocks is at least 1")
    for count in chosen.chains:
        if count < 1:
            parser.error("--chains has numbers of at least 1")
        try:
            chosen_chains(count)
        except ValueError as error:
            parser.error(str(error))
    return chosen


def main() -> None:
    chosen = arguments(sys.argv[1:])
    if compared("chains", chosen, chosen_options(chosen, "blocks", "chains")):
        return
    configure_logging("text", "error")
    with ends_in_order():
        runs = [measure(count, chosen.blocks) for count in chosen.chains]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    text = f"{machine()}; load {load}; {chosen.blocks:,} blocks of each chain:\n\n{table(figures(runs))}"
    print(text)
    if chosen.write:
        write_part("chains", text)


def measure(count: int, blocks: int) -> Measured:
    """One run on fresh engines."""
    names = chosen_chains(count)
    say(f"{chains_of(count)}: {', '.join(names)}")
    with engines(COUNTERPOISE_KAFKA__PARTITIONS=str(count), COUNTERPOISE_STREAMS__TAKE_MESSAGES=BACKFILL_TAKE_MESSAGES):
        settings = Settings.load()
        start_afresh(settings)
        with (
            workers(settings, count) as pids,
            connect(clickhouse_target(settings), settings.dataset) as clickhouse,
        ):
            starts = [cpu_seconds(pid) for pid in pids]
            engine_pids = {record.name: record.pid for record in records(settings.state_dir)}

            def used() -> dict[str, float]:
                return {**of_workers(pids), **{name: cpu_seconds(pid) for name, pid in engine_pids.items()}}

            time.sleep(SETTLE_SECONDS)
            idle = used()
            time.sleep(IDLE_SECONDS)
            before, began = used(), time.perf_counter()
            tips = {name: publish(settings, name, blocks) for name in names}
            wait_until_scored(clickhouse, tips)
            after, wall = used(), time.perf_counter() - began
    spent = {name: after[name] - before[name] for name in after}
    idle_cores = sum(before[name] - idle[name] for name in before) / IDLE_SECONDS
    return Measured(count, count * blocks, spent, starts, wall, idle_cores)


def of_workers(pids: Sequence[int]) -> dict[str, float]:
    """CPU seconds of all stream workers so far."""
    return {"streams": sum(cpu_seconds(pid) for pid in pids)}


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[list[int]]:
    """Stream workers of one dataset, each an instance of its own, until all work; yields their process ids.

    What is started is a supervisor; the worker is the process of the status.
    """
    with ExitStack() as stack:
        started = [stack.enter_context(worker(settings, f"worker-{number}")) for number in range(count)]
        deadline, pids = time.monotonic() + PATIENCE_SECONDS, []
        for number, process in enumerate(started):
            folder = settings.run_root / INSTANCES / f"worker-{number}"
            while (status := read_status(folder, "streams")) is None or status["state"] != "working":
                if process.poll() is not None or time.monotonic() > deadline:
                    log = (settings.state_dir / f"worker-{number}.log").read_text(errors="replace")
                    raise SystemExit(f"worker-{number} does not start:\n{log[-2_000:]}")
                time.sleep(POLL_SECONDS)
            pids.append(int(status["pid"]))
        yield pids


@contextmanager
def worker(settings: Settings, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """One stream worker, stopped in order at the end."""
    with (settings.state_dir / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "counterpoise", "run", "streams"],
            env=os.environ | {"COUNTERPOISE_INSTANCE": name, "COUNTERPOISE_HEALTH__STREAMS_PORT": "0"},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def publish(settings: Settings, chain: str, blocks: int) -> int:
    """Publish the chain's blocks; returns the height of its tip."""
    own = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"chain": chain})})
    source = FiguresSource(chain, SystemClock())
    tip = source.tip().lowest_height + blocks - 1
    with ServiceStatus("ingest", settings.run_dir, SystemClock()) as status:
        run_backfill(own, source, stop=threading.Event(), status=status, to_height=tip, wait_until_stored=False)
    return tip


def wait_until_scored(clickhouse: ClickHouse, tips: Mapping[str, int]) -> None:
    """Until every chain has its newest row; the newest table holds one a series, so that asking costs next to nothing."""
    asked = "SELECT chain, max(height) FROM concentration_latest_log GROUP BY chain"
    found: dict[str, int] = {}
    moved = time.monotonic()
    while any(found.get(chain, -1) < tip for chain, tip in tips.items()):
        now = dict(clickhouse.query(asked))
        if now != found:
            found, moved = now, time.monotonic()
        elif time.monotonic() > moved + PATIENCE_SECONDS:
            raise SystemExit(f"nothing moves: scored to {found}, published to {dict(tips)}")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
