"""Scoring a dataset of before anew: what it lacked is there, nothing else moved, a death in the middle is gone on from."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress, TaskID

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.rows.concentration_rows import tombstone_columns
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.datasets import Dataset
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import BLOCKS as BLOCKS_TOPIC
from counterpoise.estimates.drift import FAMILIES
from counterpoise.kafka.partition import partition_of
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.windows import WINDOWS_BLOCKS
from desk.cli import main
from streams.blocks import rescoring as rescore_module
from streams.blocks.attribution_store import current_set
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold
from streams.blocks.loader import canonical_blocks, scored_above, stored_chain
from streams.blocks.rescoring import rescore
from streams.blocks.scoring_store import mark_scored, scored_to
from streams.blocks.sinks import BlockSinks
from streams.blocks.state_store import stored_drift, stored_states
from streams.blocks.worker import BlockWorker
from streams.intake.dead_letter import RawMessage
from streams.worker_store import WorkerStore
from tests.engines import ClickHouseServer
from tests.integration.sql.sample import block
from tests.integration.streams.tables import assert_summaries_agree
from tests.long import long
from tests.template import make_filled_database

FIRST, BLOCKS = 10_070, 2_300

Send = Callable[[Sequence[BlockEvent]], None]


@pytest.fixture
def ch(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    """A dataset with the stored chain."""
    name = f"rescore_{secrets.token_hex(6)}"
    make_filled_database(clickhouse.target, Dataset(name, "simulated"), "rescore", store_a_chain)
    with connect(clickhouse.target, name) as found:
        yield found
        found.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})


def store_a_chain(ch: ClickHouse) -> None:
    """In batches of many sizes, as a worker writes it."""
    versions = Versions(1)
    attribution_set = current_set(ch, "signet", versions.next())
    fold, sinks = ChainFold(Attributor(attribution_set)), BlockSinks(ch)
    events: list[BlockEvent] = [block("signet", height) for height in range(FIRST, FIRST + BLOCKS)]
    at = 0
    for size in (1, 143, 400, 1, 1, 900, 2, 600, BLOCKS):
        result = fold.apply(events[at : at + size])
        if result.scored is not None:
            sinks.write(result, chain="signet", attribution_set=attribution_set, version=versions.next())
        at += size


def its_set(ch: ClickHouse) -> AttributionSet:
    return current_set(ch, "signet", 0)


WIDE = "* EXCEPT version"
VIEWS = {"blocks": "*", "concentration": WIDE, "latest_concentration": WIDE, "concentration_daily": "*"}
VIEWS |= dict.fromkeys(("detectors", "drift", "share_forecasts", "time_windows"), "*")


def rows_of(ch: ClickHouse, view: str) -> list[str]:
    """Every row of a view as the engine's text, for NaN is not itself; row versions apart."""
    shown = f"SELECT toString(tuple(*)) AS row FROM (SELECT {VIEWS[view]} FROM {view}) ORDER BY row"
    return [row for (row,) in ch.query(shown)]


def answers(ch: ClickHouse) -> dict[str, list[str]]:
    """Every row of each view."""
    return {view: rows_of(ch, view) for view in VIEWS}


def test_days_and_newest_rows_agree_with_every_height(ch: ClickHouse) -> None:
    assert_summaries_agree(ch)
    assert ch.query("SELECT count() FROM concentration_daily WHERE metric = 'hhi'") != [(0,)]


def test_a_rescore_changes_nothing_where_all_is_there_and_brings_what_is_not(ch: ClickHouse) -> None:
    attribution_set = its_set(ch)
    whole = answers(ch)
    lacking = {
        "concentration_daily",
        "detectors",
        "drift",
        "share_forecasts",
        "time_windows",
    }  # as in a dataset that an older version wrote
    for name in lacking:
        assert whole[name] != []
        ch.execute(f"TRUNCATE TABLE {name}_log")
    assert {name for name in VIEWS if ch.query(f"SELECT count() FROM {name}") == [(0,)]} == lacking
    seen: list[tuple[int, int]] = []
    done = rescore(ch, "signet", lambda at, total: seen.append((at, total)))
    assert (done.blocks, done.scored) == (BLOCKS, BLOCKS) and seen[-1] == (BLOCKS, BLOCKS)
    assert answers(ch) == whole
    assert scored_to(ch, "signet", attribution_set.attribution_id) == (FIRST + BLOCKS - 1, True)
    assert rescore(ch, "signet").scored == 0


