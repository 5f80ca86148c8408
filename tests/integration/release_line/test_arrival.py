"""However releases come, and whatever dies meanwhile, the tables end equal."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from itertools import repeat

import pytest

from counterpoise.series.release import to_events
from tests.integration.release_line.feed import send_events, send_releases
from tests.integration.release_line.script import (
    CHUNK_OBSERVATIONS,
    SEED,
    Part,
    days,
    last_quarter,
    late_release,
    plain_script,
    script,
    send,
    withdrawn,
)
from tests.integration.release_line.views import assert_same, letters, rest, rows
from tests.integration.streams.line import KILLED, SMALL_BATCHES, Engines, Line, line_on
from tests.waiting import wait_for

CRASHES = (
    "streams-after-chunks",
    "streams-after-dispersion",
    "streams-after-releases",
    "streams-after-parts",
    "streams-after-asymmetry",
    "streams-after-score",
    "streams-before-ack",
)


@pytest.fixture(scope="module")
def reference(engines: Engines) -> Iterator[Line]:
    """The same facts, whole, once and undisturbed."""
    with line_on(engines, "plain") as line:
        worker = line.start()
        send(line, plain_script())
        rest(line)
        line.wait_for("SELECT uniqExact(day) FROM asymmetry WHERE knowledge = 'latest'", len(days()))
        rest(line)
        yield line
        assert worker.stop() == 0, worker.tail()


def test_what_the_script_ends_in(reference: Line) -> None:
    ch = reference.ch
    # The restated quarter stood from its publication on 4 May to its withdrawal on the 6th, and so did what was known live.
    live = ch.query(
        "SELECT toString(day), release_id FROM asymmetry WHERE view = 'raw' AND knowledge = 'live' ORDER BY day"
    )
    restated, before = late_release().release_id, last_quarter().release_id
    known = {day: restated if "2026-05-04" <= day < "2026-05-06" else before for day, _ in live}
    assert dict(live) == known
    assert set(known.values()) == {restated, before}
    assert min(known) == "2026-05-01"  # nothing was published before
    assert {row[0] for row in ch.query("SELECT release_id FROM asymmetry WHERE knowledge = 'latest'")} == {before}
    assert ch.query("SELECT count() FROM incomplete_releases") == [(1,)]
    assert ch.query("SELECT owner, kind, round(value / 1e9, 2) FROM forecasts") == [
        ("Grand View Research", "forecast", 118.69)
    ]
    assert ch.query("SELECT count() FROM dispersion_all WHERE layer = 'market_size'") == [(0,)]
    assert letters(reference) == []


@pytest.mark.parametrize("seed", [SEED, pytest.param(SEED + 1, marks=pytest.mark.soak)])
def test_any_order_twice_and_in_chunks(engines: Engines, reference: Line, seed: int) -> None:
    """One order here, another in `make soak`; the fold's own tests draw many."""
    with line_on(engines, "shuffled") as line:
        worker = line.start()
        send(line, script(seed))
        rest(line)
        assert_same(line, reference)
        assert letters(line) == [("streams", "not-json", 1), ("streams", "unknown-series", 1)]
        assert worker.stop() == 0, worker.tail()


def run_with_kills(line: Line, parts: list[Part], kills: list[str]) -> list[str]:
    """Send a piece before each kill and let a worker die of it, then the rest to one more. What each death interrupted."""
    told = []
    size = len(parts) // (len(kills) + 1)
    for number, kill in enumerate(kills):
        send(line, parts[number * size : (number + 1) * size])
        point, _, argument = kill.partition(":")
        worker = line.start(settings=SMALL_BATCHES, crash=None if point == "random" else kill)
        if point == "random":
            wait_for(partial(_has_work, line), "work", worker.tail)
            time.sleep(float(argument))
        else:  # a piece that does not lead past the point is done with, and its worker is killed at rest
            wait_for(lambda: not worker.is_alive() or line.lag() == 0, kill, worker.tail)  # noqa: B023 - called at once
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(4)
        where = "where it was"
        if not worker.is_alive():
            assert f"crash point {point} reached: killing {worker.pid}" in worker.log(), worker.tail()
            where = "there"
        worker.kill()
        assert worker.wait() == KILLED
        told.append(f"{kill}: pid {worker.pid} died {where} with {line.lag()} messages unacknowledged")
    send(line, parts[len(kills) * size :])
    last = line.start()
    rest(line)
    assert last.is_alive(), last.tail()
    return told


def _has_work(line: Line) -> bool:
    return bool(line.ch.query("SELECT count() FROM release_chunks_log")[0][0])


