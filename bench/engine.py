"""The embedded ClickHouse server: a million rows in and out, single rows, and small questions of both users.

    python -m bench.engine [--rows N] [--rounds 5] [--against COMMIT]

With `--against` the server of another commit of this repository runs beside this one, and the two take turns. The client is the same.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from clickhouse_driver import Client

from bench.other_commit import ROOT, tree_of
from bench.report import machine
from bench.stand import ends_in_order

MODULES: Final = ("engines.clickhouse", "counterpoise.embedded.clickhouse")
"""Where the server is, and where it was."""
SINGLE_ROWS, QUESTIONS = 100, 200
PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Side:
    """A server with a client of each user; its passwords are in `password` and `reader-password` of the folder."""

    name: str
    pid: int
    port: int
    folder: Path
    owner: Client
    reader: Client


@contextmanager
def served(name: str, tree: Path) -> Iterator[Side]:
    """The server of a tree, on a directory of its own."""
    module = next(one for one in MODULES if (tree / one.replace(".", "/") / "__main__.py").exists())
    with tempfile.TemporaryDirectory() as scratch:
        folder, passwords = Path(scratch), {"password": secrets.token_hex(16), "reader-password": secrets.token_hex(16)}
        options = ["--path", str(folder / "data"), "--ready-file", str(folder / "ready")]
        for option, password in passwords.items():
            (folder / option).touch(mode=0o600)
            (folder / option).write_text(password, encoding="utf-8")
            options += [f"--{option}-file", str(folder / option)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *options],
                cwd=tree,
                env=os.environ | {"PYTHONPATH": str(tree)},
                stdout=log,
                stderr=log,
            )
        try:
            port = _port(process, folder)
            users = (("default", passwords["password"]), ("reader", passwords["reader-password"]))
            owner, reader = (Client("127.0.0.1", port=port, user=user, password=word) for user, word in users)
            yield Side(name, process.pid, port, folder, owner, reader)
            owner.disconnect()
            reader.disconnect()
        finally:
            process.terminate()
            process.wait()


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (folder / "ready").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the server does not start:\n{(folder / 'log').read_text(errors='replace')[-2_000:]}")
        time.sleep(0.05)
    return int(json.loads((folder / "ready").read_text())["port"])


def columns_of(rows: int) -> list[Any]:
    """Heights, shares, names and times."""
    random = np.random.default_rng(75)
    names = [f"pool-{number}" for number in range(30)]
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        list(range(rows)),
        random.random(rows).tolist(),
        [names[number] for number in random.integers(0, 30, rows)],
        [moment] * rows,
    ]


def figures(rows: int) -> dict[str, Callable[[Side], float]]:
    """What is measured, by name: each gives seconds."""
    columns = columns_of(rows)

    def timed(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    def rows_in(side: Side) -> float:
        side.owner.execute("TRUNCATE TABLE many")
        return timed(lambda: side.owner.execute("INSERT INTO many VALUES", columns, columnar=True))

    def rows_out(client: Callable[[Side], Client]) -> Callable[[Side], float]:
        def read(side: Side) -> float:
            answer: list[Any] = []
            took = timed(lambda: answer.extend(client(side).execute("SELECT * FROM many", columnar=True)))
            if len(answer[0]) != rows:
                raise SystemExit(f"{len(answer[0]):,} rows of {rows:,} came back")
            return took

        return read

    def each(times: int, work: Callable[[Side, int], object]) -> Callable[[Side], float]:
        def run(side: Side) -> float:
            began = time.perf_counter()
            for number in range(times):
                work(side, number)
            return (time.perf_counter() - began) / times

        return run

    def question(height: int) -> str:
        return f"SELECT height, share FROM many WHERE height = {height}"

    return {
        f"{rows:,} rows in": rows_in,
        f"{rows:,} rows out": rows_out(lambda side: side.owner),
        f"{rows:,} rows out, reader": rows_out(lambda side: side.reader),
        "one row in": each(SINGLE_ROWS, lambda side, n: side.owner.execute("INSERT INTO single VALUES", [(n, 0.5)])),
        "a question": each(QUESTIONS, lambda side, n: side.owner.execute(question(n))),
        "a question asked before": each(QUESTIONS, lambda side, _: side.owner.execute("SELECT max(height) FROM many")),
        "a question, reader": each(QUESTIONS, lambda side, n: side.reader.execute(question(n))),
        "a question asked before, reader": each(
            QUESTIONS, lambda side, _: side.reader.execute("SELECT max(height) FROM many")
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", metavar="COMMIT")
    chosen = parser.parse_args()
    with ends_in_order(), ExitStack() as stack:
        sides = [stack.enter_context(served("now", ROOT))]
        if chosen.against:
            tree = stack.enter_context(tree_of(chosen.against))
            sides.append(stack.enter_context(served(chosen.against, tree)))
        for side in sides:
            side.owner.execute(
                "CREATE TABLE many (height UInt32, share Float64, pool LowCardinality(String), time DateTime('UTC')) "
                "ENGINE = MergeTree ORDER BY height"
            )
            side.owner.execute("CREATE TABLE single (height UInt32, share Float64) ENGINE = MergeTree ORDER BY height")
        work = figures(chosen.rows)
        found: dict[str, dict[str, list[float]]] = {name: {side.name: [] for side in sides} for name in work}
        for number in range(chosen.rounds):
            for name, measure in work.items():
                for side in sides if number % 2 else sides[::-1]:
                    found[name][side.name].append(measure(side))
    print(f"{machine()}\n\nMedian of {chosen.rounds} rounds\n")
    heads = [side.name for side in sides]
    print(f"| figure | {' | '.join(heads)} | ratio |\n|---|{'---|' * len(heads)}---|")
    for name, by_side in found.items():
        medians = [statistics.median(by_side[head]) for head in heads]
        ratio = f"{medians[0] / medians[1]:.2f}" if len(medians) > 1 else ""
        print(f"| {name} | {' | '.join(f'{1000 * one:,.2f} ms' for one in medians)} | {ratio} |")


if __name__ == "__main__":
    main()