def test_a_branch_that_outweighs_takes_states_fits_and_forecasts_with_it(ch: ClickHouse) -> None:
    attribution_set = its_set(ch)
    fork = 12_090
    heavy = block("signet", fork + 1, "heavy", prev=f"signet {fork} ").model_copy(update={"bits": 0x15053894})
    attributor = Attributor(attribution_set)
    history = canonical_blocks(ch, "signet", FIRST, FIRST + BLOCKS - 1)
    loaded = stored_chain(ch, "signet", attributor, history, first_height=FIRST, recent_from=FIRST)
    result = ChainFold(attributor, loaded).apply([heavy])
    assert result.scored is not None and len(result.scored.undone_heights) == FIRST + BLOCKS - 1 - heavy.height
    BlockSinks(ch).write(result, chain="signet", attribution_set=attribution_set, version=Versions(9).next())
    for view, last in (("detectors", heavy.height), ("share_forecasts", 12_096 - 144)):
        assert ch.query(f"SELECT max(height) FROM {view}") == [(last,)], view
    assert ch.query("SELECT count() FROM drift") == [(0,)], "its only height, 12,096, was undone"
    assert ch.query(f"SELECT DISTINCT tip_hash FROM detectors WHERE height = {heavy.height}") == [(heavy.hash,)]
    kept = answers(ch)
    for table in ("scoring_log", "detectors_log", "drift_log", "share_forecasts_log", "time_windows_log"):
        ch.execute(f"TRUNCATE TABLE {table}")
    rescore(ch, "signet")
    assert answers(ch) == kept


def test_states_and_fits_of_a_lost_branch_are_not_gone_on_from(ch: ClickHouse) -> None:
    """A writer that was replaced wrote them last: its blocks lost, its rows have the highest version."""
    attribution_set = its_set(ch)
    tip, own = FIRST + BLOCKS - 1, ("signet", attribution_set.attribution_id)
    history = canonical_blocks(ch, "signet", FIRST, tip)
    fits, states = stored_drift(ch, *own, tip), stored_states(ch, *own, history)
    assert {row.height for row in fits} == {12_096} and len(fits) == 2 * len(FAMILIES) and set(states) == {12_287}
    assert stored_drift(ch, *own, 12_095) == []
    for table in ("drift_log", "detectors_log"):
        ch.execute(
            f"INSERT INTO {table} SELECT * REPLACE (toFixedString('lost', 32) AS tip_hash, version + 1 AS version) FROM {table}"
        )
    assert stored_drift(ch, *own, tip) == [] and stored_states(ch, *own, history) == {}


def test_what_a_writer_left_above_the_tip_is_undone(ch: ClickHouse) -> None:
    attribution_set = its_set(ch)
    tip, last = 12_090, FIRST + BLOCKS - 1
    # It died behind its detectors: no concentration stands there.
    BlockSinks(ch).clickhouse.insert(
        "concentration_log",
        tombstone_columns(
            chain="signet",
            attribution_id=attribution_set.attribution_id,
            heights=list(range(tip + 1, last + 1)),
            windows=WINDOWS_BLOCKS,
            version=1 << 50,
        ),
    )
    left = scored_above(ch, "signet", attribution_set.attribution_id, tip)
    assert left == list(range(tip + 1, last + 1))
    BlockSinks(ch).undo_above(left, [], chain="signet", attribution_id=attribution_set.attribution_id, version=1 << 51)
    assert scored_above(ch, "signet", attribution_set.attribution_id, tip) == []
    assert ch.query("SELECT max(height) FROM detectors") == [(tip,)] and ch.query("SELECT count() FROM drift") == [(0,)]


