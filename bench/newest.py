"""Rows read, CPU and time of the frequent questions of a desk, on a history of 282,174 blocks and on one ten times as long.

    python -m bench.newest [--blocks N] [--times 1,10] [--specs 150]

150 generated metrics stand beside the shipped ones, so that growth of the plan with their number would show. Limits: 20,000 rows for
every question; 15 ms (median) for named columns of the newest rows, 40 ms for every column of their table.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import tempfile
import time
from pathlib import Path

from pydantic import SecretStr

from bench.report import cpu_seconds, machine
from bench.side_by_side import add_against, chosen_options, compared
from bench.stand import ends_in_order
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.migrations import migrate
from counterpoise.contracts.datasets import Dataset
from counterpoise.settings.endpoints import ClickHouseTarget
from engines.clickhouse.process import start_clickhouse
from testkit.generated_history import more_specs, put_in_place, questions, rows_read, write_history

RUNS = 31
ROWS_LIMIT = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=282_174)
    parser.add_argument("--times", default="1,10")
    parser.add_argument("--specs", type=int, default=150)
    add_against(parser)
    chosen = parser.parse_args()
    if compared("newest", chosen, chosen_options(chosen, "blocks", "times", "specs")):
        return
    with tempfile.TemporaryDirectory() as scratch, ends_in_order():
        folder, password = Path(scratch), secrets.token_hex(16)
        (folder / "password").touch(mode=0o600)
        (folder / "password").write_text(password, encoding="utf-8")
        server = start_clickhouse(folder / "data", password_file=folder / "password", log_file=folder / "log")
        try:
            target = ClickHouseTarget(
                "127.0.0.1", server.port, "default", SecretStr(password), query_timeout_seconds=600
            )
            migrate(target, Dataset("newest", "simulated"))
            with connect(target, "newest") as ch:
                run(ch, server.pid, chosen.blocks, [int(factor) for factor in chosen.times.split(",")], chosen.specs)
        finally:
            server.stop()


def run(ch: ClickHouse, pid: int, blocks: int, factors: list[int], generated: int) -> None:
    specs = more_specs(generated)
    put_in_place(ch, specs)
    print(
        f"{machine()}\n\n{generated} generated metrics beside {len(specs) - generated}; median of {RUNS}; at most {ROWS_LIMIT:,} rows"
    )
    done = 0
    for factor in factors:
        total = blocks * factor
        write_history(ch, total, specs, after=done)
        done = total
        print(f"\n| {total:,} blocks | rows read | CPU | median | fastest |\n|---|---|---|---|---|")
        for name, sql in questions(total).items():
            rows, times = rows_read(ch, sql), []
            cpu = cpu_seconds(pid)
            for _ in range(RUNS):
                began = time.perf_counter()
                ch.query(sql)
                times.append((time.perf_counter() - began) * 1000)
            cpu = (cpu_seconds(pid) - cpu) / RUNS * 1000
            over = "" if rows <= ROWS_LIMIT else " (over)"
            print(
                f"| {name} | {rows:,}{over} | {cpu:.1f} ms | {statistics.median(times):.1f} ms | {min(times):.1f} ms |"
            )


if __name__ == "__main__":
    main()
