"""The three workers in one thread, on a real ClickHouse and without a broker: what one sends to the other is carried over by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from counterpoise.chain.tree import MAX_PARKED
from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.releases import RELEASE_KIND
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.contracts.topics import BLOCK_REQUESTS, BLOCKS, EDGE_AI, PAIRS, SCORES
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.retry import Waiter
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import to_events
from counterpoise.settings.sections.market_sections import MarketSettings
from counterpoise.windows import MAX_REORG_BLOCKS
from ingest.releases.sources.openrouter import OpenRouterSource
from streams.asymmetry.worker import AsymmetryWorker
from streams.blocks.worker import BlockWorker
from streams.releases.fold.release_fold import MAX_INCOMPLETE_RELEASES
from streams.releases.worker import ReleaseWorker
from streams.worker import Outgoing, Output
from streams.worker_store import WorkerStore
from testkit.manual_clock import ManualClock
from testkit.market_server import MarketServer
from tests.engines import ClickHouseServer
from tests.integration.release_line.feed import epoch
from tests.integration.release_line.script import chain, restated
from tests.integration.streams.blocks import block, branch
from tests.integration.streams.by_hand import Workers, workers_of
from tests.long import long
from tests.runbook import assert_shown
from tests.unit.ingest_releases.test_openrouter_weeks import snapshot_of

VERIFIES = [
    ("Faust", "lock:faust-streaming", "real", "workers that share chains, kills, rebalances"),
]

DATASET = "by_hand"


def scored_heights(outputs: Sequence[Outgoing]) -> list[int]:
    """The heights of the scores among what the block worker returned."""
    scores = [one.event for one in outputs if one.topic is SCORES]
    return [score.height for score in scores if isinstance(score, ScoreEvent)]


@pytest.fixture
def workers(clickhouse: ClickHouseServer, tmp_path: Path) -> Iterator[Workers]:
    with workers_of(clickhouse, DATASET, tmp_path) as made:
        yield made


def test_a_release_that_was_forgotten_and_sent_again_is_joined(workers: Workers) -> None:
    """The worker of pairs has seen its first chunk, saw it deleted, and must take it in when it comes again."""
    workers.send_blocks(chain())
    late = restated(epoch()[-3], date(2026, 5, 1), 1.7)
    first, second = to_events(late, len(late.observations) // 2 + 1)
    workers.send_chunks([first])
    whole, other = to_events(epoch()[0]), to_events(epoch()[1])
    workers.send_chunks(whole)  # makes the worker of pairs look
    for number in range(MAX_INCOMPLETE_RELEASES):
        begun = restated(epoch()[0], date(2026, 5, 2) + timedelta(days=number), 2.0 + number)
        workers.send_chunks(to_events(begun, len(begun.observations) // 2 + 1)[:1])
    workers.send_chunks(other)
    letters = workers.ch.query("SELECT reason, count() FROM dead_letters GROUP BY reason")
    assert letters == [("too-many-incomplete", 1)]
    assert_shown("Dead letters with reason", str(letters))
    workers.send_chunks([first, second])
    joined = {
        row[0] for row in workers.ch.query("SELECT DISTINCT release_id FROM asymmetry WHERE knowledge = 'latest'")
    }
    assert joined == {late.release_id}, "the latest period that had ended"


class InterruptedStore(WorkerStore):
    """Does something between two reads: before the read that `countdown` counts down to."""

    countdown = 0
    action: Callable[[], object] = staticmethod(lambda: None)

    def read(self, query: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.countdown -= 1
        if self.countdown == 0:
            self.action()
        return super().read(query, *args, **kwargs)


_MINING_SIDES = """
    SELECT kind, slot, knowledge, view, tip_hash, known_blocks, unknown_blocks, d2_mining, mining_age_days
    FROM asymmetry_log FINAL ORDER BY ALL
