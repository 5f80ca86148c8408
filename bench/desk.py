"""The page under 100 viewers: from a block that is stored in ClickHouse to its tip at every viewer.

    python -m bench.desk [--viewers 100] [--blocks 20] [--spacing 10] [--history 20160] [--write]

The desk runs as its service on the embedded engines; blocks are folded and stored in this process, which also reads every stream. A
latency is from the return of the last insert of a block to its tip at a viewer, which comes once the first tier is shown. `--write`
puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import resource
import time
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from bench.report import Figure, cpu_seconds, machine, peak_memory_mib, table, write_part
from bench.side_by_side import add_against, chosen_options, compared
from bench.stand import engines
from counterpoise.clickhouse.client import connect
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import BLOCKS
from counterpoise.formats import PAGE
from counterpoise.kafka.partition import partition_of
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus, read_status
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.urls import split_url
from desk.cli.desk import read_link
from desk.cli.whole_line import Services, start_afresh
from streams.blocks.worker import BlockWorker
from streams.intake.dead_letter import RawMessage
from streams.worker_store import WorkerStore

FIRST_HEIGHT = 900_000
BATCH_BLOCKS = 400
POOLS = ("foundryusa", "antpool", "viabtc", "f2pool", "marapool", "luxor", "sbicrypto", "unknown")
CHANCES = (0.31, 0.2, 0.14, 0.12, 0.09, 0.06, 0.05, 0.03)
PATIENCE_SECONDS = 60.0
PAGES = 40

VISIBLE_P99_LIMIT_MS = 500.0
PAGE_LIMIT_MS = 1_000.0
PAGE_WEIGHT_LIMIT_MIB = 1.5
MEMORY_LIMIT_MIB = 300.0
GROWTH_LIMIT_MIB = 20.0
CPU_LIMIT_CORES = 0.5


class Chain:
    """Made-up blocks with real rules, folded and stored as the streams service does."""

    def __init__(self, settings: Settings, status: ServiceStatus) -> None:
        self._random = np.random.default_rng(2021)
        self._tip, self.height = "00" * 32, FIRST_HEIGHT - 1
        self._topic = BLOCKS.full_name(settings.dataset)
        self._dataset = settings.dataset
        waiter = Waiter(SystemClock(), status, lambda: False)
        store = WorkerStore(connect(clickhouse_target(settings), settings.dataset), waiter)
        self._worker = BlockWorker(store, dataset=settings.dataset, limit=DeadLetterLimit(0, 0.5))
        self._worker.assign(frozenset(range(BLOCKS.partitions)))

    def add(self, number: int) -> float:
        """Store so many blocks in one message; when that was done, by `time.perf_counter`."""
        events = [self._next() for _ in range(number)]
        value = encode(events, kind=BLOCK_KIND, dataset=self._dataset, producer="bench", sent_at_ms=0)
        key = b"bitcoin"
        self._worker.handle([RawMessage(self._topic, partition_of(key, BLOCKS.partitions), 0, key, value)])
        return time.perf_counter()

    def close(self) -> None:
        self._worker.close()

    def _next(self) -> BlockEvent:
        self.height += 1
        at = 1_700_000_000 + 600 * (self.height - FIRST_HEIGHT)
        made_up = sha256(f"{self._tip}{self.height}".encode()).hexdigest()
        event = BlockEvent(
            chain="bitcoin",
            height=self.height,
            hash=made_up,
            prev_hash=self._tip,
            time=at,
            bits=0x1D00FFFF,
            label=str(self._random.choice(POOLS, p=CHANCES)),
            source="replay",
            seen_at_ms=1000 * at,
            synthetic=True,
        )
        self._tip = made_up
        return event


@dataclass
class Desk:
    """The running service: where it answers, its process, and the cookie of a session."""

    port: int
    pid: int
    cookie: str

    def get(self, path: str) -> tuple[float, int]:
        """Milliseconds until the whole answer was read, and its bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": self.cookie})
        answer = connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status} {body[:200]!r}")
        return took, len(body)