def test_blocks_that_come_during_a_rescore_are_scored_too(ch: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    attribution_set = its_set(ch)
    events = [block("signet", height) for height in range(FIRST + BLOCKS, FIRST + BLOCKS + 9)]

    def arrives(at: int, total: int) -> None:
        """A worker that has begun before knows nothing of the states, and writes nine blocks under them."""
        if events:
            versions = Versions(claim_epoch(ch, "streams:signet"))
            result = ChainFold(Attributor(attribution_set), loaded).apply(events)
            BlockSinks(ch).write(result, chain="signet", attribution_set=attribution_set, version=versions.next())
            events.clear()

    history = canonical_blocks(ch, "signet", FIRST, FIRST + BLOCKS - 1)
    attributor = Attributor(attribution_set)
    loaded = stored_chain(ch, "signet", attributor, history, first_height=FIRST, recent_from=history[-9].height)
    loaded = replace(loaded, detectors={}, drift=())
    done = rescore(ch, "signet", arrives)
    assert (done.blocks, done.scored) == (BLOCKS + 9, BLOCKS + 9)
    mended = rows_of(ch, "detectors")
    for table in ("scoring_log", "detectors_log"):
        ch.execute(f"TRUNCATE TABLE {table}")
    rescore(ch, "signet")
    assert rows_of(ch, "detectors") == mended


@contextmanager
def worker_of(ch: ClickHouse, server: ClickHouseServer, folder: Path) -> Iterator[tuple[BlockWorker, Send]]:
    """A worker on the dataset that has loaded nothing yet, and how it is sent blocks."""
    with ServiceStatus("streams", folder, SystemClock()) as status, connect(server.target, ch.database) as client:
        store = WorkerStore(client, Waiter(SystemClock(), status, lambda: False))
        worker = BlockWorker(store, dataset=ch.database, limit=DeadLetterLimit(0, 0.5))

        def send(events: Sequence[BlockEvent]) -> None:
            value = encode(events, kind=BLOCK_KIND, dataset=ch.database, producer="test", sent_at_ms=1)
            partition = partition_of(b"signet", BLOCKS_TOPIC.partitions)
            worker.handle([RawMessage(BLOCKS_TOPIC.full_name(ch.database), partition, 0, b"signet", value)])

        yield worker, send


# Long: fewer things at once; the case with a branch that wins has them all.
@pytest.mark.parametrize(("late", "name"), [*long((0, ""), (600, "")), (601, "heavy")])
def test_a_worker_that_loads_in_the_middle_ends_as_if_nothing_had_been(
    ch: ClickHouse,
    clickhouse: ClickHouseServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    late: int,
    name: str,
) -> None:
    """It loads without states, and writes `late` blocks under them before it sees that the rescore has ended.

    With a name a branch from 12,300 on wins after the rescore has read the other one to its tip.
    """
    lacking = ("scoring_log", "detectors_log", "drift_log", "share_forecasts_log")
    for table in lacking:
        ch.execute(f"TRUNCATE TABLE {table}")
    monkeypatch.setattr(rescore_module, "BATCH_BLOCKS", BLOCKS // 2)
    fork, end = 12_300, FIRST + BLOCKS

    def branch(low: int, high: int) -> list[BlockEvent]:
        found = [block("signet", h, name, f"signet {h - 1} {name if h > fork else ''}") for h in range(low, high)]
        return [one.model_copy(update={"bits": 0x15053894}) if name and one.height == fork else one for one in found]

    with worker_of(ch, clickhouse, tmp_path) as (worker, send):

        def loads(at: int, total: int) -> None:
            if at == BLOCKS // 2:
                worker.assign(frozenset(range(BLOCKS_TOPIC.partitions)))
            if at == BLOCKS and name:
                send(branch(fork, end))

        rescore(ch, "signet", loads)
        if late:
            send(branch(end, end + late))
        if name:  # nobody else is there to put it right
            assert rescore(ch, "signet").scored >= late
        worker.refresh()
        send(branch(end + late, end + 700))
    assert ch.query("SELECT max(height), count() FROM blocks") == [(end + 699, BLOCKS + 700)]
    assert rescore(ch, "signet").scored == 0
    found = answers(ch)
    for table in ("concentration_log", *lacking):
        ch.execute(f"TRUNCATE TABLE {table}")
    rescore(ch, "signet")
    undisturbed = answers(ch)
    assert {view for view in found if found[view] != undisturbed[view]} == set()


def test_a_rescore_goes_on_where_it_was_interrupted(ch: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    attribution_set = its_set(ch)
    whole = answers(ch)
    ch.execute("TRUNCATE TABLE concentration_daily_log")
    monkeypatch.setattr(rescore_module, "BATCH_BLOCKS", 700)

    def die(at: int, total: int) -> None:
        if at >= 1_400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rescore(ch, "signet", die)
    assert scored_to(ch, "signet", attribution_set.attribution_id) == (FIRST + 1_399, False)
    assert rows_of(ch, "latest_concentration") == whole["latest_concentration"]
    assert rescore(ch, "signet").scored == BLOCKS - 1_400
    assert answers(ch) == whole


def test_rescore_as_json(
    ch: ClickHouse, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rescore_module, "BATCH_BLOCKS", 700)
    for name, value in {
        "COUNTERPOISE_CLICKHOUSE__HOST": "127.0.0.1",
        "COUNTERPOISE_CLICKHOUSE__PORT": str(clickhouse.port),
        "COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE": str(clickhouse.password_file),
        "COUNTERPOISE_DATASET": ch.database,
        "COUNTERPOISE_DATASET_KIND": "simulated",
    }.items():
        monkeypatch.setenv(name, value)

    def said() -> dict[str, Any]:
        return json.loads(capfd.readouterr().out)  # type: ignore[no-any-return]

    class Killed(Progress):
        def update(self, task_id: TaskID, **fields: Any) -> None:
            if fields["completed"] >= 1_400:
                raise KeyboardInterrupt

    ch.execute("TRUNCATE TABLE scoring_log")
    with monkeypatch.context() as interrupted:
        interrupted.setattr("rich.progress.Progress", Killed)
        plain = main(["rescore"])
        assert capfd.readouterr().out == ""
        assert main(["rescore", "--json"]) == plain != 0, "it went on after 1,400 and came to 2,100"
    whole = {"complete": True, "dataset": ch.database}
    assert said() == {"complete": False, "dataset": ch.database, "chains": []}
    assert main(["rescore", "--json"]) == 0
    assert said() == whole | {"chains": [{"chain": "signet", "blocks": BLOCKS, "scored_blocks": BLOCKS - 2_100}]}
    assert main(["rescore", "--json"]) == 0
    assert said() == whole | {"chains": [{"chain": "signet", "blocks": BLOCKS, "scored_blocks": 0}]}
    assert main(["rescore"]) == 0
    assert capfd.readouterr().out == "signet: nothing to do\n"
    assert main(["rescore", "--chain", "litecoin", "--json"]) == 2
    out, err = capfd.readouterr()
    assert out == "" and "chain 'litecoin' has no blocks in this dataset" in err


def test_rows_of_another_format_are_scored_anew(ch: ClickHouse) -> None:
    attribution_set = its_set(ch)
    mark_scored(ch, "signet", attribution_set.attribution_id, to_height=0, whole=True, version=1 << 40)
    assert rescore(ch, "signet").scored == 0
    ch.execute(
        "INSERT INTO scoring_log SELECT attribution_id, chain, 'older', to_height, whole, version + 1 FROM scoring_log"
    )
    assert rescore(ch, "signet").scored == BLOCKS