def run_all(engines: Engines, plans: list[list[str]], reference: Line) -> None:
    """Several lines at once: most of a kill's time is the broker's patience with a member that is gone."""
    parts = script(SEED)
    with ExitStack() as stack, ThreadPoolExecutor(len(plans)) as pool:
        lines = [stack.enter_context(line_on(engines, "killed")) for _ in plans]
        for line, told in zip(lines, pool.map(run_with_kills, lines, repeat(parts), plans), strict=True):
            print("\n".join(told))
            assert sum("died there" in one for one in told) >= len(told) // 2
            assert_same(line, reference)
            assert letters(line) == [("streams", "not-json", 1), ("streams", "unknown-series", 1)]
            assert line.workers[-1].stop() == 0, line.workers[-1].tail()


# Long: every crash point with releases; blocks stay in e2e/chaos/test_kills.py, a late release below.
@pytest.mark.long
@pytest.mark.kafka
def test_a_worker_that_dies_at_any_point_leaves_what_the_next_one_heals(engines: Engines, reference: Line) -> None:
    plans = [
        ["streams-after-chunks:1", "streams-after-dispersion:1", "streams-after-asymmetry:1"],
        ["streams-after-releases:1", "streams-after-parts:1", "streams-after-chunks:1"],
    ]
    run_all(engines, plans, reference)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_twenty_four_kills(engines: Engines, reference: Line) -> None:
    print(f"seed {SEED}: COUNTERPOISE_TEST_SEED={SEED} repeats it")
    draw = random.Random(SEED)
    plans = []
    for _ in range(4):
        kills = [f"{point}:1" for point in draw.sample(CRASHES, 5)] + [f"random:{draw.uniform(0, 2):.2f}"]
        draw.shuffle(kills)
        plans.append(kills)
    run_all(engines, plans, reference)


def test_a_late_release_changes_only_what_it_should(engines: Engines, reference: Line) -> None:
    """Equal to the line that was given everything at once; every other row keeps its version."""
    keys = {
        "dispersion_log": "series, list_id, release_id, toString(treatment)",
        "releases_log": "series, release_id",
        "release_current_log": "series, kind, toString(period_end)",
        "growth_log": "series, list_id, toString(period_end), span",
        "asymmetry_log": "series, view, toString(knowledge), toString(kind), toString(day)",
    }

    def versions(line: Line) -> dict[tuple[str, ...], int]:
        return {
            (table, *row[:-1]): row[-1]
            for table, columns in keys.items()
            for row in line.ch.query(f"SELECT {columns}, version FROM {table} FINAL")
        }

    late = late_release()
    parts = [part for part in plain_script() if not any(event.release_id == late.release_id for event in part.events)]
    with line_on(engines, "late") as line:
        worker = line.start()
        send(line, parts)
        rest(line)
        line.wait_for("SELECT uniqExact(day) FROM asymmetry WHERE knowledge = 'latest'", len(days()))
        rest(line)
        before = versions(line)
        chunks = to_events(late, CHUNK_OBSERVATIONS)
        for event in (chunks[-1], *chunks[:-1], chunks[0]):
            send_events(line, [event])
        line.wait_for(f"SELECT count() FROM asymmetry WHERE release_id = '{late.release_id}' AND view = 'raw'", 18)
        rest(line)
        after = versions(line)
        moved = {key for key in after if before.get(key) != after[key]}
        assert before.keys() <= after.keys()
        # Its own rows; the pointer and the growth of its period; live days from its publication on, all days of what is known now.
        for key in moved:
            match key[0]:
                case "dispersion_log" | "releases_log":
                    assert late.release_id in key
                case "release_current_log":
                    assert key[1:] == (late.head.series, "measured", "2025-12-31")
                case "growth_log":
                    assert key[1] == late.head.series and key[3] == "2025-12-31"
                case _:
                    assert key[1] == late.head.series and (key[3] == "latest" or key[5] >= "2026-05-04")
        assert {key[0] for key in moved} == keys.keys()
        worker.kill()  # and a worker that takes over writes nothing that is there already
        again = line.start()
        wait_for(lambda: again.status().get("state") == "working", "the worker", again.tail)
        rest(line)
        time.sleep(3)
        assert versions(line) == after
        send_events(line, [withdrawn(), *(event for part in plain_script()[-1:] for event in part.events)])
        rest(line)
        assert_same(line, reference)
        assert again.stop() == 0, again.tail()


def test_a_dataset_without_blocks_has_releases_and_no_score(engines: Engines) -> None:
    with line_on(engines, "noblocks") as line:
        worker = line.start()
        send_releases(line, [last_quarter()])
        rest(line)
        line.wait_for("SELECT count() FROM dispersion", 3)
        assert rows(line, "asymmetry") == set()
        assert worker.stop() == 0, worker.tail()