"""


# Long: a switch before each read.
@pytest.mark.parametrize("reads", [(1, 5, 9), *long(range(1, 12))], ids=["three", "each"])
def test_a_switch_between_two_reads_leaves_no_row_of_two_branches(
    workers: Workers, clickhouse: ClickHouseServer, reads: Sequence[int]
) -> None:
    """Whichever read of the worker of pairs a switch comes before, its rows end as those of one who saw the last branch alone."""
    store = InterruptedStore(connect(clickhouse.target, DATASET), Waiter(SystemClock(), workers.status, lambda: False))
    workers.pairs.close()
    workers.pairs = AsymmetryWorker(store, dataset=DATASET, catalogue=load_catalogue())
    workers.take_over()
    workers.send_chunks(to_events(epoch()[-3]))
    mined = chain()
    workers.send_blocks(mined)
    for read in reads:
        tip = mined[-1]
        grown = block(tip.height + 1, tip.hash, label="f2pool", time=tip.time + 43_200, salt=str(read))
        undone = [*mined[-4:], grown]
        parent, branched = mined[-5], []
        for old in undone:
            parent = block(
                old.height,
                parent.hash,
                label="luxor",
                time=old.time + 60,
                bits=0x1D00FFFF - (read << 8),
                salt=str(read),
            )
            branched.append(parent)
        late: list[Output] = []

        def switch(events: list[BlockEvent] = branched, late: list[Output] = late) -> None:
            late += workers.blocks.handle([workers.message(BLOCKS, "bitcoin", events, BLOCK_KIND)])

        store.countdown, store.action = read, switch
        workers.send_blocks([grown])
        if not late:
            switch()
        store.countdown = 0
        workers._send(late)
        workers.pairs.refresh()
        mined = [*mined[:-4], *branched]
        found = workers.ch.query(_MINING_SIDES)
        assert {row[4] for row in found if row[0] == "latest"} == {mined[-1].hash}
        workers.ch.execute("TRUNCATE TABLE asymmetry_log")  # or rows with the same name would stay
        workers.pairs.assign(frozenset(range(PAIRS.partitions)))
        workers.pairs.refresh()
        assert workers.ch.query(_MINING_SIDES) == found, f"a switch before read {read}"


def test_the_gap_moves_with_each_week_of_a_polled_source(workers: Workers) -> None:
    """From the server's answer to the row of the pair, without a file that a person loads."""
    workers.send_blocks(chain())
    memory: dict[str, str] = {}
    clock = ManualClock(1_777_900_000.0)
    rows = []
    with MarketServer() as server:
        settings = MarketSettings.model_validate({"openrouter": {"url": f"{server.url}/api/v1/datasets/exports"}})
        with closing(OpenRouterSource(settings, load_catalogue(), clock=clock, pause=clock.sleep)) as source:
            for snapshot, openai in ((date(2026, 4, 27), 20), (date(2026, 5, 4), 80)):
                text = snapshot_of(
                    snapshot - timedelta(days=7), 7, (("deepseek/v4", 60), ("openai/gpt-6", openai), ("other", 5))
                )
                server.serve_openrouter_exports(text, snapshot, retrieved_at=f"{snapshot}T01:46:00Z")
                [release] = [release for step in source.fetch(memory) for release in step.releases]
                workers.send_chunks(to_events(release))
                workers.pairs.refresh()
                rows += workers.ch.query(
                    "SELECT toString(period_end), d2_ai_dropped, level FROM latest_asymmetry "
                    "WHERE series = 'openrouter-author-tokens' AND view = 'raw' AND knowledge = 'latest'"
                )
    assert [row[0] for row in rows] == ["2026-04-26", "2026-05-03"]
    # (60 + 20)² / (60² + 20²), and (60 + 80)² / (60² + 80²).
    assert [row[1] for row in rows] == pytest.approx([1.6, 1.96])


def test_an_orphan_that_is_pushed_out_becomes_a_letter_of_its_own_chain(workers: Workers) -> None:
    """Two chains in one batch: the letter stands in the message that pushed the orphan out, and can be sent again from there."""
    common = branch(3)
    orphan = block(common[-1].height + 5, "ab" * 32)
    workers.send_blocks([*common, orphan])
    # Its parent turns up at a height that does not fit; another chain's message comes last.
    parent = block(common[-1].height + 1, common[-1].hash).model_copy(update={"hash": "ab" * 32})
    other = branch(2, chain="other")
    messages = [
        workers.message(BLOCKS, "bitcoin", [parent], BLOCK_KIND),
        workers.message(BLOCKS, "other", other, BLOCK_KIND),
    ]
    workers.blocks.handle(messages)
    found = workers.ch.query(
        "SELECT reason, partition, offset, event_index, key, JSONExtractString(payload, 'hash') FROM dead_letters"
    )
    at = messages[0]
    assert found == [("orphan-dropped", at.partition, at.offset, 0, "bitcoin", orphan.hash)]


