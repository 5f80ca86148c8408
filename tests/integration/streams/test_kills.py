"""Kill the worker anywhere: the tables end as those of a run that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import repeat

import pytest

from tests.integration.streams.blocks import branch
from tests.integration.streams.line import KILLED, SMALL_BATCHES, Engines, Line, line_on
from tests.integration.streams.script import MANY_MESSAGES, SEED, Part, script, send
from tests.integration.streams.tables import assert_consistent, assert_same
from tests.integration.streams.test_reorgs import assert_chain
from tests.integration.streams.undisturbed import run_undisturbed
from tests.waiting import wait_for

POINTS = (
    "streams-after-blocks",
    "streams-after-newest",
    "streams-after-concentration",
    "streams-after-score",
    "streams-before-ack",
)


def run_with_kills(line: Line, parts: list[Part], kills: list[str]) -> list[str]:
    """Send everything; start a worker for each kill, let it die, and one more to finish. What each death interrupted."""
    told = []
    send(line, parts)
    for kill in kills:
        point, _, argument = kill.partition(":")
        if point == "random":
            before = line.ch.query("SELECT count() FROM blocks_log")
            worker = line.start(settings=SMALL_BATCHES)
            wait_for(partial(_has_changed, line, before), "work", worker.tail)
            time.sleep(float(argument))
            worker.kill()
            told.append(f"{kill}: pid {worker.pid} killed with {line.lag()} messages unacknowledged")
        else:
            worker = line.start(crash=kill, settings=SMALL_BATCHES)
            assert worker.wait() == KILLED, worker.tail()
            assert f"crash point {point} reached: killing {worker.pid}" in worker.log()
            told.append(f"{kill}: pid {worker.pid} died there with {line.lag()} messages unacknowledged")
        assert line.lag() > 0, f"{kill}: there was nothing left to interrupt"
    last = line.start()
    line.drain()
    assert last.stop() == 0, last.tail()
    return told


def _has_changed(line: Line, before: list[tuple[int]]) -> bool:
    return line.ch.query("SELECT count() FROM blocks_log") != before


def run_all(engines: Engines, parts: list[Part], plans: list[list[str]], reference: Line) -> None:
    """Several lines at once: most of a kill's time is the broker's patience with a member that is gone."""
    with ExitStack() as stack, ThreadPoolExecutor(len(plans)) as pool:
        lines = [stack.enter_context(line_on(engines, "killed")) for _ in plans]
        for line, told in zip(lines, pool.map(run_with_kills, lines, repeat(parts), plans), strict=True):
            print("\n".join(told))
            assert_consistent(line)
            assert_same(line, reference)


# Long: every crash point of the worker, with reorganisations; two of them stay in e2e/chaos/test_kills.py.
@pytest.mark.long
@pytest.mark.kafka
def test_a_worker_that_dies_at_any_point_leaves_what_the_next_one_heals(
    engines: Engines, parts: list[Part], undisturbed: Line
) -> None:
    draw = random.Random(SEED)
    plans = [
        [f"{POINTS[0]}:1", f"{POINTS[3]}:{draw.randint(5, 15)}"],
        [f"{POINTS[1]}:{draw.randint(2, 12)}", f"{POINTS[2]}:{draw.randint(8, 20)}"],
        [f"{POINTS[4]}:{draw.randint(2, 12)}"],
    ]
    print(f"seed {SEED}")
    run_all(engines, parts, plans, undisturbed)


def test_a_batch_that_is_held_over_several_commits_and_killed_comes_again(own_clickhouse_engines: Engines) -> None:
    """At a crash point a worker dies within milliseconds, before the next commit: an early acknowledgement would not be seen there.

    ClickHouse freezes before the messages come, so nothing of theirs is stored. Offsets are committed every half second.
    """
    blocks = branch(60)
    clickhouse = own_clickhouse_engines.clickhouse.process.pid
    with line_on(own_clickhouse_engines, "held") as line:
        worker = line.start(settings=SMALL_BATCHES)
        line.send(blocks[:20])
        line.drain()
        os.kill(clickhouse, signal.SIGSTOP)
        try:
            line.send(blocks[20:], events_per_message=10)
            time.sleep(2.0)  # for the commits that an early acknowledgement needs; the right order needs none
            assert worker.is_alive(), worker.tail()
            worker.kill()
        finally:
            os.kill(clickhouse, signal.SIGCONT)
        assert line.lag() == 4, "acknowledged before it was stored"
        again = line.start()
        line.drain()
        assert_chain(line, blocks)
        assert again.stop() == 0, again.tail()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_thirty_kills(engines: Engines) -> None:
    seed = int(time.time()) if "COUNTERPOISE_TEST_SEED" not in os.environ else SEED
    print(f"seed {seed}: COUNTERPOISE_TEST_SEED={seed} repeats it")
    draw = random.Random(seed)
    plans = []
    for _ in range(6):
        kills = [f"{point}:{draw.randint(1, 14)}" for point in POINTS] + [f"random:{draw.uniform(0, 1.5):.2f}"]
        draw.shuffle(kills)
        plans.append(kills)
    parts = script(SEED, MANY_MESSAGES)
    with run_undisturbed(engines, parts) as reference:
        run_all(engines, parts, plans, reference)
