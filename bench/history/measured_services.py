"""What the services cost on the history that a dataset has: starts of streams and alerts, the desk's pages and the API."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from bench.desk import opened
from bench.history.figures import Value
from bench.report import cpu_seconds, peak_memory_mib
from counterpoise.clickhouse.client import connect
from counterpoise.runtime.service_status import read_status
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.replay_line import alerts_reached
from desk.cli.whole_line import Services

PATIENCE_SECONDS: Final = 900.0
POLL_SECONDS: Final = 0.05
CALLS: Final = 15
NOISE_SECONDS: Final = 0.1
NOISE_MS: Final = 5.0
API_CALLS: Final = {
    "days of two metrics": "timeseries?metrics=top4_share,hhi&view=entity&window=1008&frequency=day",
    "single blocks of one metric": "timeseries?metrics=top4_share&view=raw&window=144&frequency=block&limit=200",
    "newest 100 blocks": "blocks?limit=100",
    "newest 100 blocks of a pool": "blocks?pool=antpool&limit=100",
    "windows of time": "time_windows?days=30&limit=100",
    "alerts": "alerts?limit=100",
    "catalogue": "catalog",
}


def streams_start(settings: Settings, clickhouse_pid: int, tip: int) -> dict[str, Value]:
    """From the start of the process until it has loaded the chain."""
    return _start(settings, clickhouse_pid, "streams", lambda status: status["info"].get("last_height") == tip)


def alerts_start(settings: Settings, clickhouse_pid: int, tip: int) -> dict[str, Value]:
    """From the start of the process until it works, where an alerter before it has judged every block up to the tip."""
    with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
        chain = settings.ingest.chain
        _start(settings, clickhouse_pid, "alerts", lambda _: alerts_reached(clickhouse, chain, tip))
    return _start(settings, clickhouse_pid, "alerts", _works)


def forget_status(settings: Settings, name: str) -> None:
    """Take away what an earlier process of this service said."""
    (settings.run_dir / f"{name}.json").unlink(missing_ok=True)


def _works(status: Mapping[str, Any]) -> bool:
    return bool(status["state"] == "working")


def _start(
    settings: Settings, clickhouse_pid: int, name: str, is_done: Callable[[Mapping[str, Any]], bool]
) -> dict[str, Value]:
    before, began = cpu_seconds(clickhouse_pid), time.perf_counter()
    forget_status(settings, name)
    with Services(settings, settings.run_dir / "services.log", names=(name,)):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (status := read_status(settings.run_dir, name)) is None or not is_done(status):
            if time.monotonic() > deadline:
                raise SystemExit(f"{name} does not start: {status}, see {settings.run_dir / 'services.log'}")
            time.sleep(POLL_SECONDS)
        took = time.perf_counter() - began
        pid = int(status["pid"])
        own, memory = cpu_seconds(pid), peak_memory_mib(pid)
    used = cpu_seconds(clickhouse_pid) - before
    return {
        f"{name}, start: own CPU": Value(own, "s", NOISE_SECONDS),
        f"{name}, start: CPU of ClickHouse": Value(used, "s", NOISE_SECONDS),
        f"{name}, start: wall": Value(took, "s", NOISE_SECONDS),
        f"{name}, start: peak memory": Value(memory, "MiB"),
    }


def desk_answers(settings: Settings, tip: int) -> dict[str, Value]:
    """Medians of the first page, of a page of the past, and of calls of the API."""
    asked = {
        "first page": ["/"] * CALLS,
        "page of a past block": [f"/?height={tip - 97 * (call + 1)}" for call in range(CALLS)],
        **{f"API: {name}": [f"/api/v1/{path}"] * CALLS for name, path in API_CALLS.items()},
    }
    found = {}
    forget_status(settings, "desk")
    with Services(settings, settings.run_dir / "services.log", names=("desk",)):
        desk = opened(settings)
        desk.get("/")
        for name, paths in asked.items():
            times = []
            for path in paths:
                times.append(desk.get(path)[0])
                time.sleep(POLL_SECONDS)  # within the rate that one address may ask at
            found[f"desk, {name}"] = Value(statistics.median(times), "ms", NOISE_MS)
        found["desk, peak memory"] = Value(peak_memory_mib(desk.pid), "MiB")
    return found