def test_what_comes_too_late_has_a_row_and_changes_no_other(workers: Workers) -> None:
    """Blocks that fork below what is final, new or delivered again, before and after the worker loads its state anew."""
    trunk = branch(MAX_REORG_BLOCKS + 40)
    for start in range(0, len(trunk), 500):
        workers.send_blocks(trunk[start : start + 500])
    final = len(trunk) - MAX_REORG_BLOCKS - 1
    late, deep = branch(3, trunk[final - 20], salt="late"), branch(2, trunk[final - 1], salt="deep")
    before = block(trunk[0].height - 1, "ab" * 32)

    def standing() -> dict[str, str]:
        return dict(workers.ch.query("SELECT hash, toString(status) FROM blocks_all"))

    def scores() -> list[tuple[object, ...]]:
        return workers.ch.query(
            "SELECT * EXCEPT (version) FROM concentration_log FINAL ORDER BY height, view, window_blocks"
        )

    expected = {event.hash: "canonical" for event in trunk}
    assert standing() == expected
    scored = scores()
    expected |= {event.hash: "stale" for event in (*late, *deep)} | {before.hash: "parked"}
    for events in ([*late, *trunk[:5], *deep], [before, *late], trunk[final - 2 : final + 3]):
        workers.send_blocks(events)
        workers.blocks.assign(frozenset(range(BLOCKS.partitions)))
    assert standing() == expected
    assert scores() == scored
    assert workers.ch.query("SELECT count() FROM dead_letters") == [(0,)]
    assert [one.event for one in workers.blocks.refresh() if one.topic is BLOCK_REQUESTS] == []


def test_who_is_overtaken_loads_again_and_who_lost_it_forgets(workers: Workers) -> None:
    workers.send_blocks(branch(5))
    workers.send_chunks(to_events(epoch()[0]))

    def epochs() -> dict[str, int]:
        return dict(
            workers.ch.query("SELECT role, max(epoch) FROM epochs_log WHERE role NOT LIKE 'pairs:%' GROUP BY role")
        )

    before = epochs()
    roles = ("streams:bitcoin", f"market:{epoch()[0].head.series}")
    assert before.keys() >= set(roles)
    for role in roles:
        claim_epoch(workers.ch, role)
    for _ in range(2):
        assert scored_heights(workers.blocks.refresh()) in ([branch(5)[-1].height], [])
        assert workers.market.refresh() == [], "nothing was missing"
    assert {role: epochs()[role] - before[role] for role in roles} == dict.fromkeys(roles, 2), "once each"
    workers.blocks.assign(frozenset())
    workers.market.assign(frozenset())
    for role in roles:
        claim_epoch(workers.ch, role)
    assert (workers.blocks.refresh(), workers.market.refresh()) == ([], [])
    assert {role: epochs()[role] - before[role] for role in roles} == dict.fromkeys(roles, 3), "not ours any more"


def test_forgetting_does_not_count_as_good_input_that_was_bad(clickhouse: ClickHouseServer, workers: Workers) -> None:
    """One message forgets the events of many earlier ones: these were good when they came."""
    limited = ReleaseWorker(
        WorkerStore(connect(clickhouse.target, DATASET), Waiter(SystemClock(), workers.status, lambda: False)),
        dataset=DATASET,
        catalogue=load_catalogue(),
        limit=DeadLetterLimit(100, 0.5),
    )
    half = len(epoch()[0].observations) // 2 + 1
    begun = [
        to_events(restated(epoch()[0], date(2024, 1, 1) + timedelta(days=n), 2.0 + n), half)[0]
        for n in range(2 * MAX_INCOMPLETE_RELEASES)
    ]
    for events in (begun[:MAX_INCOMPLETE_RELEASES], begun[MAX_INCOMPLETE_RELEASES:]):
        # 64 good, then 64 good and 64 bad: a third of 192.
        limited.handle([workers.message(EDGE_AI, events[0].series, events, RELEASE_KIND)])
    limited.close()
    assert workers.ch.query("SELECT count() FROM dead_letters") == [(MAX_INCOMPLETE_RELEASES,)]


def test_orphans_for_which_there_is_no_room_are_no_bad_input(clickhouse: ClickHouseServer, workers: Workers) -> None:
    """Each has a letter. They are blocks that are taken later, so the service goes on."""
    limited = BlockWorker(
        WorkerStore(connect(clickhouse.target, DATASET), Waiter(SystemClock(), workers.status, lambda: False)),
        dataset=DATASET,
        limit=DeadLetterLimit(100, 0.5),
    )
    common = branch(2)
    top = common[-1].height + 5
    orphans = [block(top + number, f"{number + 1:064x}", salt=str(number)) for number in range(MAX_PARKED + 150)]
    for events in (common, orphans[:MAX_PARKED], orphans[MAX_PARKED:]):
        limited.handle([workers.message(BLOCKS, "bitcoin", events, BLOCK_KIND)])
    limited.close()
    assert workers.ch.query("SELECT reason, count() FROM dead_letters GROUP BY reason") == [("orphan-dropped", 150)]