class Viewer:
    """One open page: it notes when the events of a height had come."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.seen: dict[str, float] = {}
        self.changed = asyncio.Event()

    async def watch(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._desk.port, limit=1 << 24)
        request = f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{self._desk.port}\r\nCookie: {self._desk.cookie}\r\n\r\n"
        writer.write(request.encode())
        kind = b""
        try:
            while line := await reader.readline():
                if line.startswith(b"event: "):
                    kind = line.strip()
                elif line.startswith(b"data: ") and kind == b"event: line":  # the first tier comes before its head
                    tip = line.partition(b'tip\\">')[2].partition(b"<")[0].decode()
                    self.seen.setdefault(tip, time.perf_counter())
                    self.changed.set()
        finally:
            writer.close()

    async def wait_for(self, height: int) -> float:
        """When the events of this height had come."""
        wanted = PAGE.count(height)
        while wanted not in self.seen:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), PATIENCE_SECONDS)
        return self.seen[wanted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--blocks", type=int, default=20, help="how many blocks are measured")
    parser.add_argument("--spacing", type=float, default=10.0, help="seconds between them")
    parser.add_argument("--history", type=int, default=20_160, help="blocks that are stored before")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    add_against(parser)
    chosen = parser.parse_args()
    if compared("desk", chosen, chosen_options(chosen, "viewers", "blocks", "spacing", "history")):
        return
    configure_logging("text", "error")
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, max(files, 4 * chosen.viewers + 256)), most))
    with engines(COUNTERPOISE_DESK__PORT="0"):
        figures = measure(Settings.load(), chosen)
    text = f"{machine()}; {chosen.history:,} blocks of history:\n\n{table(figures)}"
    print(text)
    if chosen.write:
        write_part("desk", text)


def measure(settings: Settings, chosen: argparse.Namespace) -> list[Figure]:
    start_afresh(settings)
    with ServiceStatus("bench", settings.run_dir, SystemClock()) as status:
        chain = Chain(settings, status)
        try:
            for done in range(0, chosen.history, BATCH_BLOCKS):
                chain.add(min(BATCH_BLOCKS, chosen.history - done))
            with Services(settings, settings.run_dir / "services.log", names=("desk",)):
                return asyncio.run(watched(opened(settings), chain, chosen))
        finally:
            chain.close()


def opened(settings: Settings) -> Desk:
    """The desk once it serves, with a session."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = read_status(settings.run_dir, "desk")
        if status is not None and "desk_port" in status.get("info", {}):
            link = split_url(read_link(settings.run_root))
            connection = http.client.HTTPConnection("127.0.0.1", int(status["info"]["desk_port"]))
            connection.request("GET", f"{link.path}?{link.query}")
            answer = connection.getresponse()
            cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
            connection.close()
            return Desk(int(status["info"]["desk_port"]), int(status["pid"]), cookie)
        time.sleep(0.1)
    raise SystemExit(f"the desk did not start: see {settings.run_dir / 'services.log'}")


async def watched(desk: Desk, chain: Chain, chosen: argparse.Namespace) -> list[Figure]:
    """Open every viewer, then add blocks one by one and take the times."""
    viewers = [Viewer(desk) for _ in range(chosen.viewers)]
    tasks = []
    for viewer in viewers:
        tasks.append(asyncio.create_task(viewer.watch()))
        await asyncio.sleep(0.03)  # within the rate that one address may ask at
    await asyncio.gather(*(viewer.wait_for(chain.height) for viewer in viewers))
    await asyncio.to_thread(chain.add, 1)
    await asyncio.gather(*(viewer.wait_for(chain.height) for viewer in viewers))
    memory, cpu, began = peak_memory_mib(desk.pid), cpu_seconds(desk.pid), time.perf_counter()
    each: list[float] = []
    last: list[float] = []
    for _ in range(chosen.blocks):
        stored = await asyncio.to_thread(chain.add, 1)
        came = await asyncio.gather(*(viewer.wait_for(chain.height) for viewer in viewers))
        each += [1000 * max(0.0, at - stored) for at in came]
        last.append(1000 * max(0.0, max(came) - stored))
        await asyncio.sleep(chosen.spacing)
    cores = (cpu_seconds(desk.pid) - cpu) / (time.perf_counter() - began)
    growth = peak_memory_mib(desk.pid) - memory
    pages, past = await asyncio.to_thread(page_times, desk, chain.height)
    weight = sum(desk.get(path)[1] for path in ("/", "/static/desk.css", "/static/live.js", "/static/readings.js"))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    viewers_at = f"{chosen.viewers} viewers, {chosen.blocks} blocks"
    return [
        Figure(f"stored to visible, median of {viewers_at}", percentile(each, 50), "ms", VISIBLE_P99_LIMIT_MS),
        Figure(f"stored to visible, 99th percentile of {viewers_at}", percentile(each, 99), "ms", VISIBLE_P99_LIMIT_MS),
        Figure(
            f"stored to the last viewer, median of {chosen.blocks} blocks",
            percentile(last, 50),
            "ms",
            VISIBLE_P99_LIMIT_MS,
        ),
        Figure(f"CPU of the desk, a block every {chosen.spacing:g} s", cores, "cores", CPU_LIMIT_CORES),
        Figure("peak memory of the desk", peak_memory_mib(desk.pid), "MiB", MEMORY_LIMIT_MIB),
        Figure("growth of its peak while blocks come", growth, "MiB", GROWTH_LIMIT_MIB),
        Figure(f"first page, median of {PAGES}", percentile(pages, 50), "ms", PAGE_LIMIT_MS),
        Figure(f"first page, 99th percentile of {PAGES}", percentile(pages, 99), "ms", PAGE_LIMIT_MS),
        Figure("weight of the first page with its style and scripts", weight / 2**20, "MiB", PAGE_WEIGHT_LIMIT_MIB),
        Figure(f"page of a past block, median of {len(past)}", percentile(past, 50), "ms", PAGE_LIMIT_MS),
    ]


def page_times(desk: Desk, tip: int) -> tuple[list[float], list[float]]:
    """Answer times of the first page and of pages of past blocks, while every viewer is connected."""
    pages = []
    for _ in range(PAGES):
        pages.append(desk.get("/")[0])
        time.sleep(0.05)
    return pages, [desk.get(f"/?height={tip - 97 * back}")[0] for back in range(1, 9)]


def percentile(values: list[float], rank: float) -> float:
    return float(np.percentile(values, rank))


if __name__ == "__main__":
    main()
